"""Random lives of a model: whatever was done, killed and broken by hand, status says what is, and no version that never passed its
check serves after a run that ended well without saying so."""
from __future__ import annotations

import ast
import inspect
import json
import random
import re
import tempfile
import textwrap
from pathlib import Path

import pytest
import walks
import yaml
from walks import BAD, BROKEN, GOOD, HANGS, LATE, RIGHT, Clock, Killed, Playbooks, World, archive

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import promotion, replica_versions

ROOT = Path(__file__).resolve().parents[2]
LENGTH = 9  # things that happen in a walk
FILES = {
    "site": "playbooks/site.yml", "steps": "playbooks/tasks/steps.yml", "unchanged": "playbooks/tasks/unchanged.yml",
    "results": "playbooks/tasks/results.yml", "publish": "playbooks/publish.yml", "promote": "playbooks/promote.yml",
    "rollback": "playbooks/rollback.yml", "tell": "playbooks/status.yml", "new_version": "playbooks/tasks/new_version.yml",
    "try_version": "playbooks/tasks/try_version.yml", "failed_trial": "playbooks/tasks/failed_trial.yml",
    "failed_rollout": "playbooks/tasks/failed_rollout.yml", "go_back": "playbooks/tasks/go_back.yml",
    "withdraw": "playbooks/tasks/withdraw.yml", "show_versions": "playbooks/tasks/show_versions.yml",
    "serving": "roles/serving/tasks/main.yml",
    "serving_upgrade": "roles/serving/tasks/upgrade.yml", "serving_pin": "roles/serving/tasks/pin.yml",
    "serving_settle": "roles/serving/tasks/settle.yml", "serving_candidate": "roles/serving/tasks/candidate.yml",
    "serving_promote": "roles/serving/tasks/promote.yml",
}


# --- the steps of the driver are those of the playbooks ---

def steps_of(tasks):
    """(action, condition) of each task of a file, blocks and what rescues them included, whose condition is not told again."""
    for task in tasks:
        action, arguments = next(
            ((name.rpartition(".")[2], value) for name, value in task.items() if "." in name), (None, None))
        when = task.get("when", [])
        condition = " and ".join(when if isinstance(when, list) else [when])
        for part in ("tasks", "block", "rescue", "always"):
            yield from steps_of(task.get(part, ()))
        if action in ("import_role", "include_role"):
            role = arguments["name"].rpartition(".")[2]
            yield ("%s/%s" % (role, arguments["tasks_from"]) if "tasks_from" in arguments else role), condition
        elif action in ("import_tasks", "include_tasks", "import_playbook"):
            yield arguments.rpartition("/")[2], condition
        elif action:
            yield action, condition


def steps_in(method):
    """The same of a method of Playbooks, in the order in which they stand there."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(Playbooks, method))))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "step"]
    for call in sorted(calls, key=lambda call: call.lineno):
        yield call.args[0].value, call.keywords[0].value.value if call.keywords else ""


@pytest.mark.parametrize("method", FILES)
def test_the_driver_takes_the_steps_of_the_file(method):
    assert list(steps_in(method)) == list(steps_of(yaml.safe_load((ROOT / FILES[method]).read_text())))


# --- an eye of its own ---

class Eye:
    """What is, by the folders, the records and the servers' memory; no code of the collection."""

    def __init__(self, world):
        base = world.base
        names = [path.name for path in base.iterdir()] if base.is_dir() else []
        self.live = {int(name) for name in names if name.isdigit()}
        self.records = {
            int(path.stem): json.loads(path.read_text()) for path in sorted((base / ".provenance").glob("*.json"))}
        self.pods = [server.available("mnist") | server.available("mnist-canary") if server.ready else set()
                     for server in [*world.servers, *world.starting]]
        self.serving = {max(server.available("mnist")) for server in world.servers if server.available("mnist")}

    def passed(self, version):
        return bool(self.records.get(version, {}).get("checked"))


def rows(lines):
    """{version: [cells]} of the table that status prints."""
    cells = [line.split() for line in lines if line[:1].isdigit()]
    return {int(row[0]): row[1:] for row in cells}


