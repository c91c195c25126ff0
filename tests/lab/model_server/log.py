"""Log lines in the server's format. The line numbers are those of 1.4.0: they differ by release, match the text."""
from __future__ import annotations

import sys
import time

SOURCES = {
    "loader_harness": "tensorflow_serving/core/loader_harness.cc:86",
    "basic_manager": "tensorflow_serving/core/basic_manager.cc:705",
    "server_core": "tensorflow_serving/model_servers/server_core.cc:441",
    "storage_path": "tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc:268",
    "loader": "external/org_tensorflow/tensorflow/cc/saved_model/loader.cc:236",
    "aspired_versions": "tensorflow_serving/core/aspired_versions_manager.cc:359",
    "main": "tensorflow_serving/model_servers/main.cc:288",
    "server": "tensorflow_serving/model_servers/server.cc:286",
    "model_service": "tensorflow_serving/model_servers/model_service_impl.cc:52",
    "warmup": "tensorflow_serving/servables/tensorflow/saved_model_warmup_util.cc:83",
    "bundle_factory": "tensorflow_serving/servables/tensorflow/bundle_factory_util.cc:173",
    "protobuf": "external/com_google_protobuf/src/google/protobuf/text_format.cc:335",
    "stand_in": "model_server (stand-in)",
}


def info(source, text):
    _write("I", source, text)


def warning(source, text):
    _write("W", source, text)


def error(source, text):
    _write("E", source, text)


def fatal(source, text):
    _write("F", source, text)


def _write(severity, source, text):
    now = time.time()
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now)) + ".%06d" % (now % 1 * 1000000)
    # One write per line: several threads log.
    sys.stderr.write("%s: %s %s] %s\n" % (moment, severity, SOURCES[source], text))
    sys.stderr.flush()
