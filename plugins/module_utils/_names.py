# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and values that follow from a model's variables. The one place that knows them."""
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

CHART = "acs-tensorflow-serving"

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def object_names(release):
    """Kubernetes object names of a release, those of the tutorial's chart."""
    return {
        "deployment": release + "-serving",
        "service": release + "-" + CHART,
        "claim": release + "-" + CHART,
        "disruption_budget": release + "-serving",
        "parameters": release + "-serving",
        "model_config": release + "-model-config",
        "check": release + "-check",
        "selector": "app.kubernetes.io/name=%s,app.kubernetes.io/instance=%s" % (CHART, release),
    }


def yes_or_no(value):
    """True or False from whatever a playbook, -e or a survey hands over; None where it is plainly neither.

    Jinja's `bool` would take "flase" for False without a word.
    """
    return value if isinstance(value, bool) else _WORDS.get(str(value).strip().lower())


def gpu_wanted(value):
    """Empty or undefined is True, the tutorial's default. Anything that is not plainly one of the two is an error."""
    if value is None or not str(value).strip():
        return True
    wanted = yes_or_no(value)
    if wanted is None:
        raise Error(
            "gpu is %r: use true or false (yes/no, on/off, 1/0; empty means true)." % (value,), "gpu_invalid", value=str(value)
        )
    return wanted
