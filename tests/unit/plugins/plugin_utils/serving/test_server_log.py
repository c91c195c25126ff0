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


def test_what_restricted_pods_may_not_do_has_a_way_out():
    for line in ("mkdir: cannot create directory '/opt/x': Read-only file system", "open /models/1: Permission denied"):
        assert "serving_pod_security to baseline" in server_log.meaning(line)


def test_the_meaning_of_a_missing_driver_names_gpu():
    text = "tensorflow_model_server: error while loading shared libraries: libcuda.so.1: cannot open shared object file"
    assert "set gpu to false" in server_log.meaning(text)
    assert server_log.meaning("all is well") == ""


def test_tail_drops_empty_lines_and_says_nothing_twice():
    assert server_log.tail("a\n\nb \nc\n", lines=2) == "b\nc"
    assert server_log.tail("start\n10:01 no base path\n10:02 no base path\n10:03 no base path") == "start\n10:03 no base path"


HARNESS = "E tensorflow_serving/core/loader_harness.cc:101] "
NO_MODEL = "Could not find SavedModel .pb or .pbtxt at supplied export directory path: /m/1"
BEGUN = "I tensorflow_serving/core/loader_harness.cc:74] Loading servable version {name: mnist version: %d}"


@pytest.mark.parametrize(("line", "error"), [
    ("E retrier.cc:38] Loading servable: {name: mnist version: 1} failed: Not found: " + NO_MODEL, "Not found: " + NO_MODEL),
    (HARNESS + "Servable: {name: mnist version: 1} load failure: Data loss: not an sstable", "Data loss: not an sstable"),
    (HARNESS + "Servable {name: mnist version: 1} cannot be loaded: NOT_FOUND: " + NO_MODEL, "NOT_FOUND: " + NO_MODEL),
    (HARNESS + "Encountered an error for servable version {name: mnist version: 1}: Internal: x", "Internal: x"),
])
def test_a_load_that_did_not_succeed_in_the_words_of_several_releases(line, error):
    again = "I retrier.cc:34] Retrying of Loading servable: {name: mnist version: 1} retry: 1"
    standing = server_log.standing("\n".join([BEGUN % 1, line, again]))
    assert standing.failed == [("mnist", 1, error)] and standing.no_version == ""


@pytest.mark.parametrize("later", [BEGUN % 2, LOADED], ids=["another version", "a later attempt"])
def test_what_came_later_counts(later):
    failed = HARNESS + "Servable: {name: mnist version: 1} load failure: Not found: x"
    other = failed.replace("mnist", "mnist-canary")
    assert server_log.standing("\n".join([failed, other, later])).failed == [("mnist-canary", 1, "Not found: x")]


@pytest.mark.parametrize("line", [
    "No versions of servable mnist found under base path /m. Did you forget to name your leaf directory as a number (eg. '/1/')?",
    "Could not find base path /serving/model/mnist for servable mnist",
])
def test_a_base_path_without_a_version(line):
    text = "E file_system_storage_path_source.cc:268] FileSystemStoragePathSource: " + line
    assert server_log.standing(text).no_version == line
    assert server_log.standing(text + "\n" + BEGUN % 1).no_version == ""


@pytest.mark.parametrize(("error", "final"), [
    ("Not found: x", True), ("NOT_FOUND: x", True), ("Out of range: Read less bytes than requested", True), ("Data loss: x", True),
    ("Permission denied: x", True),
    ("Unavailable: stale file handle", False), ("RESOURCE_EXHAUSTED: x", False), ("Internal: Not found: x", False),
])
def test_what_another_attempt_does_not_cure(error, final):
    assert server_log.final(error) is final
    assert server_log.of_version(error) is (final and "denied" not in error.lower())
