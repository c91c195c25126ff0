# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a server that runs does not open its port: what its log says of the model. Pure; cluster/rollout_reasons.py has the rest."""
from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.mlops.tf_serving.plugins.module_utils.sentences import joined
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.rollout_reasons import AT_ONCE, TO_THE_END, Reason
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import server_log

NOT_LOADABLE, NO_VERSION = "model_not_loadable", "no_version"
# Seconds. A pod that was there before may have failed for a cause that is gone by now: its server tries again each minute.
NEXT_TRY = 70
# An NFS client may show a folder as it was a minute ago.
NAS_CACHE = 90


def find(pod: str, log: str, known: bool) -> Iterator[Reason]:
    """known: whether the pod was there before this run."""
    standing = server_log.standing(log)
    for name, version, error in standing.failed:
        patience: float = TO_THE_END
        if server_log.final(error):
            patience = NEXT_TRY if known else AT_ONCE
        text = "Pod %s cannot load version %d of %s: %s" % (pod, version, name, error)
        yield Reason(
            NOT_LOADABLE, joined(text, server_log.meaning(log)), patience, pod, version=version,
            final=server_log.of_version(error),
        )
    if standing.no_version:
        text = "Pod %s: %s" % (pod, standing.no_version)
        yield Reason(NO_VERSION, joined(text, server_log.meaning(log)), NAS_CACHE, pod)
