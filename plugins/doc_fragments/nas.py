# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    """What runs on the host that mounts the NAS: NAS of module_utils/nas/options.py."""

    DOCUMENTATION = """
options:
  base_path:
    description: Folder of the model's versions, as a path inside the NAS. It has to lie in O(nas_export).
    type: str
    required: true
  nas_server:
    description: Name or address of the NFS server.
    type: str
    required: true
  nas_export:
    description:
      - Export to mount.
      - If it does not exist and the server's root can be mounted, M(mlops.tf_serving.model_publish) creates it there.
    type: str
    default: /
  nas_options:
    description:
      - Mount options, separated by commas. Locks need NFSv4, or NFSv3 with a lock manager or with V(nolock).
      - Unless V(hard) or V(softerr) is among them, V(soft) is added for this mount alone, with O(mount_timeout) as its
        time-out. Every file is synced and checked, so no write is lost unnoticed.
    type: str
    default: vers=4.0
  mount_timeout:
    description: Seconds for one mount.
    type: int
    default: 30
  lock_timeout:
    description: Seconds to wait for another run on the same model.
    type: int
    default: 300
  timeout:
    description: Seconds for everything together.
    type: int
    default: 1800
  saved_model_tags:
    description:
      - Tags of the graph that servers load, as their C(--saved_model_tags) has them. A SavedModel without a graph that has just
        these is refused.
    type: list
    elements: str
    default: [serve]
requirements:
  - python >= 3.6 on the target, or what ansible-core asks for (3.7 with 2.17, 3.8 with 2.18 and 2.19, 3.9 from 2.20)
  - root on the target
  - mount.nfs on the target (nfs-common, nfs-utils)
notes:
  - An option with an empty string counts as one that is left out.
  - A target that cannot be reached is a failed task, which says so, and not an unreachable host.
"""
