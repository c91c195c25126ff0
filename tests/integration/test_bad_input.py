"""Bad input: one clear error that names the variable, the value and the way out; nothing is changed.

Every wrong value is a model of its own in one run, which must leave the cluster and the NAS as they were.
"""
from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from conftest import Lane, World, alone
from tf_lab import settings

LANE = Lane("bad-input")
WEB = "http://%s/" % settings.WEB_IP


def archive(name, *members):
    """A .tar.gz on the lab's web server, of (path, bytes) or ready TarInfo members."""
    with tarfile.open(settings.WWW / name, "w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                path, content = member
                info = tarfile.TarInfo(path)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return WEB + name


def saved_model():
    with tarfile.open(settings.CACHE / "models" / "mnist-export.tar.gz") as tar:
        return [
            (member.name.split("/", 2)[2], tar.extractfile(member).read()) for member in tar.getmembers() if member.isfile()
        ]


def link(path, target):
    info = tarfile.TarInfo(path)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def not_an_archive():
    (settings.WWW / "page.tar.gz").write_text("<html>Sign in to continue</html>")
    return WEB + "page.tar.gz"


def without_graph():
    return archive("no-graph.tar.gz", *[("mnist/1/" + p, c) for p, c in saved_model() if p != "saved_model.pb"])


def without_variables():
    return archive("no-variables.tar.gz", *[("mnist/1/" + p, c) for p, c in saved_model() if p == "saved_model.pb"])


def climbing():
    return archive("climbing.tar.gz", *[("mnist/1/" + p, c) for p, c in saved_model()], ("mnist/1/../../../evil", b"x"))


def linking():
    return archive("linking.tar.gz", *[("mnist/1/" + p, c) for p, c in saved_model()], link("mnist/1/passwd", "/etc/passwd"))


def folder_v2():
    return archive("v2.tar.gz", *[("mnist/v2/" + p, c) for p, c in saved_model()])


def flat():
    return archive("flat.tar.gz", *saved_model())


def garbled():
    return archive("garbled.tar.gz", ("mnist/1/saved_model.pb", b"\xff" * 100))


def zipped_bomb():
    with zipfile.ZipFile(settings.WWW / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("mnist/1/saved_model.pb", b"\0" * (64 << 20))
    return WEB + "bomb.zip"


# What is refused where the variables are settled; which of them, says the first of the words.
SETTINGS = "settings_invalid"
BAD = {
    "no NAS server": (SETTINGS, {"model_nas_server": ""}, ["model_nas_server"]),
    "a NAS that never answers": (
        "nas_unreachable", {"model_nas_server": settings.SILENT_IP, "model_mount_timeout": 5}, [settings.SILENT_IP, "5 s"]),
    "no archive": (SETTINGS, {"model_archive": ""}, ["model_archive"]),
    "an archive that is not there": ("archive_not_found", {"model_archive": WEB + "missing.tar.gz"}, ["404", "missing.tar.gz"]),
    "another checksum": ("checksum_mismatch", {"model_checksum": "sha256:" + "0" * 64}, ["checksum", "0" * 64]),
    "a checksum of another kind": (SETTINGS, {"model_checksum": "md5:123"}, ["model_checksum", "md5:123", "sha256"]),
    "not an archive": ("not_an_archive", {"model_archive": not_an_archive}, ["page.tar.gz", "archive"]),
    "no saved_model.pb": ("no_saved_model", {"model_archive": without_graph}, ["saved_model.pb"]),
    "no variables": ("variables_missing", {"model_archive": without_variables}, ["variables"]),
    "a saved_model.pb that does not parse": ("saved_model_invalid", {"model_archive": garbled}, ["saved_model.pb"]),
    "a path that climbs out": ("archive_unsafe", {"model_archive": climbing}, ["../evil"]),
    "a link": ("archive_unsafe", {"model_archive": linking}, ["passwd", "link"]),
    "a version folder v2": ("version_invalid", {"model_archive": folder_v2}, ["v2", "model_version"]),
    "a flat archive without a number": ("version_missing", {"model_archive": flat}, ["model_version"]),
    "too large": ("archive_too_large", {"model_archive": zipped_bomb, "model_max_size": 1 << 20}, ["model_max_size"]),
    "version 1.5": (SETTINGS, {"model_version": "1.5"}, ["model_version", "1.5"]),
    "an unknown node": (SETTINGS, {"model_node": "nobody"}, ["model_node", "nobody"]),
    "an unknown volume driver": (SETTINGS, {"volume_driver": "nas"}, ["volume_driver", "nas", "csi"]),
    "a size that is none": (SETTINGS, {"volume_size": "5 gigs"}, ["volume_size", "5 gigs"]),
    "replicas -1": (SETTINGS, {"scaling_replicas": -1}, ["scaling_replicas", "-1"]),
    "replicas in words": (SETTINGS, {"scaling_replicas": "two"}, ["scaling_replicas", "two"]),
    "gpu=flase": (SETTINGS, {"gpu": "flase"}, ["gpu", "flase", "false"]),
    "a GPU where no node has one": ("gpu_unavailable", {"gpu": "true"}, ["gpu is true", "gpu to false", "serving_gpu_preflight"]),
    "a release name with capitals": (SETTINGS, {"serving_release": "MNIST_Deploy"}, ["serving_release", "MNIST_Deploy"]),
    "port 99999": (SETTINGS, {"serving_port": 99999}, ["serving_port", "99999"]),
    "an error rate over 100": (SETTINGS, {"check_max_error_rate": 150}, ["check_max_error_rate", "150"]),
    "a latency of a kind that is not measured": (
        SETTINGS, {"check_max_latency_ms": {"p95": 20}}, ["check_max_latency_ms", "p95", "p99"]),
    "tolerations that are no list": (SETTINGS, {"serving_tolerations": "Exists always"}, ["serving_tolerations", "Exists always"]),
    "a variable that no role has": (SETTINGS, {"check_max_error_rte": 5}, ["check_max_error_rte", "check_max_error_rate"]),
    "two wrong ones at once": (SETTINGS, {"volume_size": "much", "serving_port": "none at all"}, ["volume_size", "serving_port"]),
    "a golden file that is not there": (
        "golden_missing", {"check_golden": "/no/golden.npz"}, ["check_golden", "/no/golden.npz", "record.yml"]),
    "a batch that servers refuse": (
        SETTINGS, {"check_batch_size": 128, "serving_batching": {"max_batch_size": 64}}, ["check_batch_size", "128", "64"]),
    "a report where none can be written": (
        "option_invalid", {"check_report": "/proc/report.html"}, ["check_report", "/proc/report.html"]),
    "a report for two models": (SETTINGS, {"check_report": "/tmp/shared.html"}, ["check_report", "/tmp/shared.html", "folder"]),
    "a report for two models, the other": (
        SETTINGS, {"check_report": "/tmp/shared.html"}, ["check_report", "/tmp/shared.html", "folder"]),
    "no test images": (SETTINGS, {"check_dataset": ""}, ["check_dataset"]),
}


def host(name):
    """Short: a release is named after it."""
    return "bad-%d" % list(BAD).index(name)


@pytest.fixture(scope="module")
def run(controller, api):
    hosts = {
        host(name): {"gpu": "false", **{key: value() if callable(value) else value for key, value in variables.items()}}
        for name, (_code, variables, _words) in BAD.items()
    }
    # Other models lie there. On an empty NAS, first runs that fail side by side may leave this empty parent behind,
    # for each takes away only what it made itself.
    LANE.base.mkdir(parents=True, exist_ok=True)
    world = World(api)
    with alone("gpus"):
        api.gpus(0)
        run = controller.run(hosts=hosts)
    run.differences = world.differences()
    return run


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name, run):
    code, _variables, words = BAD[name]
    said, (failure, at_the_end) = run.failures_of(host(name)), run.failures_by(host(name))
    assert (failure["code"], at_the_end["code"]) == (code, None), said  # the run ends with a list of what failed
    missing = [word for word in words if word not in said]
    assert not missing, "%s not in: %s" % (missing, said)
    if code == SETTINGS:
        assert words[0] in [problem["variable"] for problem in failure["details"]["problems"]]


def test_nothing_was_changed(run):
    assert run.rc == 2 and run.changes() == []
    assert run.differences == []
    assert "Traceback" not in run.stdout


def test_unreachable_cluster(controller, api):
    world = World(api)
    known = controller.environment["K8S_AUTH_HOST"]
    controller.environment["K8S_AUTH_HOST"] = "https://127.0.0.1:1"
    try:
        run = controller.run(hosts={"new": {}}, gpu="false")
    finally:
        controller.environment["K8S_AUTH_HOST"] = known
    assert run.rc == 2 and "Kubernetes API" in run.failures and "K8S_AUTH_HOST" in run.failures, run.failures
    assert run.changes() == []
    assert world.differences() == []
