# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host's variables as Ansible has them: our own out of them, their templates worked out, as plain data."""
from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import PREFIXES, Settled, settle
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.values import blank


class HostVariables(Mapping[str, Any]):
    """Each is worked out when it is asked for. variables: all that a task of the host sees. templar: works templates out."""

    def __init__(self, variables: Mapping[str, Any], templar: Any):
        self.variables, self.templar = variables, templar
        self.host: str = variables["inventory_hostname"]
        # Their names only: to read the variables of all takes 0.2 ms each, and 0.6 ms for every template.
        self.hosts: Container[str] = variables.get("hostvars", ())
        self.known: dict[str, Any] = {}
        self.beneath: Mapping[str, Any] | None = None
        self.others: dict[str, Settled] = {}

    def settle(self, sections: Iterable[str], required: Iterable[str] = (), together: bool = False) -> dict[str, dict[str, Any]]:
        return settle(self.host, self, sections, required, self.hosts, together)

    def launched(self) -> set[str]:
        """Names of what was answered at launch, with -e or in a survey: for every host, whatever the inventory says."""
        return {name for name, value in self._launch_variables().items() if not blank(value)}

    def alike(self, *names: str) -> list[str]:
        """The hosts of the play, failed ones too, for which these variables are all the same as for this one, itself among them."""
        hosts: list[str] = self.variables.get("ansible_play_hosts_all", [self.host])
        answers = {name: self._launch_variables()[name] for name in self.launched()}
        if all(name in answers and not _has_template(answers[name]) for name in names):
            return hosts
        mine = Settled(self.host, self)
        own = [mine(name) for name in names]
        with self._launched_with(answers):  # a question that nobody answered hides nothing
            return [host for host in hosts if host == self.host or all(
                self._other(host)(name) == value for name, value in zip(names, own))]

    def _other(self, host: str) -> Settled:
        """Another host's variables, which are read once. To be asked with what was answered at launch."""
        if host not in self.others:
            self.others[host] = Settled(host, _OfAnother(self.hosts[host]))  # type: ignore[index]
        return self.others[host]

    def __iter__(self) -> Iterator[str]:
        """With one of our prefixes, known or not."""
        return (name for name in self.variables if name == "gpu" or name.startswith(PREFIXES))

    def __len__(self) -> int:
        return sum(1 for _name in self)

    def __getitem__(self, name: str) -> Any:
        if name not in self.known:
            value = self._value(name, self.variables[name])
            if blank(value) and name in self._launch_variables():
                value = self._value(name, self._inventory_variables()[name])  # a KeyError where nothing is beneath
            self.known[name] = value
        return self.known[name]

    def _value(self, name: str, value: Any) -> Any:
        if _has_template(value):
            try:
                value = self.templar.template(value)
            except AnsibleError as error:
                raise Error("%s cannot be worked out: %s" % (name, error), "settings_invalid", variable=name) from error
        return plain(value)

    def _launch_variables(self) -> Mapping[str, Any]:
        """-e, and what a controller's survey says: they hide the inventory's, also where nobody answered."""
        manager = getattr(self.hosts, "_variable_manager", None)
        return getattr(manager, "_extra_vars", None) or {}

    def _inventory_variables(self) -> Mapping[str, Any]:
        """The host's variables as they are without the answers at launch."""
        if self.beneath is None:
            with self._launched_with({}) as manager:
                self.beneath = manager.get_vars(host=manager._inventory.get_host(self.host), include_hostvars=False)
        return self.beneath

    @contextlib.contextmanager
    def _launched_with(self, answers: Mapping[str, Any]) -> Iterator[Any]:
        """The variable manager, as if these had been the answers at launch. None where a lookup is asked without hosts."""
        manager = getattr(self.hosts, "_variable_manager", None)
        before = getattr(manager, "_extra_vars", None)
        try:
            if manager:
                manager._extra_vars = answers
            yield manager
        finally:
            if manager:
                manager._extra_vars = before


class _OfAnother(Mapping[str, Any]):
    """Of another host. What cannot be worked out counts as not given: that host says so itself."""

    def __init__(self, variables: Mapping[str, Any]):
        self.variables = variables

    def __getitem__(self, name: str) -> Any:
        try:
            return plain(self.variables[name])
        except AnsibleError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)


def plain(value: Any) -> Any:
    """Without the lazy containers that templates give."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value


def _has_template(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(_has_template(entry) for entry in value.values())
    return isinstance(value, (list, tuple)) and any(_has_template(entry) for entry in value)
