# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the Kubernetes objects of a release are called. The one place that knows."""
from __future__ import annotations

CHART = "acs-tensorflow-serving"


def object_names(release: str) -> dict[str, str]:
    """Those of the tutorial's chart."""
    return {
        "deployment": release + "-serving",
        "service": release + "-" + CHART,
        "claim": release + "-" + CHART,
        "parameters": release + "-serving",
        "model_config": release + "-model-config",
        "check": release + "-check",
        "selector": "app.kubernetes.io/name=%s,app.kubernetes.io/instance=%s" % (CHART, release),
    }
