"""meta/argument_specs.yml says of each variable what the record says: its type, its default, its choices."""
from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import SECTIONS

ROLES = Path(__file__).resolve().parents[2] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())


def load(role, path):
    return yaml.safe_load((ROLES / role / path).read_text())


def entries(role):
    return load(role, "meta/argument_specs.yml")["argument_specs"]


def documented(role):
    """All options of all entry points."""
    return {name: option for entry in entries(role).values() for name, option in entry["options"].items()}


def recorded(role):
    return {"%s_%s" % (role, field.name): field.metadata["variable"] for field in dataclasses.fields(SECTIONS[role])}


def test_a_section_for_each_role():
    assert NAMES == sorted(SECTIONS) == ["check", "model", "scaling", "serving", "volume"]


@pytest.mark.parametrize("role", NAMES)
class TestRole:
    def test_every_variable_is_documented_and_every_documented_one_is_a_variable(self, role):
        assert set(documented(role)) == set(recorded(role))

    def test_types_and_choices_are_the_functions(self, role):
        for name, variable in recorded(role).items():
            option = documented(role)[name]
            assert option["type"] == variable.kind.type, name
            assert option.get("elements") == variable.kind.elements, name
            assert tuple(option.get("choices", ())) == variable.kind.choices, name
            assert option["description"], name

    def test_few_are_raw(self, role):
        raw = {name for name, option in documented(role).items() if option["type"] == "raw"}
        assert raw <= {"scaling_replicas", "check_dataset"}

    def test_defaults_are_the_functions_or_said_in_words(self, role):
        for name, variable in recorded(role).items():
            option = documented(role)[name]
            if not callable(variable.default):
                assert option.get("default") == variable.default, name
            elif "default" in option:
                # Follows from nothing: a function only because a list or a mapping must not be shared.
                assert option["default"] == variable.default(None), name
            else:
                text = " ".join(option["description"]) if isinstance(option["description"], list) else option["description"]
                assert re.search(r"\b([Tt]he default|is\s+the default)\b|mpty means|Without it", text), name

    def test_no_variable_is_required_by_type(self, role):
        """Ansible would refuse an absent one in its own words."""
        assert not [name for name, option in documented(role).items() if option.get("required")]

    def test_entry_points_share_their_variables(self, role):
        shared = entries(role)["main"]["options"]
        assert {"main", "preflight"} <= entries(role).keys()
        for name, entry in entries(role).items():
            assert shared.items() <= entry["options"].items(), name
            assert entry["short_description"] and entry["author"], name

    def test_entry_points_are_files_that_exist(self, role):
        for entry in entries(role):
            assert (ROLES / role / "tasks" / (entry + ".yml")).is_file()

    def test_the_role_has_no_default_of_its_own_and_one_variable(self, role):
        assert not (ROLES / role / "defaults").exists()
        assert load(role, "vars/main.yml") == {"__%s_settings" % role: "{{ lookup('mlops.tf_serving.settings', '%s') }}" % role}

    def test_readme_names_the_entry_points(self, role):
        readme = (ROLES / role / "README.md").read_text()
        assert all("`%s`" % entry in readme for entry in entries(role))
