"""Do the unit tests notice when a line of plugins/ is wrong?

    .venv/bin/python tests/mutants.py [--seed 1] [--count 500] [--workers 1] [--list] [PATH...]

Picks seeded random mutations, each of one place in one line, runs the unit tests of the mutated file, and prints those that
survive. Every line that can be mutated is as likely as any other. The same tree, paths and seed give the same mutations.

What is mutated: comparisons, `and` and `or`, arithmetic, numbers, True and False, conditions (`not` put in or taken out),
returned and yielded values, statements and calls (left out), the order of arguments, break and continue, and words in
quotes that a program reads: keys, codes, names. What is not: documentation, comments, annotations, imports, and texts for
people, which is every string with a blank in it, all that is put into one with %, and the first argument of Error().

The tests of plugins/ROOM/NAME.py are tests/unit/plugins/ROOM/test_NAME*.py, FURTHER's, the test files that import it, and
those that import what imports it: eight at most, the nearest first. What fails without a mutation is left out, and said.
A mutation that no test can notice belongs into tests/mutants-equivalent.yml, with the reason.

Own code, for what there is does not fit: mutmut needs a package that lies where it is imported from, cosmic-ray starts a
new pytest for each mutation (two seconds of imports), mutatest has been given up. Here the imports are done once, and each
mutation is a fork of that process. It happens in a copy of the tree, and as root with everything else mounted read-only:
a mutated rmtree() goes anywhere.
"""
from __future__ import annotations

import argparse
import ast
import bisect
import collections
import compileall
import contextlib
import gc
import importlib
import itertools
import json
import os
import py_compile
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tokenize
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENT = "tests/mutants-equivalent.yml"
PREFIX = "ansible_collections.mlops.tf_serving."
# What does not follow from a test file's name or imports, by the beginning of the mutated file's path.
FURTHER: dict[str, list[str]] = {
    "plugins/filter/": ["tests/unit/plugins/filter/test_filters.py"],
    "plugins/action/": ["tests/unit/test_action_specs.py"],
    "plugins/module_utils/nas/lifecycle.py": ["tests/unit/plugins/module_utils/nas/test_versions.py"],
    "plugins/plugin_utils/specs.py": ["tests/unit/test_action_specs.py"],
    "plugins/plugin_utils/settings/": [
        "tests/unit/plugins/plugin_utils/settings/test_settle.py", "tests/unit/test_argument_specs.py",
    ],
}
MOST_TEST_FILES = 8  # of one file of plugins/: the nearest
PATIENCE = 60  # seconds that no test may take
MEMORY = 8 << 30
NO_TESTS = 5  # pytest's exit code where all were left out
NOT_CODE = {"DOCUMENTATION", "EXAMPLES", "RETURN", "__all__"}

SWAPS = {
    "==": ["!="], "!=": ["=="], "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
    "in": ["not in"], "not in": ["in"], "is": ["is not"], "is not": ["is"], "and": ["or"], "or": ["and"],
    "+": ["-"], "-": ["+"], "*": ["//"], "/": ["*"], "//": ["*"], "%": ["*"], "**": ["*"], "<<": [">>"], ">>": ["<<"],
    "&": ["|"], "|": ["&"], "^": ["&"],
    "+=": ["-="], "-=": ["+="], "*=": ["//="], "/=": ["*="], "//=": ["*="], "|=": ["&="], "&=": ["|="], "%=": ["*="],
    "<<=": [">>="], ">>=": ["<<="],
}


class Mutation(NamedTuple):
    path: str
    line: int
    edits: tuple[tuple[int, int, str], ...]  # (start, stop, text): offsets in the file's bytes
    was: str
    becomes: str

    def __str__(self) -> str:
        return "%s:%d  %s  ->  %s" % (self.path, self.line, self.was, self.becomes)


def replaced(source: bytes, edits) -> bytes:
    for start, stop, text in sorted(edits, reverse=True):
        source = source[:start] + text.encode() + source[stop:]
    return source


# --- what can be mutated ---

