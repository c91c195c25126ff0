# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What things are called in Kubernetes. The one place that knows.

A model has the name that its clients ask for, and TensorFlow Serving takes nearly any. Kubernetes does not: what follows from such
a name is made to fit, with a hash of the name at its end, so that no two models get the same.
"""
from __future__ import annotations

import hashlib
import re

CHART = "acs-tensorflow-serving"

RELEASE = r"[a-z]([-a-z0-9]*[a-z0-9])?"
RELEASE_LENGTH = 63 - len("-" + CHART)  # the Service has the longest name of the chart's objects. Helm alone takes 53
LABEL = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LABEL_LENGTH = 63

HASH_LENGTH = 10


def release_name(model: str) -> str:
    """Of the model's Helm release: mnist-deploy, and of one that does not fit fraud-detection-deploy-0123456789.

    Only names that were made to fit end in a hash, so none of them is one of those that were not.
    """
    return _fitting(model, "-deploy", RELEASE, RELEASE_LENGTH)


def label_value(model: str) -> str:
    """Of the model, as a label that the claim selects its volume by."""
    return _fitting(model, "", LABEL, LABEL_LENGTH)


def _fitting(name: str, suffix: str, pattern: str, longest: int) -> str:
    """The name with its suffix, as it is where that will do."""
    if len(name + suffix) <= longest and re.fullmatch(pattern, name + suffix):
        return name + suffix
    stem = re.sub(r"[^a-z0-9-]", "-", name.lower()).strip("-")
    if not stem[:1].isalpha():
        stem = ("model-" + stem).rstrip("-")
    ending = "%s-%s" % (suffix, hashlib.sha256(name.encode()).hexdigest()[:HASH_LENGTH])
    return stem[:longest - len(ending)].rstrip("-") + ending


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
