"""What a person reads of versions on the NAS: whose checksum it is, that nothing serves, what a teardown deletes. Told in order."""
from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from pathlib import Path

import pytest
from api_server import GOOD
from saved_models import model_files, tar, under
from test_latest import good, unchanged


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def web(world):
    """Where the archives can be downloaded."""
    # Version 2, of another size than version 1's archive even when both are packed.
    (world.folder / "v2.tar.gz").write_bytes(tar(under("mnist/2", model_files(GOOD + bytes(range(256))))))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(world.folder))) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield "http://127.0.0.1:%d/" % server.server_port
        server.shutdown()


def checksum(path):
    return "sha256:" + hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_site(world, play, web):
    world.models.update(model_archive=web + Path(world.archive(1)).name, model_checksum=checksum(world.archive(1)))
    good(play("site"))
    assert world.versions() == [1]


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("mode", [[], ["--check"]], ids=["real", "check mode"])
def test_another_archive_with_the_old_checksum(world, play, web, mode):
    run = play("publish", *mode, model_archive=web + "v2.tar.gz")
    told = "is that of version 1, from %s, and %sv2.tar.gz is another" % (world.models["model_archive"], web)
    assert run.rc == 2 and told in run.failures
    assert "-e model_archive=... -e model_checksum=sha256:..." in run.failures


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("mode", [[], ["--check"]], ids=["real", "check mode"])
def test_a_url_that_answers_404(play, web, mode):
    run = play("publish", *mode, model_archive=web + "v3.tar.gz")
    assert run.rc == 2 and "v3.tar.gz answers 404" in run.failures


def test_with_its_own_checksum(world, play, web):
    good(play("publish", model_archive=web + "v2.tar.gz", model_checksum=checksum(world.folder / "v2.tar.gz")))
    assert (world.versions(), world.serving()) == ([1, 2], [2, 2])
    good(play("rollback", model_rollback_reason="labels were swapped"))
    assert "version 1 is the highest live one" in unchanged(play("rollback")).text


@pytest.mark.usefixtures("unseen")
def test_a_teardown_that_is_answered_in_another_language(play):
    run = play("teardown", model_delete_data="ja")
    assert run.rc == 2 and run.failures == (
        "Look at all variables: model_delete_data is 'ja': use true or false (yes/no, on/off, 1/0).")


@pytest.mark.usefixtures("unseen")
def test_data_of_which_nobody_says_where_it_lies(play):
    run = play("teardown", model_delete_data=True, model_node="nowhere")
    assert run.rc == 2 and "model_node is 'nowhere', which is not in the inventory" in run.failures


@pytest.mark.usefixtures("unseen")
def test_all_that_a_teardown_would_delete(play):
    run = good(play("teardown", "--check", "--diff", model_delete_data=True))
    for words in ("- Deployment mnist-deploy-serving", "- Service mnist-deploy-acs-tensorflow-serving",
                  "- PersistentVolumeClaim mnist-deploy-acs-tensorflow-serving", "ConfigMap mnist-deploy-check in namespace default",
                  '"volumeHandle": "default-mnist-deploy"',
                  "-/serving/model/mnist/1 live, checked", "-/serving/model/mnist/2 withdrawn: labels were swapped"):
        assert words in run.text, words
    assert "can go only after" not in run.text, "the release goes before the volume"


@pytest.mark.usefixtures("unseen")
def test_a_nas_out_of_reach_is_said_before_a_teardown_removes_anything(play):
    run = play("teardown", model_delete_data=True, environment={"STAND_IN_NAS": "/nowhere"})
    assert run.rc == 2 and "could not mount nas.example.com:/serving" in run.failures, run.failures


@pytest.mark.usefixtures("unseen")
def test_a_teardown_says_first_what_it_will_leave(world, play):
    (world.base / "payroll").mkdir()
    try:
        run = good(play("teardown", "--check", model_delete_data=True))
    finally:
        (world.base / "payroll").rmdir()
    assert run.done.index("Delete the model's data") < run.done.index("Remove the release")
    (left, _again) = [event["said"]["left"] for event in run.events if "left" in event["said"]]
    assert "payroll" in left[0] and run.text.count("payroll") == 1


def test_nothing_is_said_to_serve_where_nothing_is_deployed(world, play):
    good(play("teardown"))
    before = world.seen()
    for answers in ({}, {"model_rollback_to": 1}):
        run = play("rollback", **answers)
        assert run.rc == 2 and "not deployed here: nothing serves" in run.failures and "playbooks/site.yml" in run.failures
    assert world.seen() == before


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize(("playbook", "answers", "words"), [
    ("publish", {"model_archive": "http://127.0.0.1:9/2.tar.gz"},
     "model_archive is http://127.0.0.1:9/2.tar.gz for mnist, cifar: it was given at launch"),
    ("record", {"check_golden": "/tmp/never/golden.npz"}, "check_golden is /tmp/never/golden.npz for mnist, cifar: each would write"),
])
def test_what_is_one_models_own_is_not_every_models(play, playbook, answers, words):
    hosts = {"mnist": {}, "cifar": {}}
    run = play(playbook, hosts=hosts, **answers)
    for host in ("mnist", "cifar"):
        assert run.failures_of(host).count("\n") == 0 and words in run.failures_of(host)
    run = play(playbook, hosts=hosts, **{name: answer + "{{ inventory_hostname }}" for name, answer in answers.items()})
    assert run.rc == 2 and "for mnist, cifar" not in run.failures
    run = play(playbook, "--limit", "mnist", hosts=hosts, **answers)
    assert run.rc == 2 and "for mnist" not in run.failures


@pytest.mark.usefixtures("unseen")
def test_another_models_mistake_is_its_own(play):
    run = play("record", hosts={"mnist": {"check_golden": "/tmp/never/golden.npz"}, "cifar": {"check_golden": "{{ nowhere }}"}})
    assert "check_golden cannot be worked out" in run.failures_of("cifar") and "check_golden" not in run.failures_of("mnist")
