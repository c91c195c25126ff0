# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of a module that runs on the host that mounts the NAS (model_node): it says why a host cannot.

The module runs straight away. Only where it could not, one more command asks the host for its Python.
"""
from __future__ import annotations

import re
from typing import Any

from ansible import constants
from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.look import file_sha256
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Request, checksum_mismatch, given
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import secrets
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, Options, failed, show_more
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.failures import brief
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.masking import masked
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.waiting import said, tell


class NodeAction(ActionBase):
    """A subclass says which module it is (MODULE) and what that takes (SPEC, RULES)."""

    MODULE: str
    SPEC: Options
    RULES: Options = {}

    task_vars: Options

    def act(self, options: Options, request: Any) -> Answer:
        """options: the task's, without empty ones. request: the same, checked."""
        return self.on_node(options)

    def request(self, options: Options) -> Any:
        """The options in one form; an Error for those that make no sense."""
        return Request(options)

    def run(self, tmp: Any = None, task_vars: Options | None = None) -> Answer:
        super().run(tmp, task_vars)
        self.task_vars = task_vars or {}
        self._discover_quietly()
        try:
            options = given(self._task.args)
            checked = ArgumentSpecValidator(self.SPEC, **self.RULES).validate(options)
            if checked.error_messages:
                raise Error("; ".join(checked.error_messages), "option_invalid")
            answer = brief(self.act(options, self.request(checked.validated_parameters)))
        except Error as error:
            answer = failed(error)
        shown: Answer = masked(answer, set(secrets(self._task.args)))
        show_more(self._name(), shown)
        return shown

    def _discover_quietly(self) -> None:
        """Where nobody names the host's Python, the same one is discovered, without a warning at each run: any that is there does."""
        seen, node = self.task_vars, self._task.delegate_to
        if node:
            seen = seen.get("ansible_delegated_vars", {}).get(node, {})
        if constants.config.get_config_value("INTERPRETER_PYTHON", variables=seen) == "auto":
            seen["ansible_python_interpreter"] = "auto_silent"  # of this task alone, whose variables are its own

    def on_node(self, options: Options) -> Answer:
        """What the module answers."""
        try:
            with said(self._task.action, lambda line: tell("%s: %s" % (self._name(), line))):
                answer: Answer = self._execute_module(module_name=self.MODULE, module_args=options, task_vars=self.task_vars)
            if answer.get("failed") and "failure" not in answer:
                self._diagnose()
        except AnsibleConnectionFailure as error:
            raise self._unreachable(error) from None
        return self._named(answer)

    def _name(self) -> str:
        return str(self._task.delegate_to or self.task_vars.get("inventory_hostname"))

    def _named(self, answer: Answer) -> Answer:
        """The host does not know its name in the inventory, which a person wants to read in a log of many hosts."""
        failure = answer.get("failure")
        if failure:
            message = re.sub(r"\bmodel_node\b", "model_node " + self._name(), failure["message"], count=1)
            return {**answer, "msg": message, "failure": {**failure, "message": message}}
        return answer

    def _unreachable(self, error: AnsibleConnectionFailure) -> Error:
        name, known = self._name(), self.task_vars.get("hostvars")
        if known is not None and name not in known:
            return Error(
                "model_node is %r, which is not in the inventory. Set it to the inventory name of a host that may mount the NAS,"
                " a node of the cluster for one." % name, "node_not_in_inventory", node=name,
            )
        return Error(
            "model_node %s cannot be reached: %s. Check its ansible_host, ansible_user and key, and that it runs."
            % (name, str(error).strip().rstrip(".")), "node_unreachable", node=name,
        )

    def _diagnose(self) -> None:
        """An Error, if the module could not run because of the host's Python. Without become, which may be what fails."""
        python = (self._used_interpreter or "python3").lstrip("#!")
        look = self._low_level_execute_command(
            "%s -c 'import sys; print(\"Python %%d.%%d\" %% sys.version_info[:2])'" % python, sudoable=False
        )
        found = re.search(r"^Python (\d+)\.(\d+)\s*$", look["stdout"], re.MULTILINE)
        floor = python_floor()
        if not found:
            raise Error(
                "model_node %s has no Python where ansible_python_interpreter (%s) looks for it. Install Python %d.%d or later"
                " there, or set ansible_python_interpreter of that host. %s"
                % (self._name(), python, *floor, look["stderr"].strip()), "node_python_missing", python=python,
            )
        version = int(found.group(1)), int(found.group(2))
        if version < floor:
            raise Error(
                "model_node %s has Python %d.%d, and this ansible-core needs %d.%d or later on a managed node. Install a newer"
                " one beside it and set ansible_python_interpreter of that host, or name another model_node."
                % (self._name(), *version, *floor), "node_python_old", python="%d.%d" % version,
            )


def archive_sha256(path: str, wanted: str | None) -> str:
    """The checksum of an archive on the controller, which has to be the wanted one."""
    try:
        digest = file_sha256(path)
    except OSError as error:
        raise Error(
            "model_archive %s cannot be read on the controller: %s." % (path, error.strerror), "archive_unreadable"
        ) from error
    if wanted not in (None, digest):
        raise checksum_mismatch(path, wanted, digest)
    return digest


def python_floor() -> tuple[int, int]:
    """The oldest Python 3 that this ansible-core looks for on a managed node: 3.6 for 2.16, 3.9 for 2.20."""
    names = constants.config.get_configuration_definitions()["INTERPRETER_PYTHON_FALLBACK"]["default"]
    return min((3, int(found.group(1))) for found in (re.search(r"python3\.(\d+)$", name) for name in names) if found)
