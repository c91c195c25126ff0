#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: release_unlock
version_added: "0.1.0"
short_description: Let Helm go on with a release that an interrupted run left pending
description:
  - A Helm that is killed leaves its revision C(pending-install), C(pending-upgrade) or C(uninstalling), and every later
    Helm refuses with "another operation is in progress". A failed revision is left as it is by kubernetes.core.helm
    when the values are the same.
  - Marks such a revision C(superseded) in Helm's record (one Secret), so that the next C(helm upgrade --install) runs.
  - A pending revision that is younger than O(pending_age) may be a run that is still going, and is waited for.
  - Touches nothing but that one Secret; does nothing to a release that is deployed or not there.
author: The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.tf_serving.controller
  - mlops.tf_serving.release
requirements:
  - python >= 3.10
  - kubernetes >= 24.2
options:
  pending_age:
    description: Seconds from which a pending revision counts as left behind, by the API server's clock.
    type: int
    default: 60
  again:
    description: Supersede a deployed revision too, so that kubernetes.core.helm upgrades without comparing values once more.
    type: bool
    default: false
attributes:
  check_mode:
    description: Waits for a young pending revision, changes nothing.
    support: full
  diff_mode:
    description: Shows the revision's status before and after.
    support: full
  idempotent:
    description: A second run changes nothing, unless O(again) is set.
    support: full
"""

EXAMPLES = """
- name: Go on where a cancelled job stopped
  mlops.tf_serving.release_unlock:
    release: mnist-deploy
    namespace: default
"""

RETURN = """
release:
  description:
    - The newest revision (name, revision, status, chart, updated, objects), null if there is none. C(objects) has kind and name of
      each of its objects.
  returned: success
  type: dict
failure:
  description: What went wrong, for programs.
  returned: failure
  type: dict
  contains:
    message:
      description: The same as RV(ignore:msg).
      type: str
    code:
      description: A stable word such as V(forbidden).
      type: str
    details:
      description: What was found.
      type: dict
"""
