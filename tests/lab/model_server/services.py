"""The gRPC services, with the official protos."""
from __future__ import annotations

from . import inference  # first: puts the slim tensorflow package in place

# isort: split
import functools
import time
from concurrent import futures

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from . import config, log
from .errors import NOT_FOUND, UNKNOWN, Failure, invalid
from .servable import errors_impl

CODES = {code.value[0]: code for code in grpc.StatusCode}


def answering(method):
    """Turn what a method raises into a gRPC status."""
    @functools.wraps(method)
    def answer(self, request, context):
        try:
            return method(self, request)
        except Failure as error:
            context.abort(CODES[error.code], error.message)
    return answer


class Requests:
    """PredictionService without a protocol: gRPC and REST ask it. Without metrics it is a tenth faster."""

    def __init__(self, core, release, metrics=None, batching=None, as_content=False):
        self.core, self.release, self.metrics = core, release, metrics
        self.batching, self.as_content = batching, as_content

    def predict(self, request, entrypoint="GRPC"):
        return self._run(request, entrypoint, "Predict", predict_pb2.PredictResponse(), functools.partial(
            inference.predict, batching=self.batching, as_content=self.as_content))

    def classify(self, request, entrypoint="GRPC"):
        return self._run(request, entrypoint, "Classify", classification_pb2.ClassificationResponse(), functools.partial(
            inference.classify, batching=self.batching))

    def regress(self, request, entrypoint="GRPC"):
        return self._run(request, entrypoint, "Regress", regression_pb2.RegressionResponse(), functools.partial(
            inference.regress, batching=self.batching))

    def metadata(self, request):
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid("Metadata field %%s is not supported%s" % field)  # the real one's formatting slip
        with self.serving(request) as version:
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            inference.metadata(version, response)
            return response

    def serving(self, request):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if self.release < (1, 9) and request.model_spec.WhichOneof("version_choice") == "version_label":
            request.model_spec.ClearField("version_label")  # before that an unknown field, passed over
        return self.core.serving(request.model_spec)

    def _run(self, request, entrypoint, api, response, infer):
        begun, micros, status = time.perf_counter(), None, "OK"
        try:
            with self.serving(request) as version:
                before = time.perf_counter()
                signature = infer(version.servable, request, response)
                micros = (time.perf_counter() - before) * 1e6
                if self.release >= (1, 9):  # 1.4.0's response has no such field
                    response.model_spec.name, response.model_spec.signature_name = version.model, signature
                    response.model_spec.version.value = version.number
            return response
        except errors_impl.OpError as error:
            status = CODES.get(error.error_code, grpc.StatusCode.UNKNOWN).name
            raise Failure(error.error_code if error.error_code in CODES else UNKNOWN, error.message) from error
        except Failure as error:
            status = CODES[error.code].name
            raise
        finally:
            if self.metrics:
                self.metrics.request(request.model_spec.name, api, entrypoint, status,
                                     (time.perf_counter() - begun) * 1e6, micros)


def model_status(core, request):
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    versions = core.states(spec.name)
    if spec.WhichOneof("version_choice") == "version":  # a label is passed over
        versions = [version for version in versions if version.number == spec.version.value]
        if not versions:
            raise Failure(NOT_FOUND, "Could not find version %d of model %s" % (spec.version.value, spec.name))
    if not versions:
        raise Failure(NOT_FOUND, "Could not find any versions of model %s" % spec.name)
    response = get_model_status_pb2.GetModelStatusResponse()
    for version in versions:
        response.model_version_status.add(version=version.number, state=version.state,
                                          status={"error_code": version.code, "error_message": version.message})
    return response


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, requests):
        self.requests = requests

    @answering
    def Predict(self, request):
        return self.requests.predict(request)

    @answering
    def Classify(self, request):
        return self.requests.classify(request)

    @answering
    def Regress(self, request):
        return self.requests.regress(request)

    @answering
    def GetModelMetadata(self, request):
        return self.requests.metadata(request)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """From 1.6 on."""

    def __init__(self, core):
        self.core = core

    @answering
    def GetModelStatus(self, request):
        return model_status(self.core, request)

    @answering
    def HandleReloadConfigRequest(self, request):
        if request.config.WhichOneof("config") != "model_config_list":
            raise self._failed(invalid("ServerModelConfig type not supported by HandleReloadConfigRequest. "
                                       "Only ModelConfigList is currently supported"))
        for index, model in enumerate(request.config.model_config_list.config):
            log.info("model_service", "\nConfig entry\n\tindex : %d\n\tpath : %s\n\tname : %s\n\tplatform : %s"
                     % (index, model.base_path, model.name, model.model_platform))
        try:
            self.core.reload(config.entries(request.config))
        except Failure as error:
            raise self._failed(error) from error
        return model_management_pb2.ReloadConfigResponse()

    # Reloads wait for loads, and for one another, for ever if need be: they must not take the threads of the requests.
    HandleReloadConfigRequest.experimental_thread_pool = futures.ThreadPoolExecutor(64, "reload")

    @staticmethod
    def _failed(error):
        log.error("model_service", "ReloadConfig failed: %s" % error.message)
        return error
