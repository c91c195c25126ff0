# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What variables have to be to each other. Each rule adds its problem to what is settled. Pure."""
from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Archive
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.chart_values import FEATURES, server_release
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import FIRST_FREE_PORT

if TYPE_CHECKING:
    from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import Settled


def _model(settled: Settled) -> None:
    if settled.sound("model_archive") and settled("model_archive"):
        try:
            Archive(settled("model_archive"))
        except Error as error:
            settled.refuse("model_archive", error.message)
    base_path, export = settled("model_base_path"), settled("model_nas_export")
    if settled.sound("model_base_path", "model_nas_export") and posixpath.relpath(base_path, export).split("/")[0] == "..":
        settled.refuse(
            "model_base_path", "model_base_path is %s, which does not lie in model_nas_export %s, the part of the NAS that is"
            " mounted. Change one of the two." % (base_path, export),
        )
    if settled.sound("model_warmup") and settled("model_warmup") and not settled("check_dataset"):
        settled.wrong("model_warmup", "the samples come from check_dataset, which is not set. Set it, or model_warmup: 0")


def _serving(settled: Settled) -> None:
    if settled.sound("serving_timeout", "serving_start_timeout") and settled("serving_timeout") < settled("serving_start_timeout"):
        settled.wrong(
            "serving_timeout",
            "a pod alone may take serving_start_timeout (%d s): use at least that" % settled("serving_start_timeout"))
    if settled.sound("serving_rest_port", "serving_port") and settled("serving_rest_port") == settled("serving_port"):
        settled.wrong("serving_rest_port", "serving_port, of gRPC, is the same: use another, 8501 for example")
    if settled.sound("serving_monitoring") and settled("serving_monitoring") and settled("serving_rest_port") is None:
        settled.wrong("serving_monitoring", "metrics are served on the REST port: set serving_rest_port, to 8501 for example")
    _pod_security(settled)
    _tls(settled)
    _features(settled)


def _pod_security(settled: Settled) -> None:
    if not settled.sound("serving_pod_security", "serving_run_as_user", "serving_port", "serving_rest_port") or \
            settled("serving_pod_security") != "restricted":
        return
    way_out = "restricted pods do not run as root (serving_pod_security). Use another, or set serving_pod_security: baseline"
    if settled("serving_run_as_user") == 0:
        settled.wrong("serving_run_as_user", way_out)
    for name in ("serving_port", "serving_rest_port"):
        if settled(name) and settled(name) < FIRST_FREE_PORT:
            settled.wrong(name, "ports below %d are root's, and %s" % (FIRST_FREE_PORT, way_out))


def _tls(settled: Settled) -> None:
    if not settled.sound("serving_tls_secret", "serving_tls_client_verify", "serving_tls_client_secret"):
        return
    secret, flag = settled("serving_tls_secret"), "--ssl_config_file"
    for name in ("serving_tls_client_verify", "serving_tls_client_secret"):
        if settled(name) and not secret:
            settled.wrong(name, "without TLS nobody shows a certificate. Set serving_tls_secret, or leave %s out" % name)
    ours = settled("serving_tls_client_secret") or settled("check_tls_client_cert")
    if secret and settled("serving_tls_client_verify") and not ours:
        settled.wrong(
            "serving_tls_client_verify", "the playbooks ask every replica, and would not be let in: set serving_tls_client_secret, or"
            " check_tls_client_cert and check_tls_client_key")
    if secret and settled.sound("serving_args") and any(word.startswith(flag) for word in settled("serving_args")):
        settled.wrong("serving_args", "with serving_tls_secret %s is the chart's. Leave one of the two out" % flag)
    if secret and settled.sound("serving_command") and not settled("serving_command"):
        settled.wrong("serving_command", "with serving_tls_secret it has to be said what the container runs, for what an image runs by"
                      " itself cannot be told of the certificate")


def _features(settled: Settled) -> None:
    """A server prints "unknown argument" and goes on without: what it does not have is refused here."""
    if not settled.sound("serving_version", "serving_image", "serving_gpu_image", "serving_gpu"):
        return
    release, source = server_release(settled("serving_version"), settled(
        "serving_gpu_image" if settled("serving_gpu") else "serving_image"))
    wanted = {
        "version_policy": settled("serving_version_policy") == "pinned",
        "gpu_memory_fraction": settled("serving_gpu") and settled("serving_gpu_memory_fraction"),
    }
    for name, (flag, since) in FEATURES.items():
        variable = "serving_" + name
        if wanted.get(name, settled(variable)) and settled.sound(variable) and release and release < since:
            settled.wrong(
                variable, "TensorFlow Serving has %s since %d.%d, and %s. Use a newer image, leave %s at its default, or set"
                " serving_version if that is not the server's release" % (flag, *since, source, variable),
            )


def _check(settled: Settled) -> None:
    batch, most = settled("check_batch_size"), settled("serving_batching")
    most = most.get("max_batch_size") if isinstance(most, dict) else None
    if settled.sound("check_batch_size", "serving_batching") and batch and most and batch > most:
        settled.refuse(
            "check_batch_size", "check_batch_size is %d, and serving_batching.max_batch_size is %d: servers refuse larger requests."
            " Lower check_batch_size, or leave it empty." % (batch, most),
        )
    if settled.sound("check_record", "check_golden") and settled("check_record") and not settled("check_golden"):
        settled.wrong("check_record", "check_golden does not say where: set it to the path of a file on this controller (.npz)")
    if settled.sound("check_tls", "serving_tls_secret") and not settled("check_tls") and not settled("serving_tls_secret"):
        for name in ("check_tls_ca_cert", "check_tls_client_cert", "check_tls_client_key", "check_tls_server_name"):
            if settled(name):
                settled.wrong(name, "check_tls is false: set check_tls to true, or leave %s empty" % name)
    for name, other in (("check_tls_client_cert", "check_tls_client_key"), ("check_tls_client_key", "check_tls_client_cert")):
        if settled.sound(name, other) and settled(name) and not settled(other):
            settled.wrong(name, "%s is not set, and a client certificate needs both" % other)


RULES: dict[str, Callable[[Settled], None]] = {
    "model": _model, "volume": lambda settled: None, "serving": _serving, "scaling": lambda settled: None, "check": _check,
}
