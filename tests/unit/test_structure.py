"""The house keeps its shape: YAML holds no rules, rooms lead downward, what travels to the node is the standard library's."""
from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
YAML = sorted(path for folder in ("roles", "playbooks") for kind in ("*.yml", "*.j2") for path in (ROOT / folder).rglob(kind))
PLUGINS = "ansible_collections.mlops.tf_serving.plugins."
# From the ground up. What stands in one list may know those before it, and neither each other nor those after it.
ROOMS = [["settings"], ["cluster", "client", "awx"], ["check"], ["serving", "report"], ["fleet"]]
# What travels to the node, how a signal ends something, and what those who wait are shown is everybody's ground.
GROUND = {"module_utils", "plugin_utils.interruption", "plugin_utils.waiting"}


def text(path):
    """Without its comments."""
    return re.sub(r"(^|\s)#.*", "", path.read_text())


def found(pattern):
    return ["%s: %s" % (path.relative_to(ROOT), match.group(0)) for path in YAML for match in re.finditer(pattern, text(path))]


def imports(path):
    """Full names of what a file imports anywhere, but for the eyes of a type checker only."""
    tree, names = ast.parse(path.read_text()), set()
    unseen = {inner for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
              for inner in ast.walk(node)}
    for node in set(ast.walk(tree)) - unseen:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "%s imports relatively" % path
            names.update("%s.%s" % (node.module, alias.name) for alias in node.names)
    return names


def test_there_is_something_to_look_at():
    assert len(YAML) > 30


def test_no_default_stands_within_a_default():
    assert found(r"default\([^()]*(\([^()]*\)[^()]*)*default\(") == []


def test_hardly_anything_is_left_out_by_default():
    assert len(found(r"default\(\s*omit")) <= 5, found(r"default\(\s*omit")


@pytest.mark.parametrize("role", sorted(path.name for path in (ROOT / "roles").iterdir()))
def test_what_a_role_keeps_to_itself_is_asked_for_nowhere_else(role):
    elsewhere = [path for path in YAML if ROOT / "roles" / role not in path.parents]
    assert ["%s: %s" % (path.relative_to(ROOT), name) for path in elsewhere for name in re.findall(r"__%s_\w+" % role, text(path))] == []


def test_no_role_takes_a_variable_of_its_own_from_a_playbook():
    """Names with two underscores that playbooks set are the playbooks' own: no role reads them."""
    of_playbooks = {name for path in YAML if "playbooks" in path.parts for name in re.findall(r"\b__\w+", text(path))}
    of_roles = {name for path in YAML if "roles" in path.parts for name in re.findall(r"\b__\w+", text(path))}
    assert of_playbooks & of_roles == set()


def test_what_travels_to_the_node_imports_the_standard_library():
    for path in (ROOT / "plugins" / "module_utils").rglob("*.py"):
        others = {
            name for name in imports(path) if name.split(".")[0] not in sys.stdlib_module_names
            and not name.startswith((PLUGINS + "module_utils.", "ansible.module_utils.basic."))}
        assert others == set(), path


def test_files_for_the_node_are_files_of_an_old_python():
    for path in (ROOT / "plugins" / "module_utils").rglob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 6))
        assert "from __future__ import annotations" not in path.read_text(), "%s: that came with 3.7" % path


def rooms(path):
    """Names below plugins/ of what a file of plugin_utils imports from the collection."""
    return {name[len(PLUGINS):] for name in imports(path) if name.startswith(PLUGINS)}


@pytest.mark.parametrize("room", [room for floor in ROOMS for room in floor])
def test_rooms_lead_downward(room):
    level = next(level for level, floor in enumerate(ROOMS) if room in floor)
    below = {"plugin_utils." + name for floor in ROOMS[:level] for name in floor} | {"plugin_utils." + room} | GROUND
    files = sorted((ROOT / "plugins" / "plugin_utils" / room).rglob("*.py"))
    assert files
    arrows = {
        "%s -> %s" % (path.name, name) for path in files for name in rooms(path)
        if not any((name + ".").startswith(place + ".") for place in below)}
    assert arrows == set()


def test_every_room_is_known():
    there = {path.name for path in (ROOT / "plugins" / "plugin_utils").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert there == {room for floor in ROOMS for room in floor}


def test_no_circle_within_a_room():
    """Python would import half a file."""
    graph = {}
    for path in (ROOT / "plugins").rglob("*.py"):
        own = ".".join(path.relative_to(ROOT / "plugins").with_suffix("").parts)
        graph[own] = {name[len(PLUGINS):] for name in imports(path) if name.startswith(PLUGINS)}
    files = set(graph)
    graph = {own: {name if name in files else name.rpartition(".")[0] for name in names} & files for own, names in graph.items()}
    while graph:
        free = {name for name, needs in graph.items() if not needs & set(graph)}
        assert free, "a circle among %s" % sorted(graph)
        for name in free:
            del graph[name]


def test_the_node_needs_nothing_of_the_controller():
    """A module that runs on the node imports module_utils only."""
    for path in (ROOT / "plugins" / "modules").glob("*.py"):
        ours = {name[len(PLUGINS):] for name in imports(path) if name.startswith(PLUGINS)}
        assert all(name.startswith("module_utils.") for name in ours), path