class Finder(ast.NodeVisitor):
    """Collects the mutations of a file in `found`."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source = path, source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.operators = list(self._operators())
        self.for_people = False
        self.found: list[Mutation] = []
        self.visit(ast.parse(source))

    def _operators(self):
        """(start, stop, text) of operators and words, `not in` and `is not` as one."""
        text = self.source.decode()
        last = None
        for token in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__):
            if token.type not in (tokenize.OP, tokenize.NAME):
                continue
            start, stop = (
                self.starts[row - 1] + len(token.line[:column].encode()) if token.start[0] == token.end[0] else -1
                for row, column in (token.start, token.end)
            )
            if last and (last[2], token.string) in (("not", "in"), ("is", "not")):
                last = (last[0], stop, last[2] + " " + token.string)
                continue
            if last:
                yield last
            last = (start, stop, token.string)
        if last:
            yield last

    def _start(self, node):
        return self.starts[node.lineno - 1] + node.col_offset

    def _stop(self, node):
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node):
        return self.source[self._start(node):self._stop(node)].decode()

    def _add(self, *edits):
        start, stop = min(edit[0] for edit in edits), max(edit[1] for edit in edits)
        line = bisect.bisect_right(self.starts, start)
        begin, end = self.starts[line - 1], self.starts[bisect.bisect_left(self.starts, stop)]
        was = self.source[begin:end]
        becomes = replaced(was, [(start - begin, stop - begin, text) for start, stop, text in edits])
        self.found.append(
            Mutation(self.path, line, edits, " ".join(was.decode().split()), " ".join(becomes.decode().split()))
        )

    def _replace(self, node, text):
        self._add((self._start(node), self._stop(node), text))

    def _swap(self, left_stop, right_start):
        """The operator between two operands."""
        first = bisect.bisect_left(self.operators, (left_stop,))
        for start, stop, text in itertools.takewhile(lambda one: one[1] <= right_start, self.operators[first:first + 100]):
            for other in SWAPS.get(text, ()):
                self._add((start, stop, other))

    def _negate(self, test):
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return  # is taken out elsewhere
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return  # as good as its operator's opposite
        self._add((self._start(test), self._start(test), "(not ("), (self._stop(test), self._stop(test), "))"))

    # Statements

    def _body(self, node):
        """Without its documentation string."""
        for number, statement in enumerate(node.body):
            if number or not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                self.visit(statement)

    def visit_Module(self, node):
        self._body(node)

    def visit_ClassDef(self, node):
        self._body(node)

    def visit_FunctionDef(self, node):
        for default in node.args.defaults + [value for value in node.args.kw_defaults if value]:
            self.visit(default)
        self._body(node)

    def visit_Import(self, node):
        pass

    def visit_ImportFrom(self, node):
        pass

    def visit_Assign(self, node):
        if any(isinstance(target, ast.Name) and target.id in NOT_CODE for target in node.targets):
            return
        if all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets):
            self._replace(node, "pass")
        self.generic_visit(node)

    def visit_AnnAssign(self, node):
        if node.value:
            self.visit(node.value)

    def visit_AugAssign(self, node):
        self._replace(node, "pass")
        self._swap(self._stop(node.target), self._start(node.value))
        self.generic_visit(node)

    def visit_Expr(self, node):
        if isinstance(node.value, ast.Call):
            self._replace(node, "pass")
        self.generic_visit(node)

    def visit_Raise(self, node):
        self._replace(node, "pass")
        self.generic_visit(node)

    def visit_Delete(self, node):
        self._replace(node, "pass")

    def visit_Break(self, node):
        self._replace(node, "continue")

    def visit_Continue(self, node):
        self._replace(node, "break")

    def visit_Return(self, node):
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._replace(node.value, "None")
        self.generic_visit(node)

    visit_Yield = visit_Return

    def visit_If(self, node):
        self._negate(node.test)
        self.generic_visit(node)

    visit_While = visit_IfExp = visit_If

    def visit_comprehension(self, node):
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    # Expressions

    def visit_Compare(self, node):
        for left, right in zip([node.left, *node.comparators], node.comparators):
            self._swap(self._stop(left), self._start(right))
        text = node.comparators[-1]
        if isinstance(node.ops[-1], (ast.In, ast.NotIn)) and isinstance(text, ast.Constant) and isinstance(text.value, str):
            self.visit(node.left)
            if len(text.value) > 1:
                self._replace(text, repr(text.value[:-1]))  # one letter more is never looked for
        else:
            self.generic_visit(node)

    def visit_BoolOp(self, node):
        for left, right in zip(node.values, node.values[1:]):
            self._swap(self._stop(left), self._start(right))
        self.generic_visit(node)

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
            self._for_people(node)
            return
        self._swap(self._stop(node.left), self._start(node.right))
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Not):
            self._replace(node, self._text(node.operand))
        self.generic_visit(node)

    def visit_Call(self, node):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        free = not any(isinstance(one, ast.Starred) for one in node.args)
        plain = free and not node.keywords
        if plain and len(node.args) < 2 and not name.endswith("Error"):  # no exception is a text
            instead = node.func.value if isinstance(node.func, ast.Attribute) else node.args[0] if node.args else None
            if instead is not None and not isinstance(instead, ast.Constant):
                self._replace(node, "(%s)" % self._text(instead))
        if free and name not in ("isinstance", "getattr", "hasattr"):
            for one, other in zip(node.args, node.args[1:]):
                if self._text(one) != self._text(other):
                    self._add(
                        (self._start(one), self._stop(one), self._text(other)),
                        (self._start(other), self._stop(other), self._text(one)),
                    )
        self.visit(node.func)
        for number, argument in enumerate(node.args):
            if name == "reshape" and self._text(argument) == "-1":
                pass  # every negative length means the same
            elif number == 0 and name.endswith("Error"):
                self._for_people(argument)
            else:
                self.visit(argument)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def _for_people(self, node):
        before, self.for_people = self.for_people, True
        self.generic_visit(node) if isinstance(node, ast.BinOp) else self.visit(node)
        self.for_people = before

    def visit_JoinedStr(self, node):
        pass

    def visit_Constant(self, node):
        value = node.value
        if value is True or value is False:
            self._replace(node, str(not value))
        elif isinstance(value, (int, float)):
            self._replace(node, repr(value + 1 if isinstance(value, int) and value < 100 else value * 2 or 1.0))
        elif isinstance(value, bytes):
            self._replace(node, repr(value + b"X"))
        elif isinstance(value, str) and not self.for_people and not re.search(r"\s", value) and self._text(node)[0] in "\"'":
            self._replace(node, repr(value + "X"))


def chosen(sources: dict[str, bytes], seed: int, count: int) -> list[Mutation]:
    """Line by line in random order, one mutation of each; then further ones, until there are enough."""
    lottery = random.Random(seed)
    lines = collections.defaultdict(list)
    for path, source in sources.items():
        for mutation in Finder(path, source).found:
            lines[path, mutation.line].append(mutation)
    order = sorted(lines)
    lottery.shuffle(order)
    for line in order:
        lottery.shuffle(lines[line])
    rounds = range(max(map(len, lines.values()), default=0))
    candidates = (lines[line][number] for number in rounds for line in order if number < len(lines[line]))
    return list(itertools.islice((one for one in candidates if compiles(one, sources[one.path])), count))


def compiles(mutation: Mutation, source: bytes) -> bool:
    """A `continue` outside of a loop does not."""
    try:
        compile(replaced(source, mutation.edits), mutation.path, "exec")
    except SyntaxError:
        return False
    return True


# --- which tests ---

def imported(path: Path) -> set[str]:
    """The names of modules that a file imports, or may: `from x import y` may mean a module y or a name in x."""
    names = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *("%s.%s" % (node.module, alias.name) for alias in node.names)}
    return names


def tests_by_file(root: Path) -> dict[str, list[str]]:
    """{file of plugins/: its test files, the nearest first}"""
    unit = root / "tests/unit"
    helpers = {path.stem: imported(path) for path in unit.glob("*.py")}
    imports = {}
    for path in sorted(unit.rglob("test_*.py")):
        direct = imported(path)
        imports[path.relative_to(root).as_posix()] = direct.union(*(helpers[name] for name in direct & set(helpers)))
    plugins = {
        path.relative_to(root).as_posix(): imported(path) for path in sorted((root / "plugins").rglob("*.py"))
    }
    found = {}
    for name in plugins:
        folder, stem = "tests/unit/%s/" % os.path.dirname(name), os.path.basename(name)[:-3]
        mirror = [test for test in imports if re.fullmatch(r"%stest_%s(_\w+)?\.py" % (folder, stem), test)]
        further = [test for start, tests in FURTHER.items() if name.startswith(start) for test in tests if test in imports]
        direct = _importers(imports, {module_of(name)}, folder)
        users = {module_of(other) for other, modules in plugins.items() if module_of(name) in modules}
        found[name] = list(dict.fromkeys([*mirror, *further, *direct, *_importers(imports, users, folder)]))[:MOST_TEST_FILES]
    return found


def module_of(name: str) -> str:
    return PREFIX + name[:-3].replace("/", ".")


def _importers(imports: dict[str, set[str]], wanted: set[str], folder: str) -> list[str]:
    """Test files that import one of these modules, those of this folder first."""
    return sorted((test for test in imports if imports[test] & wanted), key=lambda test: (not test.startswith(folder), test))


# --- running them ---

def copy_tree(to: Path) -> None:
    """What git has or would take, as it lies here now, with its code compiled. Nothing is compiled there later on."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, stdout=subprocess.PIPE,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if os.path.isfile(ROOT / name):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    # By their content: two mutations of one second and one length are not the same.
    compileall.compile_dir(to / "plugins", quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)


