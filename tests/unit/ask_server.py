"""The check's engine, with options that a test need not repeat."""
from __future__ import annotations

import contextlib

from fake_model_server import serving

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import run
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.options import TLS

OPTIONS = {
    "release": None, "namespace": "default", "port": 9090, "address": None, "model_name": "mnist",
    "signature": "predict_images", "inputs": {}, "output": "", "labels": "", "tolerance": None, "divisor": None, "golden": None,
    "record": None, "record_missing": False, "expected_version": None, "stable_version": None, "version_timeout": 0,
    "dataset": None, "dataset_checksum": {}, "dataset_timeout": 5, "tests": 100, "max_error_rate": 15.0, "min_agreement": 99.0,
    "max_latency_ms": {}, "max_failed_requests": 0, "min_rate": None, "max_difference": None, "tls": False, **dict.fromkeys(TLS),
    "batch_size": 10, "concurrency": 4, "timeout": 5.0, "report": None,
}


def ask_server(server, check_mode=False, write=None, folder=None, **options):
    """(result, warnings) of a check of one server, or of who listens at an address. A failed check is raised."""
    options, warnings = {**OPTIONS, **options}, []
    with contextlib.ExitStack() as stack:
        options["address"] = server if isinstance(server, str) else stack.enter_context(serving(server))
        return run.check(options, lambda: None, warnings.append, write, check_mode, folder=folder), warnings
