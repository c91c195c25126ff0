"""Another eye on the model servers: the official tensorflow-serving-api, straight to each pod."""
from __future__ import annotations

import contextlib
import sys
import types

import grpc

from tf_lab import models

# The official protos import TensorFlow's, and those need its folder but not TensorFlow.
sys.path.append(str(models.TENSORFLOW))
sys.modules.setdefault("tensorflow", types.ModuleType("tensorflow")).__path__ = [str(models.TENSORFLOW / "tensorflow")]

from tensorflow_serving.apis import (  # noqa: E402
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2  # noqa: E402

PORT = 9090
State = get_model_status_pb2.ModelVersionStatus.State


@contextlib.contextmanager
def channel(pod):
    with grpc.insecure_channel("%s:%d" % (pod.status.pod_ip, PORT), [("grpc.use_local_subchannel_pool", 1)]) as opened:
        yield opened


def states(pod, model="mnist"):
    """{version: state} as the server tells it, {} where it does not know the model."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = model
    with channel(pod) as opened:
        try:
            reply = model_service_pb2_grpc.ModelServiceStub(opened).GetModelStatus(request, timeout=10)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return {}
            raise
    return {entry.version: State.Name(entry.state) for entry in reply.model_version_status}


def loaded(pod, model="mnist"):
    return sorted(version for version, state in states(pod, model).items() if state == "AVAILABLE")


def serves(pod, model="mnist", label=""):
    """The version that answers a request for the model (and label), None where none does."""
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = model
    if label:
        request.model_spec.version_label = label
    with channel(pod) as opened:
        try:
            reply = prediction_service_pb2_grpc.PredictionServiceStub(opened).GetModelMetadata(request, timeout=10)
        except grpc.RpcError:
            return None
    return reply.model_spec.version.value


def reload(pod, **base_paths):
    """Give one pod other models than its neighbours, as somebody with a client could."""
    request = model_management_pb2.ReloadConfigRequest()
    for name, base_path in base_paths.items():
        request.config.model_config_list.config.add(name=name, base_path=base_path, model_platform="tensorflow")
    assert isinstance(request.config, model_server_config_pb2.ModelServerConfig)
    with channel(pod) as opened:
        reply = model_service_pb2_grpc.ModelServiceStub(opened).HandleReloadConfigRequest(request, timeout=60)
    assert reply.status.error_code == 0, reply


def ready(api):
    return [
        pod for pod in api.pods("mnist-deploy") if not pod.metadata.deletion_timestamp
        and pod.status.container_statuses and all(status.ready for status in pod.status.container_statuses)
    ]


def everywhere(api, version, model="mnist", label="", replicas=2):
    """Every replica gives this version."""
    pods = ready(api)
    found = {pod.metadata.name: serves(pod, model, label) for pod in pods}
    assert len(pods) == replicas and set(found.values()) == {version}, found
