# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules that work on the NAS have in common: the mount, the work, the answer."""

from typing import Any, Callable, Dict

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import mount
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Request

Work = Callable[[str, Request, bool], Dict[str, Any]]  # takes the export's folder, what is asked for, and the check mode


def run(module: Any, work: Work, only_looks: Callable[[Request], bool] = lambda request: False) -> None:
    """End an AnsibleModule with what work() returns."""
    try:
        request = Request(module.params)
        mount.require_root_and_client()
        export = mount.Export(request.server, request.export, request.options, request.mount_timeout)
        result = mount.within(
            export, lambda folder: work(folder, request, module.check_mode), request.timeout,
            read_only=module.check_mode or only_looks(request), scratch=module.tmpdir,
        )
    except Error as error:
        module.fail_json(msg=error.message, failure=error.as_dict())
    for sentence in result.get("left", ()):
        module.warn(sentence)
    module.exit_json(**result)
