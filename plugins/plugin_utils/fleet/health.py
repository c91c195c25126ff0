# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of a model is not as it should be and no run would change, in words. Pure."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import scale
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object


def sick(deployment: Object, results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """results: of the inference check, the newest first."""
    now = scale.counts(deployment)
    if now["ready"] < now["replicas"]:
        yield "%d of %d ready" % (now["ready"], now["replicas"])
    if results and not results[0]["passed"]:
        yield "the last check failed (%s): %s" % (results[0]["at"], results[0]["message"])
