from __future__ import annotations

import pytest

from model_server import flags

OLD, NEW = (1, 4, 0), (2, 15, 1)
TUTORIAL = ["--port=9090", "--model_name=mnist", "--model_base_path=/serving/model/mnist"]


@pytest.mark.parametrize("release", [OLD, NEW])
def test_the_tutorials_arguments(release):
    given, unknown, idle = flags.parse(TUTORIAL, release)
    assert (given.port, given.model_name, given.model_base_path) == (9090, "mnist", "/serving/model/mnist")
    assert given.file_system_poll_wait_seconds == 1
    assert unknown == idle == []


def test_a_newer_flag_is_unknown_to_the_old_release_and_keeps_its_default():
    given, unknown, _idle = flags.parse([*TUTORIAL, "--max_num_load_retries=0"], OLD)
    assert unknown == ["--max_num_load_retries=0"]
    assert given.max_num_load_retries == 5
    assert flags.parse([*TUTORIAL, "--max_num_load_retries=0"], NEW)[0].max_num_load_retries == 0


@pytest.mark.parametrize("argument", ["--modelname=x", "-port=1", "port=1", "--port", "--model_name"])
def test_unknown_arguments_do_not_stop_it(argument):
    given, unknown, _idle = flags.parse([*TUTORIAL, argument], NEW)
    assert unknown == [argument]
    assert given.port == 9090


def test_a_value_as_an_argument_of_its_own_is_not_understood():
    assert flags.parse([*TUTORIAL, "--port", "1"], NEW)[1] == ["--port", "1"]


def test_everything_after_two_dashes_is_unknown():
    assert flags.parse([*TUTORIAL, "--", "--port=1"], NEW)[1] == ["--", "--port=1"]


@pytest.mark.parametrize("argument, value", [
    ("--enable_batching", True), ("--enable_batching=true", True), ("--enable_batching=false", False)])
def test_booleans(argument, value):
    assert flags.parse([*TUTORIAL, argument], OLD)[0].enable_batching is value


def test_what_has_no_effect_here_is_told():
    assert flags.parse([*TUTORIAL, "--per_process_gpu_memory_fraction=0.5", "--enable_batching"], NEW)[2] == [
        "per_process_gpu_memory_fraction"]


def test_1_4_knows_nine_flags():
    assert set(flags.known(OLD)) == {
        "port", "enable_batching", "batching_parameters_file", "model_config_file", "model_name", "model_base_path",
        "file_system_poll_wait_seconds", "tensorflow_session_parallelism", "platform_config_file"}


def test_a_config_file_stands_for_a_base_path():
    assert flags.parse(["--model_config_file=/x"], OLD)[0].model_config_file == "/x"


@pytest.mark.parametrize("arguments", [
    [], ["--model_name=mnist"], [*TUTORIAL, "--port=x"], [*TUTORIAL, "--port="], [*TUTORIAL, "--enable_batching=1"],
    ["--help", *TUTORIAL]])
def test_it_prints_its_usage_and_leaves(arguments):
    with pytest.raises(flags.UsageError):
        flags.parse(arguments, NEW)


def test_usage_names_the_flags_of_the_release():
    assert "--rest_api_port=0" in flags.usage(NEW)
    assert "--rest_api_port" not in flags.usage(OLD)
    assert '--model_base_path=""' in flags.usage(OLD)


def test_channel_arguments():
    assert flags.channel_arguments("grpc.max_connection_age_ms=2000,grpc.x=y,junk") == [
        ("grpc.max_connection_age_ms", 2000), ("grpc.x", "y")]
    assert flags.channel_arguments("") == []
