# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.host_variables import HostVariables
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import SECTIONS
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import Wrong, misspelt, needed_by


class ActionModule(ControllerAction):
    SPEC = {
        "sections": {"type": "list", "elements": "str", "choices": list(SECTIONS), "default": list(SECTIONS)},
        "required": {"type": "list", "elements": "str"},
    }

    def act(self, options: Options) -> Answer:
        variables = HostVariables(self.task_vars, self._templar)
        problems = misspelt(variables)
        required = options["required"]
        settled: Options = {}
        try:
            settled = variables.settle(
                options["sections"], needed_by(options["sections"]) if required is None else required, together=required is None)
        except Wrong as wrong:
            problems = {**wrong.problems, **problems}
        problems.update(self._one_report_of_many(settled))
        if problems:
            raise Wrong(problems)
        return {"settings": settled}

    def _one_report_of_many(self, settled: Options) -> dict[str, str]:
        """A report that several models of this play would write over each other's."""
        report = settled.get("check", {}).get("report")
        if not report or report.endswith("/"):
            return {}
        hosts = self.task_vars.get("ansible_play_hosts", [])
        same = [host for host in hosts if self.task_vars["hostvars"][host].get("check_report") == report]
        if len(same) < 2:
            return {}
        return {"check_report": (
            "check_report is %s for %s: each would write over the other. Use a folder, whose name ends in /, and each gets a page of"
            " its own in it." % (report, ", ".join(same))
        )}
