# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a host's variables, as people, surveys and -e write them, to the one record that everything goes by. Pure.

Every default, every derived name and path is decided here, and all that is wrong is said here, at once.
"""
from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Container, Iterable, Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import public_all
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings import rules
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.chart_values import (
    chart_values,
    saved_model_tags,
    server_release,
)
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import object_names
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import SECTIONS, Variable, variables
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.values import Unfit, blank

VARIABLES = variables()
PREFIXES = tuple(section + "_" for section in SECTIONS)

# Facts that one role hands to the next. A default may follow from them.
HANDED_ON = (
    "model_published", "model_versions", "model_withdrawn", "model_pruned", "model_look", "volume_result", "serving_status",
    "scaling_result", "check_result",
)


class Wrong(Error):
    """Everything that is wrong with the variables; details.problems has a dict of variable and message for each."""

    def __init__(self, problems: Mapping[str, str]):
        self.problems = dict(problems)
        texts = list(problems.values())
        message = texts[0] if len(texts) == 1 else "%d variables are wrong:\n%s" % (
            len(texts), "\n".join("- " + text for text in texts)
        )
        super().__init__(
            message, "settings_invalid", problems=[{"variable": name, "message": text} for name, text in problems.items()],
        )


class _Doubtful(Exception):
    """A default follows from a value that is wrong: it is not known, and that is nothing to be said."""


class Settled:
    """The settled value of each variable, worked out when it is asked for, and the problems met on the way.

    given: what the host has, by name. A blank answer means "not given".
    """

    def __init__(self, host: str, given: Mapping[str, Any]):
        self.host, self.given = host, given
        self.values: dict[str, Any] = {}
        self.problems: dict[str, str] = {}  # by variable, the first of each
        self.doubtful: set[str] = set()  # what follows from a wrong one
        self.sources: dict[str, list[str]] = {}  # what a default follows from

    def __call__(self, name: str) -> Any:
        if name == "inventory_hostname":
            return self.host
        if name in HANDED_ON:
            return self.given.get(name) or {}
        if name not in self.values:
            self.values[name] = self._settle(name, VARIABLES[name])
        return self.values[name]

    def wrong(self, name: str, way_out: str, value: Any = None) -> None:
        """Remember what is wrong with a variable. The value is the settled one unless it is given."""
        value = self(name) if value is None else value
        self.refuse(name, "%s is %r: %s." % (name, public_all(value), way_out))

    def refuse(self, name: str, sentence: str) -> None:
        self.problems.setdefault(name, sentence)

    def sound(self, *names: str) -> bool:
        """Whether these are right, so that more can be concluded from them."""
        for name in names:
            self(name)
        return not any(name in self.problems or name in self.doubtful for name in names)

    def section(self, name: str) -> Any:
        """The section's record. Its values are of their kinds where there are no problems."""
        record = SECTIONS[name]
        return record(**{field.name: self("%s_%s" % (name, field.name)) for field in dataclasses.fields(record)})

    def _settle(self, name: str, variable: Variable) -> Any:
        value = self.given.get(name)
        if not blank(value):
            try:
                return variable.kind.read(value)
            except Unfit as error:
                self.wrong(name, str(error), value)
                return value
        if name == "scaling_replicas" and name in self.given:
            return None  # null in an inventory is an answer
        return self._default(name, variable)

    def _default(self, name: str, variable: Variable) -> Any:
        if not callable(variable.default):
            return variable.default
        sources = self.sources[name] = []

        def of(other: str) -> Any:
            sources.append(other)
            if not self.sound(other):
                raise _Doubtful
            return self(other)

        try:
            value = variable.default(of)
            return value if blank(value) else variable.kind.read(value)
        except _Doubtful:
            self.doubtful.add(name)
        except Unfit as error:
            self.wrong(name, "%s. %s" % (error, _where_from(name, sources)), value)
            return value
        return None


def _where_from(name: str, sources: list[str]) -> str:
    """Of a default that will not do: where it comes from, and what to set."""
    if sources == ["inventory_hostname"]:
        return "It is the host's name in the inventory: set %s for this host, or rename it" % name
    return "It follows from %s: set %s, or change that" % (", ".join(sources), name)


