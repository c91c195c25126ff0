# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The base of everything that talks to the Kubernetes API or to a model server: it runs in ansible-playbook's own process.

A module on `connection: local` pays for a new Python and its imports at every task. An action plugin runs in a fork of a
process that has imported them already. The module file of the same name holds the documentation.
"""
from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.sentences import stopped_once
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import secrets
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import of_model
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.failures import brief, more
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.masking import masked
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.host_variables import HostVariables
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import Settled
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.waiting import said, tell

Options = dict[str, Any]
Answer = dict[str, Any]


class ControllerAction(ActionBase):
    """A subclass says what it takes (SPEC, RULES), what it imports (NEEDS), and does it (act).

    become, delegate_to and the connection mean nothing here and do no harm. `environment`, `check_mode` and `diff` count.
    """

    SPEC: Options = {}  # as AnsibleModule's argument_spec
    RULES: Options = {}  # such as mutually_exclusive, as AnsibleModule has them
    NEEDS: tuple[str, ...] = ()  # importable names
    OF_ONE_MODEL = True  # whose variables may say on which cluster it is
    SHOWS_PROGRESS = False  # by itself

    check_mode: bool
    diff: bool
    task_vars: Options  # all that the task sees
    host: str  # inventory name

    def act(self, options: Options) -> Answer:
        """Do it. `options` are checked and have their defaults. An Error is the task's failure."""
        raise NotImplementedError

    def run(self, tmp: Any = None, task_vars: Options | None = None) -> Answer:
        if self._task.async_val:
            return failed(Error(
                "%s runs in ansible-playbook's own process, so it cannot go on in the background: leave out async and poll."
                % self._task.action, "async_unsupported",
            ))
        super().run(tmp, task_vars)
        self.check_mode, self.diff = bool(self._task.check_mode), bool(self._task.diff)
        self.task_vars = task_vars or {}
        self.host = self.task_vars.get("inventory_hostname", "")
        self._warnings: list[str] = []
        self._set_environment()
        spec = ArgumentSpecValidator(self.SPEC, **self.RULES)
        # What is blank is not given: before core 2.19 a template that is None arrives as an empty string.
        checked = spec.validate({name: value for name, value in self._task.args.items() if value is not None and value != ""})
        if checked.error_messages:
            return failed(Error("; ".join(checked.error_messages), "option_invalid"))
        try:
            require(self.NEEDS)
            options = checked.validated_parameters
            with contextlib.nullcontext() if self.SHOWS_PROGRESS else said(self._task.action, self.show):
                answer = {"changed": False, **self.act({**options, **self._cluster(options)})}
        except Error as error:
            answer = failed(error)
        finally:
            _forget_credentials()
        if self._warnings:
            answer["warnings"] = self._warnings
        shown: Answer = masked(answer, {*map(str, checked._no_log_values), *secrets(self._task.args)})
        show_more(self.host, shown)
        return shown

    def show(self, line: str) -> None:
        """What those who wait see."""
        tell("%s: %s" % (self.host, line))

    def warn(self, text: str) -> None:
        self._warnings.append(stopped_once(text))

    def _cluster(self, given: Options) -> Options:
        """What the model's variables add to the options of the API."""
        if not (self.OF_ONE_MODEL and self.host and of_model.VARIABLES.keys() <= self.SPEC.keys()):
            return {}
        return of_model.options(given, Settled(self.host, HostVariables(self.task_vars, self._templar)), os.environ)

    def _set_environment(self) -> None:
        """`environment:` of the task and of all around it. The process is this task's own."""
        variables: dict[str, str] = {}
        self._compute_environment_string(variables)
        os.environ.update({name: str(value) for name, value in variables.items()})


def _forget_credentials() -> None:
    """Kubernetes' client keeps a kubeconfig's certificates and keys in files until its process ends, and a fork's end it misses."""
    client = sys.modules.get("kubernetes.config.kube_config")
    if client is not None:
        client._cleanup_temp_files()


def failed(error: Error) -> Answer:
    """What a task answers that fails on purpose. An error may carry what was measured until then as `result`."""
    return brief({**getattr(error, "result", {}), "failed": True, "msg": error.message, "failure": error.as_dict()})


def show_more(host: str, answer: Answer) -> None:
    """With -v, what a failed task's answer leaves unprinted."""
    rest = more(answer)
    if rest:
        tell("%s: %s" % (host, json.dumps(rest, indent=2, default=str)), "v")


def require(names: tuple[str, ...], found: Callable[[str], object] = importlib.util.find_spec) -> None:
    """An Error that names the Python in which a library is missing."""
    missing = [name for name in names if not _is_there(name, found)]
    if missing:
        raise Error(
            "ansible-playbook runs in %s, which cannot import %s: install the collection's requirements.txt there, or use an"
            " execution environment that has it." % (sys.executable, ", ".join(missing)), "library_missing",
            missing=missing, python=sys.executable,
        )


def _is_there(name: str, found: Callable[[str], object]) -> bool:
    try:  # google.protobuf: a parent that is missing is an error of find_spec's own
        return found(name) is not None
    except ModuleNotFoundError:
        return False
