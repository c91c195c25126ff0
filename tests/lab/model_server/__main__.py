"""Start: flags, the first load, then the ports. See README.md for what is the real server's behaviour and what is not."""
from __future__ import annotations

import os
import signal
import sys
import threading
import time
from concurrent import futures

from . import flags, log
from .errors import UNKNOWN, Failure, invalid

HOST = os.environ.get("MODEL_SERVER_HOST", "0.0.0.0")  # tests on a shared machine set 127.0.0.1
DIRECTORY_DELAY = float(os.environ.get("MODEL_SERVER_DIRECTORY_DELAY", "0"))  # seconds, as an NFS attribute cache


def main(arguments):
    release = tuple(int(part) for part in os.environ.get("TF_SERVING_RELEASE", "1.4.0").split("."))
    # The real server has no handler, so as process 1 of its container it ignores SIGTERM. Here: always.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        given, unknown, idle = flags.parse(arguments, release)
    except flags.UsageError as error:
        if str(error):
            log.error("stand_in", str(error))
        print(flags.usage(release), flush=True)
        return 255
    if given.version:
        print("TensorFlow ModelServer: %s (stand-in)" % ".".join(map(str, release)), flush=True)
        return 0
    if unknown:
        print("unknown argument: %s\n%s" % (unknown[0], flags.usage(release)), flush=True)  # and carries on
    for name in idle:
        log.warning("stand_in", "--%s is accepted and has no effect in this stand-in" % name)
    if DIRECTORY_DELAY:
        log.warning("stand_in", "changes of directories show %g s late" % DIRECTORY_DELAY)
    try:
        serve(given, release)
    except Failure as error:
        return failed_to_start(error, release)
    threading.Event().wait()
    return 0


def serve(given, release):
    """Returns when the ports are open; threads go on serving."""
    if given.batching_parameters_file and not given.enable_batching:
        raise invalid("server_options.batching_parameters_file is set without setting server_options.enable_batching to "
                      "true.")
    from . import servable, services  # servable first: puts the slim tensorflow package in place

    # isort: split
    from . import config, core, monitoring, source, versions, warmup

    metrics = monitoring.Metrics()
    batching = config.Batching(given.batching_parameters_file) if given.enable_batching else None
    tags = given.saved_model_tags.split(",")

    def load(version):
        begun, status = time.monotonic(), "fail"
        try:
            loaded = servable.Servable(version.path, tags, given.tensorflow_session_parallelism, release >= (2, 4))
            try:
                if batching:
                    batching.wrap_session()
                if given.enable_model_warmup and release >= (1, 9):
                    warmup.run(loaded, version.path, metrics, batching)
            except Failure:
                loaded.close()
                raise
            status = "success"
            return loaded
        finally:
            labels = {"model_path": version.path, "status": status}
            metrics.count(":tensorflow:cc:saved_model:load_attempt_count", labels)
            metrics.count(":tensorflow:cc:saved_model:load_latency", {"model_path": version.path},
                          by=int((time.monotonic() - begun) * 1e6))

    manager = versions.Manager(load, given.max_num_load_retries, given.load_retry_interval_micros / 1e6,
                               given.num_load_threads)
    models = core.Core(manager, source.Source(manager.aspire, given.file_system_poll_wait_seconds, release, DIRECTORY_DELAY),
                       given.allow_version_labels_for_unavailable_models)
    file, poll_seconds = given.model_config_file, given.model_config_file_poll_wait_seconds
    models.reload(config.models(file, release) if file else config.single_model(given.model_name, given.model_base_path))
    if file and poll_seconds > 0:
        threading.Thread(target=poll_config, args=(file, poll_seconds, models, release), daemon=True).start()

    metrics_path = config.prometheus_path(given.monitoring_config_file) if given.rest_api_port else None
    requests = services.Requests(models, release, metrics if metrics_path else None, batching,
                                 given.enable_serialization_as_tensor_content)
    start_grpc(given, release, services, requests)
    if given.rest_api_port:
        start_rest(given, requests, metrics, metrics_path)


def poll_config(file, seconds, models, release):
    """Applies the file at every poll, also when it has not changed: over what a reload request has said meanwhile."""
    from . import config

    while True:
        try:
            models.reload(config.models(file, release))
        except Failure as error:
            log.error("server", "PollFilesystemAndReloadConfig failed to ReloadConfig: %s" % error.message)
        time.sleep(seconds)


def start_grpc(given, release, services, requests):
    import grpc
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    from . import config

    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=8, thread_name_prefix="grpc"),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
                 ("grpc.so_reuseport", 0), *flags.channel_arguments(given.grpc_channel_arguments)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(services.PredictionService(requests), server)
    if release >= (1, 6):
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(services.ModelService(requests.core), server)
    address = "%s:%d" % (HOST, given.port)
    try:
        if given.ssl_config_file:
            server.add_secure_port(address, config.server_credentials(given.ssl_config_file))
        else:
            server.add_insecure_port(address)
    except RuntimeError as error:
        raise Failure(UNKNOWN, "Failed to BuildAndStart gRPC server: %s" % error) from error
    server.start()
    KEPT.append(server)
    kind = "gRPC ModelServer" if release >= (1, 8) else "ModelServer"
    log.info("server" if release >= (1, 8) else "main", "Running %s at %s ..." % (kind, address))


def start_rest(given, requests, metrics, metrics_path):
    """What goes wrong here leaves the gRPC server running."""
    from . import rest

    if given.rest_api_port == given.port:
        log.error("server", "server_options.http_port cannot be same as grpc_port. Please use a different port for HTTP/REST "
                  "API. Skipped exporting HTTP/REST API.")
        return
    try:
        server = rest.start(HOST, given.rest_api_port, requests, metrics, metrics_path)
    except OSError:
        log.error("server", "Failed to start HTTP Server at localhost:%d" % given.rest_api_port)
        return
    threading.Thread(target=server.serve_forever, name="rest", daemon=True).start()
    log.info("server", "Exporting HTTP/REST API at:localhost:%d ..." % given.rest_api_port)


KEPT = []  # a gRPC server that nobody refers to stops


def failed_to_start(failure, release):
    if release >= (2,):
        print("Failed to start server. Error: %s" % failure, flush=True)
        return 255
    log.fatal("main", "Non-OK-status: ServerCore::Create(std::move(options), &core) status: %s" % failure)
    return 134  # what a shell calls SIGABRT


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # threads of TensorFlow and gRPC are not waited for