def settle(
    host: str, given: Mapping[str, Any], sections: Iterable[str] = tuple(SECTIONS), required: Iterable[str] = (),
    hosts: Container[str] = (), together: bool = True,
) -> dict[str, dict[str, Any]]:
    """The settled sections of a host, by name, as plain data. Raises Wrong with all that is wrong in them.

    required: variables that have to be set, see needed_by(). hosts: the inventory's names, to look for model_node.
    together: whether they have to suit each other as well (rules.py). To see or remove what is there they need not.
    """
    settled = Settled(host, given)
    records = {name: settled.section(name) for name in sections}
    for name in records if together else ():
        rules.RULES[name](settled)
    for name in required:
        _refuse_missing(settled, name, hosts)
    if settled.problems:
        raise Wrong(settled.problems)
    return {name: {**dataclasses.asdict(record), **_derived(name, settled)} for name, record in records.items()}


def needed_by(sections: Iterable[str]) -> list[str]:
    """What the sections' roles cannot do without."""
    return [name for name, variable in VARIABLES.items() if variable.required and name.startswith(tuple(s + "_" for s in sections))]


def _refuse_missing(settled: Settled, name: str, hosts: Container[str]) -> None:
    if not settled.sound(name) or any(source in settled.problems for source in settled.sources.get(name, ())):
        return
    if blank(settled(name)):
        settled.refuse(name, "%s is not set. %s" % (name, VARIABLES[name].required))
    elif name == "model_node" and settled(name) not in hosts and not settled("model_node_variables"):
        settled.refuse(
            name, "model_node is %r, which is not in the inventory. %s In a slice of a job, where the node may be in another slice,"
            " give the model what is needed to reach it: model_node_variables: {ansible_host: ADDRESS}."
            % (settled(name), VARIABLES[name].required))


def _derived(section: str, settled: Settled) -> dict[str, Any]:
    """What follows from a section's variables and is nobody's choice."""
    if section == "model":
        image = "serving_gpu_image" if settled("serving_gpu") else "serving_image"
        release, _source = server_release(settled("serving_version"), settled(image)) \
            if settled.sound("serving_gpu", "serving_version", image) else (None, "")
        return {
            "saved_model_tags": saved_model_tags(settled("serving_args") if settled.sound("serving_args") else []),
            "server_release": "%d.%d" % release if release else "",
        }
    if section == "volume":
        return {"claim": object_names(settled("volume_release"))["claim"]}
    if section == "serving":
        return {
            "names": object_names(settled("serving_release")),
            "pinned": settled("serving_version_policy") == "pinned",
            "chart_values": chart_values(settled.section("serving")),
            # With what it is asked for versions, as role check asks it for answers.
            **{name: settled("check_" + name) for name in ("tls_ca_cert", "tls_client_cert", "tls_client_key", "tls_server_name")},
            # Of one version: its first load, after the minute for which an NFS client may remember the folder as it was.
            "load_timeout": settled("serving_start_timeout") + 60,
            # An autoscaler may take as long as the whole wait to add a GPU node.
            "unschedulable_timeout": settled(
                "serving_timeout" if settled("serving_gpu_preflight") == "warn" else "serving_pending_timeout"),
        }
    if section == "scaling":
        return {"deployment": object_names(settled("scaling_release"))["deployment"]}
    if section == "check":
        return {
            "served_name": settled("check_model_name") + ("-canary" if settled("check_candidate") else ""),
            "tls_client_secret": settled("serving_tls_client_secret"),
        }
    return {}


def misspelt(names: Iterable[str]) -> dict[str, str]:
    """A sentence for each name with one of our prefixes that is none of ours, but nearly one."""
    known = [*VARIABLES, *HANDED_ON]
    found = {}
    for name in sorted(names):
        prefix, rest = name.split("_", 1) if "_" in name else (name, "")
        if name.startswith(PREFIXES) and name not in known:
            # Compared without their prefixes, which would make all of a role alike. The own prefix goes first.
            ranked = sorted(known, key=lambda other: not other.startswith(prefix + "_"))
            nearest = difflib.get_close_matches(rest, [other.partition("_")[2] for other in ranked], 1, 0.75)
            if nearest:
                meant = next(other for other in ranked if other.partition("_")[2] == nearest[0])
                found[name] = "%s is no variable of this collection. Is it %s? Rename it, or give your own another prefix than %s_." % (
                    name, meant, prefix,
                )
    return found
