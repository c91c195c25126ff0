# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import orphans
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.wanted import Fleet


class ActionModule(ControllerAction):
    SPEC = {**specs.API, "wanted": {"type": "bool", "required": True}}
    NEEDS = ("kubernetes", "google.protobuf", "yaml")
    OF_ONE_MODEL = False

    def act(self, options: Options) -> Answer:
        if not options["wanted"]:
            return {"wanted": False, "orphans": [], "hosts": [], "lines": []}
        self._refuse_slice()
        looked_for = self.task_vars["ansible_play_hosts_all"]
        models = sorted({*self.task_vars["groups"].get("models", ()), *looked_for})
        found = orphans.find(Fleet(models, self.task_vars["hostvars"], self._loader), looked_for, options, self.warn)
        return {
            "wanted": True, "orphans": found, "hosts": list(dict.fromkeys(orphan["host"] for orphan in found)),
            "lines": list(orphans.lines(found)),
        }

    def _refuse_slice(self) -> None:
        """A slice has a part of the inventory. AWX runs it as a node of a workflow that has its job template's name."""
        workflow = self.task_vars.get("awx_workflow_job_name")
        if workflow and workflow == self.task_vars.get("awx_job_template_name"):
            raise Error(
                "This job is a slice of %s: it has a part of the inventory, and would take the models of the other slices for nobody's."
                " Use a job template without slices." % workflow, "orphans_uncertain")