def pytest_here(tree: Path, arguments: list[str], keep_compiled: bool = False, plugins: tuple[object, ...] = ()) -> int:
    """Run pytest in this process, which is a fork made for it."""
    os.setpgid(0, 0)
    os.chdir(tree)
    output = os.open(tree / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.dont_write_bytecode = not keep_compiled
    import pytest

    with contextlib.suppress(ImportError):
        import hypothesis

        hypothesis.settings.register_profile("mutants", derandomize=True, database=None, deadline=None)
        hypothesis.settings.load_profile("mutants")
    return pytest.main([
        "-q", "-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin", "--basetemp=%s" % (tree / "t"), *arguments,
    ], plugins=plugins)


def forked(work) -> int:
    """The process id of a fork that ends with what `work` returns."""
    process = os.fork()
    if process:
        return process
    code = 99
    try:
        code = int(work())
    finally:
        sys.stdout.flush()
        os._exit(code)


def ended(process: int, limit: float) -> int | None:
    """The exit code (negative: a signal), None after so many seconds; all processes that it began are ended."""
    deadline = time.monotonic() + limit
    code = None
    while code is None and time.monotonic() < deadline:
        code = looked(process)
        time.sleep(0.02)
    stop(process, code)
    return code


def looked(process: int) -> int | None:
    found, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def stop(process: int, code: int | None) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)
    if code is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def warm_up(tree: Path, tests: list[str]) -> None:
    """Import what the tests import from elsewhere, so that each fork has it already."""
    names = tree / "names"

    def collect():
        pytest_here(tree, ["--collect-only", *tests], keep_compiled=True)
        libraries = (sys.prefix, sys.base_prefix)
        names.write_text(json.dumps([
            name for name, module in list(sys.modules.items())
            if str(getattr(module, "__file__", None) or "").startswith(libraries) and not name.startswith("ansible_collections")
        ]))
        return 0

    ended(forked(collect), 300)
    for name in json.loads(names.read_text()):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.freeze()  # or the collector writes to every page that the forks share


