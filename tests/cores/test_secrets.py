"""What a signed URL or a password opens is nobody's who reads the output, at any verbosity, or what runs leave behind. Told in order."""
from __future__ import annotations

import base64
import functools
import http.server
import json
import threading
from pathlib import Path

import pytest
from api_server import GOOD
from saved_models import model_files, tar, under
from test_latest import good, unchanged

SECRET = "open-sesame"  # of which no letter is to be read
SIGNED = "?X-Amz-Date=20261126&X-Amz-Signature=" + SECRET
LOGIN = "//ali:%s@" % SECRET
BASIC = "Basic " + base64.b64encode(("ali:" + SECRET).encode()).decode()


class Locked(http.server.SimpleHTTPRequestHandler):
    """Who has a signature or the password gets a file. HEAD is refused, as by a store where URLs are signed for GET."""

    def do_GET(self):
        if SECRET not in self.path and self.headers["Authorization"] != BASIC:
            self.send_error(403, "No signature in %s%s" % (self.path, SIGNED))
        else:
            super().do_GET()

    def do_HEAD(self):
        self.send_error(403)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def web(world):
    """Where archives and test data can be downloaded, by those who may."""
    (world.folder / "v2.tar.gz").write_bytes(tar(under("mnist/2", model_files(GOOD + bytes(range(256))))))
    handler = functools.partial(Locked, directory=str(world.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = "http://127.0.0.1:%d/" % server.server_port
        world.models.update(
            model_archive=url + Path(world.archive(1)).name + SIGNED, check_dataset=url.replace("//", LOGIN) + "dataset/",
            model_warmup=3, check_report=str(world.folder / "reports") + "/")
        yield url
        server.shutdown()


@pytest.fixture
def silent(world, play):
    """play(), which fails where anything has the secret in it that the run has said or left."""
    def run(playbook, *arguments, verbose="-vvvv", **extra):
        done = play(playbook, verbose, *arguments, environment={
            "ANSIBLE_LOG_PATH": str(world.folder / "log"), "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true"}, **extra)
        assert len(done.stdout) > 1000 and SECRET not in done.stdout, [line for line in done.stdout.splitlines() if SECRET in line]
        assert SECRET not in json.dumps(done.events)
        given = [path for path in world.folder.rglob("*") if path.name in ("inventory.json", "extra.json")]
        assert len(given) >= 2
        for path in world.folder.rglob("*"):
            if path.is_file() and world.collection not in path.parents and path not in given:
                assert SECRET.encode() not in path.read_bytes(), path
        assert SECRET not in json.dumps(list(world.cluster.objects.values()))
        return done
    return run


def test_site(world, web, silent):
    run = good(silent("site"))
    assert (world.versions(), world.serving()) == ([1], [1, 1])
    assert world.record(1)["source"] == web + "mnist-1-right.tar.gz?..." and world.record(1)["warmup"] == 3
    assert "mnist-1-right.tar.gz?..." in run.text


def test_signed_anew_it_is_the_same_archive(web, silent, world):
    run = unchanged(silent("site", verbose="-v", model_archive=world.models["model_archive"].replace("20261126", "20261127")))
    assert "unverified" in run.text


@pytest.mark.usefixtures("unseen")
def test_the_plan(web, silent, world):
    file = world.folder / "plan.json"
    good(silent("plan", plan_file=str(file)))
    assert json.loads(file.read_text())["models"]["mnist"]["changes"] == []
    good(silent("plan", plan_file=str(file), model_archive=web.replace("//", LOGIN) + "v2.tar.gz"))
    assert json.loads(file.read_text())["models"]["mnist"]["changes"][0] == "publish v2.tar.gz"


def test_publish_with_a_password(world, web, silent):
    good(silent("publish", model_archive=web.replace("//", LOGIN) + "v2.tar.gz", check_dataset={
        name: "%sdataset/t10k-%s-ubyte.gz%s" % (web, name_there, SIGNED)
        for name, name_there in (("images", "images-idx3"), ("labels", "labels-idx1"))}))
    assert (world.versions(), world.serving()) == ([1, 2], [2, 2]) and world.record(2)["source"] == web + "v2.tar.gz"
    assert list((world.folder / "reports").iterdir()), "and no report has the secret"


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize(("answers", "words"), [
    ({"model_archive": "none.tar.gz" + SIGNED}, "none.tar.gz?... answers 404"),
    ({"model_archive": "v2.tar.gz?X-Amz-Signature=open-sesam"}, "v2.tar.gz?... answers 403"),
    ({"model_archive": "%sv2.tar.gz" % LOGIN.replace("sesame", "sesame/1")}, "In a user's name or password, / is written as %2F"),
    ({"model_archive": "s3:%sbucket/v2.tar.gz%s" % (LOGIN, SIGNED)}, "s3:// is not supported"),
    ({"model_archive": "v2.tar.gz" + SIGNED, "model_version": "two"}, "model_version is 'two'"),
    ({"check_dataset": "none.csv" + SIGNED}, "none.csv?... answers 404"),
    ({"check_dataset": ["x.csv" + SIGNED]}, "check_dataset"),
    ({"check_golden": "none.npz" + SIGNED}, "none.npz?... answers 404"),
    ({"check_golden": "none.npz" + SIGNED, "check_record": True}, "check_golden is"),
])
def test_what_is_wrong_is_said_without_it(web, silent, answers, words):
    def whole(text):
        return text if not isinstance(text, str) or text.startswith("s3:") or "." not in text else (
            "http:" + text if text.startswith("//") else web + text)

    answers = {name: [whole(one) for one in text] if isinstance(text, list) else whole(text) for name, text in answers.items()}
    run = silent("publish" if "model_archive" in answers else "site", **answers)
    assert run.rc == 2 and words in run.failures, run.failures


def test_the_rest(web, silent, world):
    good(silent("status"))
    good(silent("teardown", model_delete_data=True))
    assert world.versions() == []
