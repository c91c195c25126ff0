# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options


class ActionModule(ControllerAction):
    """ansible.builtin.add_host takes one host for all of a play, and models may have nodes of their own."""

    SPEC = {"name": {"type": "str", "required": True}, "variables": {"type": "dict", "default": {}}}

    def act(self, options: Options) -> Answer:
        if options["name"] in self.task_vars.get("hostvars", ()):
            return {}
        return {"changed": True, "add_host": {"host_name": options["name"], "groups": [], "host_vars": options["variables"]}}
