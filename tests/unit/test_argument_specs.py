"""defaults/main.yml says what meta/argument_specs.yml says: same variables, same values, all described."""
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())
TYPES = {"bool", "dict", "float", "int", "list", "path", "raw", "str"}


def load(role, path):
    return yaml.safe_load((ROLES / role / path).read_text())


def options(role, entry="main"):
    return load(role, "meta/argument_specs.yml")["argument_specs"][entry]["options"]


def test_the_five_roles():
    assert NAMES == ["check", "model", "scaling", "serving", "volume"]


@pytest.mark.parametrize("role", NAMES)
class TestRole:
    def test_defaults_and_specs_agree(self, role):
        specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
        assert load(role, "defaults/main.yml") == specified

    def test_every_variable_has_the_roles_prefix_a_type_and_a_description(self, role):
        for name, option in options(role).items():
            assert name.startswith(role + "_"), name
            assert option["type"] in TYPES, name
            assert option["description"], name

    def test_no_variable_is_required_by_type(self, role):
        """Ansible would refuse an absent one in its own words, and take '' for an answer."""
        assert not [name for name, option in options(role).items() if option.get("required")]

    def test_what_a_survey_may_leave_empty_is_no_number_and_no_choice(self, role):
        """Validation would refuse ''. The modules say what is wrong with a number or a word."""
        for name, option in options(role).items():
            assert option["type"] in ("raw", "str", "path"), name
            assert "choices" not in option, name

    def test_entry_points_share_their_variables(self, role):
        specs = load(role, "meta/argument_specs.yml")["argument_specs"]
        assert {"main", "preflight"} <= specs.keys()
        assert all(spec["options"] == specs["main"]["options"] for spec in specs.values())
        assert all(spec["short_description"] and spec["author"] for spec in specs.values())

    def test_entry_points_are_files_that_exist(self, role):
        for entry in load(role, "meta/argument_specs.yml")["argument_specs"]:
            assert (ROLES / role / "tasks" / (entry + ".yml")).is_file()

    def test_vars_are_internal(self, role):
        path = ROLES / role / "vars" / "main.yml"
        if path.is_file():
            assert all(name.startswith("__%s_" % role) for name in yaml.safe_load(path.read_text()))

    def test_readme_names_the_entry_points(self, role):
        readme = (ROLES / role / "README.md").read_text()
        assert all("`%s`" % entry in readme for entry in load(role, "meta/argument_specs.yml")["argument_specs"])
