# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The server's model config file under serving_version_policy pinned, and the safe way from one to another. Pure.

The model has the label `stable`. A candidate has an entry and a name of its own, for under the model's name an unlabelled
request goes to the highest version that is loaded, whatever the labels say.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages

try:
    from google.protobuf import text_format
except ImportError:
    pass  # NEEDS of the action plugin has its name

KEY = "models.config"  # in the ConfigMap
LABEL = "stable"


class Model(NamedTuple):
    name: str
    base_path: str | None


class Config(NamedTuple):
    versions: tuple[int, ...]  # loaded under the model's name, ascending
    stable: int | None  # where the label points, None without one
    canary: int | None  # version of the candidate, None without one


def resting(stable: int, canary: int | None = None) -> Config:
    """The Config of a model when nothing is under way."""
    return Config((stable,), stable, canary)


def canary_name(model_name: str) -> str:
    return model_name + "-canary"


def message(config: Config, model: Model) -> Any:
    """As ModelServerConfig."""
    made = messages().ModelServerConfig()
    entry = _entry(made, model.name, model, config.versions)
    if config.stable is not None:
        entry.version_labels[LABEL] = config.stable
    if config.canary is not None:
        _entry(made, canary_name(model.name), model, (config.canary,))
    return made


def _entry(made: Any, name: str, model: Model, versions: Iterable[int]) -> Any:
    entry = made.model_config_list.config.add(name=name, base_path=model.base_path, model_platform="tensorflow")
    entry.model_version_policy.specific.versions.extend(versions)
    return entry


def to_text(config: Config, model: Model) -> str:
    return str(text_format.MessageToString(message(config, model), as_utf8=True))


def text_of(config_map: Mapping[str, Any]) -> str:
    """The text in a ConfigMap."""
    return str((config_map.get("data") or {}).get(KEY, ""))


def from_text(text: str, model: Model) -> Config:
    """The Config that was written for this model; Error for anything else, which is not ours to change.

    A base path of None is not compared.
    """
    found = _parsed(text)
    entries = {entry.name: entry for entry in found}
    for entry in found:
        if entry.name not in (model.name, canary_name(model.name)):
            raise _foreign("it names the model %r, and serving_model_name is %r" % (entry.name, model.name))
        if model.base_path is not None and entry.base_path != model.base_path:
            raise _foreign("its base path is %s, and serving_mount_path is %s" % (entry.base_path, model.base_path))
    versions, labels = _versions(entries, model.name), dict(entries[model.name].version_labels if model.name in entries else {})
    canary = _versions(entries, canary_name(model.name))
    if versions and labels.get(LABEL, versions[0]) not in versions:
        raise _foreign("the label %s is on version %d, and %s serves %s" % (
            LABEL, labels[LABEL], model.name, " and ".join(str(version) for version in versions)))
    if len(entries) != len(found) or not versions or len(canary) > 1 or set(labels) != {LABEL}:
        raise _foreign("it does not say which versions of %s are served, and which one is %s" % (model.name, LABEL))
    return Config(versions, labels[LABEL], canary[0] if canary else None)


def model_name(text: str) -> str:
    """Of a config that was written here."""
    labelled = [entry.name for entry in _parsed(text) if LABEL in entry.version_labels]
    if len(labelled) != 1:
        raise _foreign("it does not say which model has the label %s" % LABEL)
    return str(labelled[0])


def _parsed(text: str) -> Any:
    try:
        return text_format.Parse(text, messages().ModelServerConfig()).model_config_list.config
    except text_format.ParseError as error:
        raise _foreign("in line %s" % error) from error


def _versions(entries: Mapping[str, Any], name: str) -> tuple[int, ...]:
    return tuple(sorted(entries[name].model_version_policy.specific.versions)) if name in entries else ()


def _foreign(why: str) -> Error:
    return Error(
        "The model config in the ConfigMap RELEASE-model-config is not what this collection writes for this model: %s. Put that"
        " right, or delete the ConfigMap and run playbooks/site.yml, which makes a new one." % why, "model_config_foreign",
    )


def steps(current: Config, wanted: Config) -> list[Config]:
    """The Configs to walk from current to wanted, the last of which is wanted; each has to be reached everywhere first.

    Wherever the label goes, the version it leaves and the one it goes to are loaded. A walk that was interrupted goes
    on from where it is: a Config that was written need not have reached every replica.
    """
    if current.stable == wanted.stable:
        under_way = [current] if set(current.versions) > set(wanted.versions) and _is_wanted(current.canary, wanted) else []
        return under_way + [wanted]
    both = tuple(sorted({stable for stable in (current.stable, wanted.stable) if stable is not None}))
    canary = current.canary if _is_wanted(current.canary, wanted) else None
    return [Config(both, current.stable, canary), Config(both, wanted.stable, canary), wanted]


def _is_wanted(canary: int | None, wanted: Config) -> bool:
    """May the candidate stay for the time being? One that cannot be loaded must not keep the others from moving."""
    return canary in (None, wanted.stable, wanted.canary)


def sentence(config: Config, model: Model) -> str:
    """For people: mnist serves 1 and 2, stable is 1; mnist-canary serves 2."""
    text = "%s serves %s" % (model.name, " and ".join(str(version) for version in config.versions))
    if config.stable is not None:
        text += ", %s is %d" % (LABEL, config.stable)
    if config.canary is not None:
        text += "; %s serves %d" % (canary_name(model.name), config.canary)
    return text
