"""tests/mutants.py finds mistakes to make, and the tests that ought to notice them."""
from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from conftest import ROOT

SCRIPT = ROOT / "tests/mutants.py"
_spec = importlib.util.spec_from_file_location("mutants", SCRIPT)
mutants = importlib.util.module_from_spec(_spec)
sys.modules["mutants"] = mutants  # its NamedTuples look for their module
_spec.loader.exec_module(mutants)


def found(text):
    return sorted(mutation.becomes for mutation in mutants.Finder("x.py", text.encode()).found)


@pytest.mark.parametrize("text, becomes", [
    ("a < b", ["a <= b", "a >= b"]),
    ("a not in b", ["a in b"]),
    ("a is not b", ["a is b"]),
    ("a in 'abc'", ["a in 'ab'", "a not in 'abc'"]),
    ("a and b and c", ["a and b or c", "a or b and c"]),
    ("a + b", ["a - b"]),
    ("a = 1", ["a = 2"]),
    ("a = 100", ["a = 200"]),
    ("a = True", ["a = False"]),
    ("a = 'word'", ["a = 'wordX'"]),
    ("a = b'x'", ["a = b'xX'"]),
    ("a.b = c", ["pass"]),
    ("a += b", ["a -= b", "pass"]),
    ("f()", ["pass"]),
    ("a = f(b)", ["a = (b)"]),
    ("a = b.f()", ["a = (b)"]),
    ("a = f(b, c)", ["a = f(c, b)"]),
    ("def f(a=1, *, b=True):\n  return a", ["def f(a=1, *, b=False):", "def f(a=2, *, b=True):", "return None"]),
    ("if not a: pass", ["if a: pass"]),
    ("if a: pass", ["if (not (a)): pass"]),
    ("[a for a in b if a]", ["[a for a in b if (not (a))]"]),
    ("while a:\n  break", ["continue", "while (not (a)):"]),
    ("raise Error('No such thing', 'code') from None", ["pass", "raise Error('No such thing', 'codeX') from None",
                                                        "raise Error('code', 'No such thing') from None"]),
])
def test_what_is_mutated(text, becomes):
    assert found(text) == becomes


@pytest.mark.parametrize("text", [
    '"""Documentation."""',
    'class A:\n  "Documentation"',
    'def f():\n  "Documentation"',
    'DOCUMENTATION = "text"',
    "import a, b",
    "from a import b",
    "a: int | None",
    "def f(a: int | None) -> 'int': pass",
    "a = 'a sentence with blanks'",
    "a = '%s' % ('word',)",
    "# a comment 1 + 2",
    "a = f'{1}'",
])
def test_what_is_not(text):
    assert found(text) == []


def test_the_place_is_right_behind_characters_of_several_bytes():
    source = 'a = ["ü é",\n "ü é" < b]\n'.encode()
    first, second = mutants.Finder("x.py", source).found
    assert (first.line, first.was) == (2, '"ü é" < b]')
    assert mutants.replaced(source, second.edits).decode() == 'a = ["ü é",\n "ü é" >= b]\n'


def test_a_seed_means_the_same_mutations_each_line_once_first():
    sources = {"x.py": b"a = 1 < 2\nb = 3\n"}
    chosen = mutants.chosen(sources, 1, 100)
    assert chosen == mutants.chosen(sources, 1, 100)
    assert sorted(mutation.line for mutation in chosen[:2]) == [1, 2]
    assert sorted(mutation.becomes for mutation in chosen) == [
        "a = 1 < 3", "a = 1 <= 2", "a = 1 >= 2", "a = 2 < 2", "b = 4",
    ]
    assert mutants.chosen(sources, 1, 1) == chosen[:1]
    assert len({tuple(mutants.chosen(sources, seed, 100)) for seed in range(20)}) > 5


def test_what_does_not_compile_is_left_out():
    assert [one.becomes for one in mutants.chosen({"x.py": b"for a in b:\n  pass\nf()\n"}, 1, 10)] == ["pass"]
    assert mutants.compiles(mutants.Finder("x.py", b"f()\n").found[0], b"f()\n")
    broken = mutants.Mutation("x.py", 1, ((0, 3, "break"),), "", "")
    assert not mutants.compiles(broken, b"f()\n")


