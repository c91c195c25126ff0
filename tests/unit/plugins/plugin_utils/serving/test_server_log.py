"""The log parser, on lines that users of tensorflow_model_server recorded (1.4 to 2.x)."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import server_log

LOADED = (
    "2018-01-02 03:04:05.678: I tensorflow_serving/core/loader_harness.cc:86]"
    " Successfully loaded servable version {name: mnist version: 1}"
)
RUNNING_14 = "2018-01-02 03:04:05: I tensorflow_serving/model_servers/main.cc:288] Running ModelServer at 0.0.0.0:9090 ..."
RUNNING_2 = "I tensorflow_serving/model_servers/server.cc:286] Running gRPC ModelServer at 0.0.0.0:8500 ..."


def test_a_load_is_found_whatever_the_line_number():
    facts = server_log.parse("\n".join([
        "I tensorflow_serving/core/basic_manager.cc:705] Successfully reserved resources to load servable"
        " {name: mnist version: 1}",
        "I tensorflow_serving/core/loader_harness.cc:74] Loading servable version {name: mnist version: 1}",
        LOADED, RUNNING_14,
    ]))
    assert facts["loaded"] == [{"name": "mnist", "version": 1}]
    assert facts["lines"] == [LOADED]
    assert facts["telling"]
    assert facts["gpu_device"] is None


def test_a_switch_leaves_the_new_version():
    facts = server_log.parse("\n".join([
        LOADED,
        LOADED.replace("version: 1", "version: 2"),
        "I tensorflow_serving/core/loader_harness.cc:137] Quiescing servable version {name: mnist version: 1}",
        "I tensorflow_serving/core/loader_harness.cc:144] Done quiescing servable version {name: mnist version: 1}",
        "I tensorflow_serving/core/loader_harness.cc:119] Unloading servable version {name: mnist version: 1}",
    ]))
    assert facts["loaded"] == [{"name": "mnist", "version": 2}]


@pytest.mark.parametrize(("line", "name"), [
    (  # 1.4
        "I tensorflow/core/common_runtime/gpu/gpu_device.cc:1120] Creating TensorFlow device (/device:GPU:0) ->"
        " (device: 0, name: Tesla K80, pci bus id: 0000:00:1e.0, compute capability: 3.7)", "Tesla K80",
    ),
    (  # later 1.x
        "I tensorflow/core/common_runtime/gpu/gpu_device.cc:1304] Created TensorFlow device (/job:localhost/replica:0/task:0/"
        "device:GPU:0 with 10 MB memory) -> physical GPU (device: 0, name: Tesla P4, pci bus id: 0000:00:08.0, compute"
        " capability: 6.1)", "Tesla P4",
    ),
    (  # 2.x
        "I tensorflow/core/common_runtime/gpu/gpu_device.cc:1532] Created device /job:localhost/replica:0/task:0/device:GPU:0"
        " with 14792 MB memory:  -> device: 0, name: Tesla T4, pci bus id: 0000:00:1e.0, compute capability: 7.5", "Tesla T4",
    ),
])
def test_a_gpu_device_of_three_eras(line, name):
    facts = server_log.parse(line + "\n" + LOADED)
    assert facts["gpu_device"] == name
    assert line in facts["lines"]


@pytest.mark.parametrize("line", [
    "E tensorflow/stream_executor/cuda/cuda_driver.cc:406] failed call to cuInit: CUresult(-1)",
    "E external/org_tensorflow/tensorflow/stream_executor/cuda/cuda_driver.cc:318] failed call to cuInit:"
    " CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected",
    "W tensorflow/stream_executor/platform/default/dso_loader.cc:64] Could not load dynamic library 'libcuda.so.1';"
    " dlerror: libcuda.so.1: cannot open shared object file: No such file or directory",
    "W tensorflow: CUDA driver version is insufficient for CUDA runtime version",
])
def test_no_gpu_keeps_the_reason(line):
    facts = server_log.parse("  %s  \n%s\nfailed call to cuInit: once more" % (line, LOADED))
    assert facts["gpu_device"] is None
    assert facts["gpu_reason"] == line and line not in facts["lines"]


def test_an_unknown_argument():
    facts = server_log.parse("unknown argument: --prot=9090\nusage: tensorflow_model_server\n" + RUNNING_2)
    assert facts["unknown_arguments"] == ["--prot=9090"]
    assert facts["lines"] == ["unknown argument: --prot=9090"]


def test_a_silent_log_tells_nothing():
    assert not server_log.parse("hello\n")["telling"]


def test_the_meaning_of_a_missing_driver_names_gpu():
    text = "tensorflow_model_server: error while loading shared libraries: libcuda.so.1: cannot open shared object file"
    assert "set gpu to false" in server_log.meaning(text)
    assert server_log.meaning("all is well") == ""


def test_tail_drops_empty_lines_and_says_nothing_twice():
    assert server_log.tail("a\n\nb \nc\n", lines=2) == "b\nc"
    assert server_log.tail("start\n10:01 no base path\n10:02 no base path\n10:03 no base path") == "start\n10:03 no base path"
