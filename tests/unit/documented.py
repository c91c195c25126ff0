"""What a module's documentation says of its options, and what an action plugin's argument spec does."""
from __future__ import annotations

import importlib

import yaml

OURS = "ansible_collections.mlops.tf_serving.plugins"
DEFAULTS = {"type": "str", "required": False, "default": None, "choices": None, "elements": None, "aliases": []}
BESIDE = {"description", "version_added", "no_log", "fallback", "options", "suboptions", "apply_defaults"}


def documented(name):
    """The options of a module, with those of its fragments."""
    documentation = yaml.safe_load(importlib.import_module("%s.modules.%s" % (OURS, name)).DOCUMENTATION)
    fragments = documentation.get("extends_documentation_fragment", [])
    options = {}
    for fragment in [fragments] if isinstance(fragments, str) else fragments:
        namespace, collection, file, *part = fragment.split(".")
        module = importlib.import_module("ansible_collections.%s.%s.plugins.doc_fragments.%s" % (namespace, collection, file))
        text = getattr(module.ModuleDocFragment, part[0].upper() if part else "DOCUMENTATION")
        options.update(yaml.safe_load(text).get("options") or {})
    return {**options, **(documentation.get("options") or {})}


def facts(option):
    assert set(option) <= {*DEFAULTS, *BESIDE}
    found = {key: option.get(key, default) for key, default in DEFAULTS.items()}
    return {**found, "aliases": sorted(found["aliases"]), "choices": found["choices"] and sorted(map(str, found["choices"]))}


def both(action):
    """(by the spec, by the documentation) of an action plugin's module."""
    name = action.__name__.rpartition(".")[2]
    return tuple({option: facts(value) for option, value in options.items()} for options in (
        action.ActionModule.SPEC, documented(name)))