def compare(world, story):
    """status.yml against the eye."""
    world.network_down = False
    world.rest()
    playbooks = Playbooks(world)
    assert playbooks.run("tell") is None, story
    world.tick()
    eye, said = Eye(world), playbooks.said
    shown, remarks = rows(said), "\n".join(line for line in said if line.startswith("remark"))
    assert {version for version, row in shown.items() if row[0] in ("live", "unfinished")} == eye.live, story
    for version, row in shown.items():
        state, checked, number, _of, total = row[:5]
        record = eye.records.get(version, {})
        assert (int(number), int(total.rstrip("?"))) == (sum(version in pod for pod in eye.pods), len(eye.pods)), (story, said)
        if version in eye.live:
            assert checked == (record.get("checked") or "never"), (story, said)
            assert (state == "unfinished") <= bool(record.get("withdrawn")), (story, said)
        elif state in ("withdrawn", "pruned"):
            assert record.get(state) or (world.base / ".withdrawn" / str(version)).is_dir(), (story, said)
    for version in eye.serving:
        of_note = version not in eye.live or not eye.passed(version)
        assert ("Version %d serves, and" % version in remarks) == of_note, (story, said)
    return eye


# --- what happens ---

class Walk:
    """policy: the inventory's. newest: number of the archive that was made last."""

    def __init__(self, world, dice):
        self.world, self.dice = world, dice
        self.policy, self.inventory, self.newest = dice.choice(["latest", "pinned"]), archive(1), 1
        self.story = []

    def made(self):
        """A new archive, or one that was there before."""
        content = self.dice.choices([GOOD, LATE, BAD, BROKEN, HANGS], [10, 2, 6, 2, 1])[0]
        if self.dice.random() < 0.7:
            self.newest += 1
            return archive(self.newest, content, half=self.dice.random() < 0.1)
        return archive(self.dice.randint(1, self.newest), content)

    def play(self, playbook, *arguments):
        """Run it; a third of the runs is killed, and in some the pods are out of reach."""
        world, playbooks = self.world, Playbooks(self.world)
        world.network_down, world.address_wrong = self.dice.random() < 0.1, self.dice.random() < 0.05
        how = self.dice.random()
        world.fuse = self.dice.randint(1, 30) if how < 0.3 else None
        world.nas_fuse = self.dice.randint(1, 60) if 0.3 <= how < 0.4 else None
        hindered = "network down" if world.network_down else "wrong address" if world.address_wrong else ""
        note = [playbook, self.policy, hindered, world.fuse or world.nas_fuse]
        self.story.append(note)
        try:
            failure = playbooks.run(playbook, *arguments)
        except Killed:
            note.append("killed")
            return
        finally:
            world.fuse = world.nas_fuse = None
        world.rest()
        note.append(failure and failure["msg"])
        self.judge(playbook, playbooks, failure)

    def judge(self, playbook, playbooks, failure):
        """No unchecked version serves after a run that ended well without saying so."""
        eye, said = Eye(self.world), "\n".join(playbooks.said)
        if failure:
            incomplete = self.world.starting or not all(server.available("mnist") for server in self.world.servers)
            assert "not rolled out" not in said or incomplete, (self.story, said)
            self.judge_words(failure["msg"], eye)
            return
        for version in eye.serving:
            noted = eye.passed(version) and version in eye.live
            recorded = bool(eye.records.get(version, {}).get("published"))
            if playbook == "site":  # it has checked what serves, and noted it where there is a record
                assert noted or not recorded, (self.story, playbooks.said)
            told = re.search(
                r"Version %d( serves, and|.*never passed its check|: .*not published by this collection)" % version, said)
            in_the_dark = self.world.network_down and "0 of 2?" in said  # and that is said
            assert noted or playbook == "promote" or told or in_the_dark, (self.story, playbooks.said)
            if playbook == "promote" and playbooks.status["policy"] == "pinned" and not playbooks.said[-1]:
                assert noted, (self.story, playbooks.said)

    def judge_words(self, words, eye):
        """What a failure says is so, and what was found wrong serves on only where there is nothing else."""
        back = re.search(r"Version (\d+) failed and was withdrawn, and version (\d+) serves on every replica", words)
        if back:
            none_started = not eye.serving and "that has started" in words
            assert (none_started or eye.serving == {int(back[2])}) and int(back[1]) not in eye.live, self.story
        at_the_address = re.search(r"Version (\d+) passed on every replica, but not at check_address", words)
        if at_the_address:
            version = int(at_the_address[1])
            assert version in eye.live and self.world.content(version) in RIGHT and not eye.passed(version), self.story
        for version in eye.serving if "error rate" in words and "could not be tried" not in words else ():
            if self.world.servers[0].memory[version] == BAD and "Version %d failed" % version in words:
                self.judge_left(version, eye)
        broken = re.search(r"cannot load version (\d+)", words)
        if broken and "failed as well" not in words:  # else the next run does it, and that was said
            self.judge_left(int(broken[1]), eye)

    def judge_left(self, version, eye):
        """What was found wrong and never passed is left only where there is nothing to go back to."""
        if version not in eye.live or not eye.records.get(version, {}).get("published") or eye.passed(version):
            return
        older = [other for other in eye.live if other < version and not eye.records.get(other, {}).get("withdrawn")]
        there = [other for other in older if not self.world.load_error(other)]
        # Where servers take the highest, a broken one in between is in the way.
        assert not there or (self.world.policy == "latest" and (max(older) not in there or max(eye.live) > version)), self.story

    def happen(self):
        getattr(self, self.dice.choices(
            ["site", "publish", "promote", "rollback", "by_hand", "restart"], [5, 6, 4, 2, 3, 1])[0])()

    def site(self):
        if self.dice.random() < 0.25:
            self.policy = self.dice.choice(["latest", "pinned"])
        if self.dice.random() < 0.4:
            self.inventory = self.made()
        self.play("site", self.inventory, self.policy)

    def publish(self):
        self.play("publish", self.made(), self.dice.random() < 0.2)

    def promote(self):
        self.play("promote")

    def rollback(self):
        self.play("rollback", self.dice.choice([None, None, self.dice.randint(1, self.newest)]))

    def restart(self):
        self.story.append("restart")
        if self.world.policy and (self.world.policy == "latest" or self.world.config):
            self.world.start()

    def by_hand(self):
        world, dice = self.world, self.dice
        what = dice.choice(["copy", "half", "delete", "mark", "pin", "forget"])
        live = sorted(world.on_disk())
        self.story.append(what)
        if what in ("copy", "half"):
            self.newest += 1
            walks.copy_by_hand(world, self.newest, complete=what == "copy", content=dice.choice([GOOD, BAD]))
        elif what == "delete" and live:
            walks.delete_by_hand(world, dice.choice(live))
        elif what == "mark" and live:
            walks.mark_by_hand(world, dice.choice(live))
        elif what == "pin" and world.config and live:
            walks.pin_by_hand(world, dice.choice(live))
        elif what == "forget":
            world.config = None
        world.tick()


