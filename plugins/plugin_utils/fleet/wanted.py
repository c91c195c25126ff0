# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every model of a play should be: the record of each, and what is wrong with the variables of some."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.template import Templar

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.across_hosts import in_common
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.host_variables import HostVariables
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import SECTIONS
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import Settled, Wrong, misspelt, needed_by

Settings = dict[str, dict[str, Any]]


class Fleet:
    """hostvars: Ansible's own. Each host's variables are read once, and a template is worked out where there is one."""

    def __init__(self, hosts: Sequence[str], hostvars: Any, loader: Any):
        self.hosts, self.hostvars = hosts, hostvars
        self.variables = {host: _variables(host, hostvars, loader) for host in hosts}
        self.settled = {host: Settled(host, variables) for host, variables in self.variables.items()}
        self.groups: dict[tuple[str, ...], dict[str, list[str]]] = {}

    def records(self) -> tuple[dict[str, Settings], dict[str, Error]]:
        """(the records by model, what is wrong with the variables of the others)"""
        records: dict[str, Settings] = {}
        wrong: dict[str, Error] = {}
        for host in self.hosts:
            try:
                records[host] = self.wanted(host)
            except Error as error:
                wrong[host] = error
        return records, wrong

    def wanted(self, host: str) -> Settings:
        """The record of a model; an Error with all that is wrong in its variables."""
        variables = self.variables[host]
        problems, settings = misspelt(variables), Settings()
        try:
            settings = variables.settle(SECTIONS, needed_by(SECTIONS), together=True)
        except Wrong as wrong:
            problems = {**wrong.problems, **problems}
        problems.update(in_common(settings, lambda *names: self._alike(host, names), variables.launched(), False, True))
        if problems:
            raise Wrong(problems)
        return settings

    def named(self, host: str, names: Sequence[str]) -> dict[str, Any]:
        """The settled values of these variables; an Error with what is wrong in them."""
        settled = self.settled[host]
        values = {name: settled(name) for name in names}
        if not settled.sound(*names):
            raise Wrong(settled.problems)
        return values

    def releases(self, hosts: Iterable[str]) -> set[tuple[str, str]]:
        """(namespace, name) of their releases, as far as they can be told."""
        found = (self._values(host, ("serving_namespace", "serving_release")) for host in hosts)
        return {(values[0], values[1]) for values in found if values}

    def _alike(self, host: str, names: tuple[str, ...]) -> list[str]:
        """The models for which these variables are the same as for this one."""
        if names not in self.groups:
            groups = self.groups[names] = defaultdict(list)
            for each in self.hosts:
                groups[self._key(each, names)].append(each)
        return self.groups[names][self._key(host, names)]

    def _key(self, host: str, names: tuple[str, ...]) -> str:
        values = self._values(host, names)
        return host if values is None else repr(values)

    def _values(self, host: str, names: tuple[str, ...]) -> list[Any] | None:
        """None where they cannot be worked out, of which the model's own plan tells."""
        try:
            return [self.settled[host](name) for name in names]
        except Error:
            return None


def _variables(host: str, hostvars: Any, loader: Any) -> HostVariables:
    variables = {**hostvars.raw_get(host), "hostvars": hostvars}
    return HostVariables(variables, _Templates(loader, variables))


class _Templates:
    """A templar that is made where there is a template."""

    def __init__(self, loader: Any, variables: Mapping[str, Any]):
        self.loader, self.variables = loader, variables

    def template(self, value: Any) -> Any:
        return Templar(self.loader, variables=self.variables).template(value)