def test_the_tests_of_a_file():
    tests = mutants.tests_by_file(ROOT)
    room = "tests/unit/plugins/plugin_utils/client/"
    assert tests["plugins/plugin_utils/client/tensors.py"][:2] == [room + "test_tensors.py", room + "test_channel.py"]
    assert tests["plugins/lookup/dataset.py"][0] == "tests/unit/plugins/lookup/test_dataset_lookup.py"
    assert tests["plugins/filter/version_trial.py"] == ["tests/unit/plugins/filter/test_filters.py"]
    assert room + "test_requests.py" in tests["plugins/plugin_utils/client/arrays.py"], "by way of tensors"
    assert all(len(files) <= mutants.MOST_TEST_FILES for files in tests.values())


@pytest.fixture
def project(tmp_path):
    """A tree with one module and a copy of the tool; runs it, and gives {change: verdict} and all lines."""
    for name, text in {
        "plugins/sums.py": "def add(a, b):\n  return a + b\n\ndef spin(a, b):\n  while a < b:\n    a += 1\n  return a\n",
        "tests/unit/plugins/test_sums.py": (
            "import sys\nsys.path.insert(0, 'plugins')\nfrom sums import add, spin\n\n"
            "def test_that_fails():\n    assert False\n\ndef test_sums():\n    assert %s\n"
        ),
        mutants.EQUIVALENT:
            "- {file: plugins/sums.py, was: 'while a < b:', becomes: 'while a <= b:', why: for this test}\n",
        "tests/mutants.py": SCRIPT.read_text().replace("PATIENCE = 60", "PATIENCE = 3"),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)

    def run(test, *arguments):
        file = tmp_path / "tests/unit/plugins/test_sums.py"
        file.write_text(file.read_text() % test)
        before = (tmp_path / "plugins/sums.py").read_bytes()
        done = subprocess.run(
            [sys.executable, "tests/mutants.py", "--verbose", *arguments], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False,
        )
        assert done.returncode == 1, done.stdout  # for there is a test that fails
        assert (tmp_path / "plugins/sums.py").read_bytes() == before
        lines = done.stdout.splitlines()
        return {line.partition("  ")[2]: line.split()[0] for line in lines if "->" in line}, lines
    return run


@pytest.mark.long
def test_a_run(project):
    verdicts, lines = project("add(1, 1) == 2", "--workers", "2")
    assert lines[0].endswith("is left out: tests/unit/plugins/test_sums.py::test_that_fails")
    assert verdicts == {
        "return a + b  ->  return a - b": "killed", "return a + b  ->  return None": "killed",
        "while a < b:  ->  while a >= b:": "survived", "a += 1  ->  a -= 1": "survived", "a += 1  ->  pass": "survived",
        "a += 1  ->  a += 2": "survived", "return a  ->  return None": "survived",
    }
    assert lines[-2].split() == ["2", "of", "7", "killed", "plugins/sums.py"]
    assert "28.6 %" in lines[-1] and lines[-1].endswith("1 more are known to change nothing")


@pytest.mark.long
def test_what_does_not_end_is_ended(project):
    verdicts, dummy = project("spin(1, 3) == 3")
    assert (verdicts["a += 1  ->  pass"], verdicts["return a  ->  return None"]) == ("timeout", "killed")


@pytest.mark.long
def test_where_every_test_fails_nothing_is_killed(project):
    verdicts, dummy = project("add(1, 1) == 3")
    assert len(verdicts) == 7 and set(verdicts.values()) == {"survived"}


def test_the_command_lists():
    listed = subprocess.run(
        [sys.executable, SCRIPT, "--list", "--count", "3", "plugins/module_utils/errors.py"], check=True, stdout=subprocess.PIPE,
    ).stdout.decode().splitlines()
    assert len(listed) == 3 and all(line.startswith("plugins/module_utils/errors.py:") for line in listed)
