"""Start: flags, the first load, then the port. See README.md for what is the real server's behaviour and what is not."""
from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent import futures

from . import flags, log

HOST = os.environ.get("MODEL_SERVER_HOST", "0.0.0.0")  # tests on a shared machine set 127.0.0.1


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
    if given.batching_parameters_file and not given.enable_batching:
        log.fatal("main", "You supplied --batching_parameters_file without --enable_batching")
        return 134
    if given.model_config_file:
        log.fatal("stand_in", "--model_config_file is not modelled: use --model_name and --model_base_path.")
        return 134
    for name in idle:
        log.warning("stand_in", "--%s is accepted and has no effect in this stand-in" % name)
    return serve(given, release)


def serve(given, release):
    from . import services, versions
    from .servable import Servable

    log.info("main", "Building single TensorFlow model file config:  model_name: %s model_base_path: %s"
             % (given.model_name, given.model_base_path))
    tags = given.saved_model_tags.split(",")
    model = versions.Model(
        given.model_name, given.model_base_path,
        lambda path: Servable(path, tags, given.tensorflow_session_parallelism),
        given.file_system_poll_wait_seconds, given.max_num_load_retries, given.load_retry_interval_micros / 1e6, release)
    log.info("server_core", "Adding/updating models.")
    log.info("server_core", " (Re-)adding model: %s" % model.name)
    model.start()
    version = model.wait_until_loaded()  # the port opens only then
    if version.state == versions.END:
        return failed_to_start(version, release)

    import grpc
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=8, thread_name_prefix="grpc"),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
                 ("grpc.so_reuseport", 0), *flags.channel_arguments(given.grpc_channel_arguments)])
    models = {model.name: model}
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        services.PredictionService(models, release, given.enable_serialization_as_tensor_content), server)
    if release >= (1, 6):
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(services.ModelService(models), server)
    try:
        server.add_insecure_port("%s:%d" % (HOST, given.port))
    except RuntimeError as error:
        print("Failed to start server. Error: Unknown: Failed to BuildAndStart gRPC server: %s" % error, flush=True)
        return 255
    server.start()
    if release >= (1, 8):
        log.info("server", "Running gRPC ModelServer at %s:%d ..." % (HOST, given.port))
    else:
        log.info("main", "Running ModelServer at %s:%d ..." % (HOST, given.port))
    threading.Event().wait()
    return 0


def failed_to_start(version, release):
    if release >= (2,):
        print("Failed to start server. Error: Unknown: 1 servable(s) did not become available: {{%s due to error: %s}, }"
              % (version, version.message), flush=True)
        return 255
    log.fatal("main", "Non-OK-status: ServerCore::Create(std::move(options), &core) status: Unknown: "
              "1 servable(s) did not become available: {%s}" % version)
    return 134  # what a shell calls SIGABRT


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # threads of TensorFlow and gRPC are not waited for
