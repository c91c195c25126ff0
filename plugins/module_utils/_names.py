# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and values that follow from a model's variables. The one place that knows them."""
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

CHART = "acs-tensorflow-serving"

_TRUE = ("", "true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


def object_names(release):
    """Kubernetes object names of a release, those of the tutorial's chart."""
    return {
        "deployment": release + "-serving",
        "service": release + "-" + CHART,
        "claim": release + "-" + CHART,
        "disruption_budget": release + "-serving",
        "selector": "app.kubernetes.io/name=%s,app.kubernetes.io/instance=%s" % (CHART, release),
    }


def gpu_wanted(value):
    """True or False from whatever a playbook, -e or a survey hands over.

    Empty or undefined is True, the tutorial's default. Anything that is not plainly one of the two is an error:
    Jinja's `bool` would take "flase" for False without a word.
    """
    if isinstance(value, bool):
        return value
    if value is None:
        return True
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Error(
        "gpu is %r: use true or false (yes/no, on/off, 1/0; empty means true)." % (value,), "gpu_invalid", value=str(value)
    )
