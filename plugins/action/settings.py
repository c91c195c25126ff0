# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import public_all
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.awx.job import dies_with_the_job, warning
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.across_hosts import in_common
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.host_variables import HostVariables
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import SECTIONS
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import Wrong, misspelt, needed_by


class ActionModule(ControllerAction):
    SPEC = {
        "sections": {"type": "list", "elements": "str", "choices": list(SECTIONS), "default": list(SECTIONS)},
        "required": {"type": "list", "elements": "str"},
        "records": {"type": "bool", "default": False},
    }

    def act(self, options: Options) -> Answer:
        variables = HostVariables(self.task_vars, self._templar)
        problems = misspelt(variables)
        required, together = options["required"], options["required"] is None
        settled: Options = {}
        try:
            settled = variables.settle(
                options["sections"], needed_by(options["sections"]) if together else required, together=together)
        except Wrong as wrong:
            problems = {**wrong.problems, **problems}
        problems.update(in_common(settled, variables.alike, variables.launched(), options["records"], together))
        if problems:
            raise Wrong(problems)
        self._warn_of_what_is_lost(settled.get("check"), options["records"])
        return {"settings": public_all(settled)}

    def _warn_of_what_is_lost(self, check: Options | None, records: bool) -> None:
        """Files that this run may write, where they do not outlive it."""
        if check is None:
            return
        written = {"check_report": check["report"], "check_golden": check["golden"] if records or check["record"] else ""}
        for variable, path in written.items():
            if path and dies_with_the_job(path):
                self.warn(warning(variable, path))
