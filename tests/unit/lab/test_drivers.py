"""What kubelet is told when a volume cannot be mounted."""
from __future__ import annotations

import json
import socket

import pytest

from tf_lab import drivers
from tf_lab.settings import NAS_IP


@pytest.fixture(autouse=True)
def export(monkeypatch, tmp_path):
    """An export with /serving in it, and a NAS that answers; nothing is mounted."""
    (tmp_path / "nas" / "serving").mkdir(parents=True)
    monkeypatch.setattr(drivers, "EXPORT", tmp_path / "nas")
    monkeypatch.setattr(socket, "create_connection", lambda *arguments, **options: socket.socket())
    mounts = []
    monkeypatch.setattr(drivers.subprocess, "run", lambda command, check: mounts.append(command))
    return mounts


def test_nfs(export, tmp_path, capsys):
    target = str(tmp_path / "target")
    assert drivers.main("nfs", NAS_IP + ":/serving", target, "-o", "rw,nolock,vers=4.0") == 0
    assert export == [["mount", "--bind", str(tmp_path / "nas" / "serving"), target]]
    assert drivers.main("nfs", NAS_IP + ":/nope", target) == 32
    assert "reason given by server: No such file or directory" in capsys.readouterr().err


def test_flexvolume_answers_in_json_only(tmp_path, capsys):
    options = json.dumps({"server": NAS_IP, "path": "/nope"})
    assert drivers.main("flexvolume", "mount", str(tmp_path / "target"), options) == 32
    output = capsys.readouterr()
    assert output.err == ""  # kubelet would read it as part of the JSON
    assert json.loads(output.out)["status"] == "Failure"
    assert drivers.main("flexvolume", "init") == 0
    assert json.loads(capsys.readouterr().out) == {"status": "Success", "capabilities": {"attach": False}}


def test_a_server_that_is_not_the_labs_is_never_dialled(monkeypatch, tmp_path):
    monkeypatch.setattr(socket, "create_connection", None)
    with pytest.raises(drivers.MountError, match="timed out"):
        drivers.mount("192.0.2.1", "/", str(tmp_path / "target"))


def test_a_path_cannot_lead_out_of_the_export(tmp_path):
    with pytest.raises(drivers.MountError, match="out of the export"):
        drivers.mount(NAS_IP, "/serving/../../..", str(tmp_path / "target"), create=True)
