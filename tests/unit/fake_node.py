"""An action plugin whose node and connection are replaced by a list of what was asked of them."""
from __future__ import annotations

import types

from ansible.errors import AnsibleError
from run_action import everything


def fake_node(
    plugin, arguments, *answers, delegate_to="ecs-node", check_mode=False, low_level=None, interpreter="#!/usr/bin/python3",
):
    """answers: what the node answers each time it is asked to run the module; an exception is raised.

    low_level: what a command answers.
    """
    class Action(plugin.ActionModule):
        def __init__(self):
            self._task = types.SimpleNamespace(
                args=arguments, async_val=0, check_mode=check_mode, diff=False, delegate_to=delegate_to, action=plugin.__name__)
            shell = types.SimpleNamespace(join_path=lambda *parts: "/".join(parts), tmpdir=None)
            self._connection = types.SimpleNamespace(_shell=shell)
            self._used_interpreter = interpreter
            self.asked, self.answers = [], list(answers)

        def run(self, tmp=None, task_vars=None):
            return everything(super().run(tmp, {"inventory_hostname": "mnist", **(task_vars or {})}))

        def _find_needle(self, dirname, needle):
            if "missing" in needle:
                raise AnsibleError("not found")
            return needle

        def _execute_module(self, module_name=None, module_args=None, task_vars=None):
            assert module_name == plugin.ActionModule.MODULE
            assert task_vars["inventory_hostname"] == "mnist"
            self.asked.append(module_args)
            return self._answer(self.answers.pop(0))

        def _low_level_execute_command(self, command, sudoable=True):
            assert sudoable is False
            self.asked.append(command)
            return self._answer(low_level)

        def _answer(self, answer):
            if isinstance(answer, Exception):
                raise answer
            return answer

        def _make_tmp_path(self):
            return "/remote"

        def _transfer_file(self, local_path, remote_path):
            self.asked.append((local_path, remote_path))

        def _fixup_perms2(self, paths):
            self.asked.append(("readable", *paths))

    return Action()
