# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host's variables as Ansible has them: our own out of them, their templates worked out, as plain data."""
from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import PREFIXES, settle
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.values import blank


class HostVariables(Mapping[str, Any]):
    """Each is worked out when it is asked for. variables: all that a task of the host sees. templar: works templates out."""

    def __init__(self, variables: Mapping[str, Any], templar: Any):
        self.variables, self.templar = variables, templar
        self.host: str = variables["inventory_hostname"]
        # Their names only: to read a host's variables takes 2 ms.
        self.hosts: Container[str] = variables.get("hostvars", ())
        self.known: dict[str, Any] = {}
        self.beneath: Mapping[str, Any] | None = None

    def settle(self, sections: Iterable[str], required: Iterable[str] = (), together: bool = False) -> dict[str, dict[str, Any]]:
        return settle(self.host, self, sections, required, self.hosts, together)

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
            manager = self.hosts._variable_manager  # type: ignore[attr-defined]
            launched, manager._extra_vars = manager._extra_vars, {}
            try:
                self.beneath = manager.get_vars(host=manager._inventory.get_host(self.host), include_hostvars=False)
            finally:
                manager._extra_vars = launched
        return self.beneath


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