class Failures:
    """A plugin of pytest: what does not pass."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.names.append(report.nodeid)

    def pytest_collectreport(self, report):
        if report.failed:
            self.names.append(report.nodeid)


def arguments(test: str, failures: list[str]) -> list[str]:
    """For pytest, to run what passes."""
    return [] if test in failures else [test, *("--deselect=" + name for name in failures)]


def failing(tree: Path, test: str) -> list[str]:
    """What fails without a mutation: tests, or the file itself where it cannot be imported."""
    names = tree / "names"
    names.unlink(missing_ok=True)

    def look():
        failures = Failures()
        code = pytest_here(tree, [test], keep_compiled=True, plugins=(failures,))
        names.write_text(json.dumps(sorted(set(failures.names)) or ([test] if code else [])))
        return 0

    ended(forked(look), 600)
    found = json.loads(names.read_text()) if names.exists() else [test]
    if found:
        more = ", and %d more" % (len(found) - 3) if len(found) > 3 else ""
        print("Fails without a mutation, and is left out: %s%s" % ("\n  ".join(found[:3]), more), flush=True)
    return found


class Trial:
    """The tests of one mutation, in a fork."""

    def __init__(self, mutation: Mutation, tree: Path, tests: list[str]) -> None:
        self.mutation, self.tree = mutation, tree
        self.file = tree / mutation.path
        self.source = self.file.read_bytes()
        self.file.write_bytes(replaced(self.source, mutation.edits))
        self.output = tree / "output"
        self.output.unlink(missing_ok=True)
        self.size, self.since = -1, time.monotonic()
        self.process = forked(lambda: pytest_here(tree, ["-x", *tests]))

    def verdict(self) -> str | None:
        """None while it runs. pytest says something with every test: what says nothing for so long does not end."""
        code = looked(self.process)
        size = self.output.stat().st_size if self.output.exists() else 0
        if size != self.size:
            self.size, self.since = size, time.monotonic()
        if code is None and time.monotonic() < self.since + PATIENCE:
            return None
        stop(self.process, code)
        self.file.write_bytes(self.source)
        if code is None:
            return "timeout"
        return "survived" if code in (0, NO_TESTS) else "killed"


def verdicts(trees, todo, tests, failures):
    """(mutation, "killed", "timeout" or "survived") as they come; one at a time in each tree."""
    todo = list(todo)
    free, running = list(trees), []
    try:
        while todo or running:
            while todo and free:
                mutation = todo.pop(0)
                wanted = [one for test in tests[mutation.path] for one in arguments(test, failures[test])]
                if wanted:
                    running.append(Trial(mutation, free.pop(), wanted))
                else:
                    yield mutation, "survived"
            for trial in list(running):
                verdict = trial.verdict()
                if verdict:
                    running.remove(trial)
                    free.append(trial.tree)
                    yield trial.mutation, verdict
            time.sleep(0.02)
    finally:
        for trial in running:
            stop(trial.process, None)


# --- the command ---

def equivalents(root: Path) -> set[tuple[str, str, str]]:
    import yaml

    file = root / EQUIVALENT
    entries = yaml.safe_load(file.read_text()) or [] if file.exists() else []
    return {(entry["file"], entry["was"], entry["becomes"]) for entry in entries}


def files(root: Path, paths: list[str]) -> list[str]:
    found: list[Path] = []
    for path in paths or [str(ROOT / "plugins")]:
        whole = root / Path(path).resolve().relative_to(ROOT)
        if not whole.exists():
            sys.exit("There is no " + path)
        found += sorted(whole.rglob("*.py")) if whole.is_dir() else [whole]
    return [path.relative_to(root).as_posix() for path in dict.fromkeys(found)]


def run(options, scratch: Path) -> int:
    trees = [scratch / str(number) for number in range(options.workers)]
    copy_tree(trees[0])
    names = files(trees[0], options.paths)
    todo = chosen({name: (trees[0] / name).read_bytes() for name in names}, options.seed, options.count)
    known = equivalents(trees[0])
    same = [mutation for mutation in todo if (mutation.path, mutation.was, mutation.becomes) in known]
    todo = [mutation for mutation in todo if mutation not in same]
    if options.list:
        print(*todo, sep="\n")
        return 0
    tests = tests_by_file(trees[0])
    wanted = sorted({test for mutation in todo for test in tests[mutation.path]})
    for name in sorted({mutation.path for mutation in todo if not tests[mutation.path]}):
        print("Has no tests: " + name)
    if wanted:
        warm_up(trees[0], wanted)
    failures = {test: failing(trees[0], test) for test in wanted}
    for tree in trees[1:]:
        shutil.copytree(trees[0], tree, symlinks=True)
    counts = collections.defaultdict(collections.Counter)
    for number, (mutation, verdict) in enumerate(verdicts(trees, todo, tests, failures), 1):
        counts[mutation.path][verdict] += 1
        if verdict != "killed" or options.verbose:
            print("%s %d/%d %s" % (verdict, number, len(todo), mutation), flush=True)
    report(counts, len(same))
    return int(any(failures.values()))


def report(counts, same: int) -> None:
    total = collections.Counter()
    for name, count in sorted(counts.items()):
        total.update(count)
        print("%4d of %4d killed  %s" % (count["killed"] + count["timeout"], sum(count.values()), name))
    every, killed = sum(total.values()), total["killed"] + total["timeout"]
    print("%4d of %4d killed, %.1f %% (%d of them by the time limit); %d more are known to change nothing" % (
        killed, every, 100 * killed / every if every else 0, total["timeout"], same,
    ))


def protect(scratch: Path) -> None:
    """In this mount namespace of our own, nothing can be written but in the scratch folder and in a /tmp that lies there."""
    subprocess.run(["mount", "--bind", scratch, scratch], check=True)
    if not ROOT.is_relative_to("/tmp"):
        subprocess.run(["mount", "--bind", scratch / "home", "/tmp"], check=True)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place = line.split()[1]
        if not re.match(r"/(proc|sys|dev)\b", place) and place not in (str(scratch), "/tmp"):
            subprocess.run(["mount", "-o", "remount,bind,ro", place], check=False, stderr=subprocess.DEVNULL)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--workers", type=int, choices=(1, 2), default=1)
    parser.add_argument("--list", action="store_true", help="show the mutations, run nothing")
    parser.add_argument("--verbose", action="store_true", help="show those that are killed too")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", metavar="PATH")
    return parser.parse_args(arguments)


def main() -> int:
    options = parsed()
    if options.inside:
        if options.inside.stat().st_uid == 0:
            protect(options.inside)
        return run(options, options.inside)
    with tempfile.TemporaryDirectory(prefix="mutants-", dir="/var/tmp") as scratch:
        home = Path(scratch, "home")
        home.mkdir()
        environment = {
            **os.environ, "PYTHONHASHSEED": "0", "HOME": str(home), "TMPDIR": str(home), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = [sys.executable, __file__, "--inside", scratch, *sys.argv[1:]]
        if os.geteuid() == 0:
            command[:0] = ["unshare", "--mount", "--propagation", "private"]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