def walk(seed, monkeypatch):
    """One life, and the run that finds it in the end. Returns what its runs said."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        world = World(Path(folder), monkeypatch)
        one = Walk(world, random.Random(seed))
        one.site()
        for _number in range(LENGTH):
            one.happen()
            eye = compare(world, one.story)
            for version, record in eye.records.items():  # what was noted was right
                if record.get("checked") and version in eye.live:
                    assert world.load_error(version) or world.content(version) in RIGHT, one.story
        world.network_down = world.address_wrong = False
        playbooks = Playbooks(world)
        failure = playbooks.run("site", one.inventory, one.policy)
        one.story.append(["the end", failure and failure["msg"]])
        one.judge("site", playbooks, failure)
        compare(world, one.story)
        return one.story


@pytest.fixture(scope="module")
def quick():
    with pytest.MonkeyPatch.context() as monkeypatch:
        clock = Clock()
        for module in (promotion, replica_versions):
            monkeypatch.setattr(module, "time", clock)
        yield monkeypatch


@pytest.fixture
def world(quick, tmp_path):
    return World(tmp_path, quick)


def run(world, playbook, *arguments):
    """What its failure says, empty where all went well."""
    failure = Playbooks(world).run(playbook, *arguments)
    world.rest()
    return failure["msg"] if failure else ""


def test_a_candidate_that_hangs_in_its_load(world):
    """Servers take no other config until it is gone."""
    assert run(world, "site", archive(1), "pinned") == ""
    said = run(world, "publish", archive(2, HANGS), False)
    assert said.startswith("Version 2 failed and was withdrawn, and version 1 serves on every replica. pod pod-0: it has not taken")
    assert world.on_disk() == [1] and not any(server.busy() or server.models != {"mnist": {1}} for server in world.servers)


@pytest.mark.parametrize("policy", ["latest", "pinned"])
def test_what_new_pods_cannot_load_goes_back(world, policy):
    """A run finds it in steps 3 and 4, where pods start anew: before its check."""
    assert run(world, "site", archive(1), policy) == ""
    if policy == "latest":
        world.nas.publish(archive(2, BROKEN))
    else:
        assert run(world, "publish", archive(2), False) == run(world, "promote") == ""
        walks.break_by_hand(world, 2)
    world.start()
    said = run(world, "site", archive(1), policy)
    assert said.startswith("Version 2 failed and was withdrawn, and version 1 serves on every replica that has started. Pod pod-2 ")
    assert world.on_disk() == [1] and [server.available("mnist") for server in world.servers] == [{1}, {1}] and not world.starting


def test_what_was_measured_is_said_where_going_back_fails_as_well(world, monkeypatch):
    assert run(world, "site", archive(1), "latest") == ""
    monkeypatch.setattr(Playbooks, "withdraw", lambda playbooks, *arguments: playbooks.fail("The NAS is gone."))
    said = run(world, "publish", archive(2, BAD), False)
    assert said.startswith("Version 2 failed, and going back to version 1 failed as well: once that is mended, playbooks/rollback.yml")
    assert said.endswith(" error rate 89.3% Going back: The NAS is gone.") and sorted(world.on_disk()) == [1, 2]


def test_what_is_slow_to_load_is_waited_for(world):
    assert run(world, "site", archive(1, LATE), "latest") == ""
    assert run(world, "publish", archive(2, LATE), False) == ""
    assert [server.available("mnist") for server in world.servers] == [{2}, {2}]


class Meanwhile(Playbooks):
    """Another run comes to make room when servers were told to go back, and at the withdrawal; it has looked before at what they use."""

    in_use = ()

    def make_room(self):
        self.world.nas.versions(keep=1, in_use=self.in_use)

    def serving_promote(self, version):
        self.make_room()
        super().serving_promote(version)
        self.make_room()

    def withdraw(self, versions, reason, serves):
        if self.world.policy == "latest":
            self.make_room()
        super().withdraw(versions, reason, serves)


def lived(world, policy):
    """With versions 1, 2 and 3, all of which have served."""
    assert run(world, "site", archive(1), policy) == ""
    for version in (2, 3):
        assert [run(world, "publish", archive(version), False), run(world, "promote")] == ["", ""]


def test_what_pinned_servers_go_back_to_is_not_pruned(world):
    lived(world, "pinned")
    another = Meanwhile(world)
    another.in_use = [3]
    assert another.run("rollback", None) is None
    assert world.on_disk() == [2] and Eye(world).serving == {2}


def test_where_it_was_pruned_before_nothing_is_taken_away(world):
    lived(world, "latest")
    another = Meanwhile(world)
    another.in_use = [1, 3]
    failure = another.run("rollback", None)
    assert failure["failure"]["code"] == "version_not_live" and "Version 2 is no version to go back to" in failure["msg"]
    world.rest()
    assert sorted(world.on_disk()) == [1, 3] and Eye(world).serving == {3}


@pytest.fixture(scope="module")
def hundred_lives(quick):
    return [entry for seed in range(100) for entry in walk(seed, quick)]


def test_a_hundred_lives(hundred_lives):
    """All that is to happen does, and every outcome is among them."""
    runs = [entry for entry in hundred_lives if isinstance(entry, list)]
    words = " ".join(str(entry[-1]) for entry in runs)
    assert {entry[0] for entry in runs} == {"site", "publish", "promote", "rollback", "the end"}
    assert {entry for entry in hundred_lives if isinstance(entry, str)} == {
        "restart", "copy", "half", "delete", "mark", "pin", "forget"}
    assert sum(entry[-1] == "killed" for entry in runs) > 50 and sum(entry[-1] is None for entry in runs) > 200
    for outcome in (
        "failed and was withdrawn", "there is no older version to go back to", "could not be tried", "had passed its check before",
        "but not at check_address", "never passed its check, so it is not promoted", "model_reinstate=true", "is not deployed",
        "Nothing was published",
    ):
        assert outcome in words, outcome


@pytest.mark.long
@pytest.mark.parametrize("hundred", range(1, 21))
def test_two_thousand_lives(quick, hundred):
    for seed in range(100 * hundred, 100 * hundred + 100):
        walk(seed, quick)
