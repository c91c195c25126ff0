"""The gRPC services, with the official protos. Error texts are the real server's: clients match on them."""
from __future__ import annotations

from .servable import decode, encode, errors_impl  # first: puts the slim tensorflow package in place

# isort: split
import grpc
import numpy
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from .versions import NotServed

CODES = {code.value[0]: code for code in grpc.StatusCode}
DEFAULT_SIGNATURE = "serving_default"
CLASSIFY = "tensorflow/serving/classify"


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


def invalid(message):
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def answering(method):
    """Turn what a method raises into a gRPC status."""
    def answer(self, request, context):
        try:
            return method(self, request)
        except Refused as error:
            context.abort(error.code, error.message)
        except NotServed as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except errors_impl.OpError as error:
            context.abort(CODES.get(error.error_code, grpc.StatusCode.UNKNOWN), error.message)
    return answer


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, models, release, as_content=False):
        self.models, self.release, self.as_content = models, release, as_content

    @answering
    def Predict(self, request):
        with self._serving(request) as version:
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            signature = version.servable.signatures.get(name)
            if signature is None:
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "%s" not found.' % name)
            feeds = self._feeds(signature, request)
            aliases = self._output_aliases(signature, request)
            arrays = version.servable.run(feeds, [signature.outputs[alias].name for alias in aliases])
            response = predict_pb2.PredictResponse()
            for alias, array in zip(aliases, arrays):
                response.outputs[alias].CopyFrom(encode(array, self.as_content))
            self._effective_spec(response.model_spec, version, name)
            return response

    @answering
    def Classify(self, request):
        with self._serving(request) as version:
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            signature = version.servable.signatures.get(name)
            if signature is None:
                raise invalid("No signature was found with the name: %s" % name)
            if signature.method_name != CLASSIFY:
                raise invalid("Expected classification signature method_name to be %s. Was: %s"
                              % (CLASSIFY, signature.method_name))
            examples = self._examples(request.input)
            wanted = [alias for alias in ("classes", "scores") if alias in signature.outputs]
            arrays = dict(zip(wanted, version.servable.run(
                {signature.inputs["inputs"].name: numpy.array(examples, dtype=object)},
                [signature.outputs[alias].name for alias in wanted])))
            response = classification_pb2.ClassificationResponse()
            for row in range(len(examples)):
                classifications = response.result.classifications.add()
                for column in range(arrays[wanted[0]].shape[1]):
                    one = classifications.classes.add()
                    if "classes" in arrays:
                        one.label = arrays["classes"][row, column].decode()
                    if "scores" in arrays:
                        one.score = arrays["scores"][row, column]
            self._effective_spec(response.model_spec, version, name)
            return response

    @answering
    def GetModelMetadata(self, request):
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid("Metadata field %%s is not supported%s" % field)  # the real one's formatting slip
        with self._serving(request) as version:
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = version.model
            response.model_spec.version.value = version.number
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, signature in version.servable.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
            response.metadata["signature_def"].Pack(signatures)
            return response

    def _serving(self, request):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label" and self.release >= (1, 9):  # before that an unknown field, passed over
            raise invalid("Unrecognized servable version label: %s" % spec.version_label)
        number = spec.version.value if choice == "version" else None
        if spec.name not in self.models:
            wanted = "Latest(%s)" % spec.name if number is None else "Specific(%s, %d)" % (spec.name, number)
            raise NotServed("Servable not found for request: %s" % wanted)
        return self.models[spec.name].serving(number)

    def _effective_spec(self, spec, version, signature_name):
        if self.release >= (1, 9):  # 1.4.0's response has no such field
            spec.name, spec.signature_name = version.model, signature_name
            spec.version.value = version.number

    @staticmethod
    def _feeds(signature, request):
        sent, known = set(request.inputs), set(signature.inputs)
        if len(sent) != len(known):
            raise invalid(
                "input size does not match signature: %d!=%d len({%s}) != len({%s}). Sent extra: {%s}. Missing but "
                "required: {%s}." % (len(sent), len(known), *(
                    ",".join(sorted(names)) for names in (sent, known, sent - known, known - sent))))
        feeds = {}
        for alias in sorted(sent):
            if alias not in known:
                raise invalid("input tensor alias not found in signature: %s. Inputs expected to be in the set {%s}."
                              % (alias, ",".join(sorted(known))))
            try:
                feeds[signature.inputs[alias].name] = decode(request.inputs[alias])
            except (ValueError, TypeError) as error:
                raise invalid("tensor parsing error: %s" % alias) from error
        return feeds

    @staticmethod
    def _output_aliases(signature, request):
        for alias in request.output_filter:
            if alias not in signature.outputs:
                raise invalid("output tensor alias not found in signature: %s Outputs expected to be in the set {%s}."
                              % (alias, ",".join(sorted(signature.outputs))))
        if len(set(request.output_filter)) != len(request.output_filter):
            raise invalid("duplicate output tensor alias: %s" % request.output_filter[0])
        return list(request.output_filter) or sorted(signature.outputs)

    @staticmethod
    def _examples(given):
        kind = given.WhichOneof("kind")
        if kind == "example_list":
            examples = [example.SerializeToString() for example in given.example_list.examples]
        elif kind == "example_list_with_context":
            context = given.example_list_with_context.context.SerializeToString()
            # Protobuf messages concatenated are protobuf messages merged.
            examples = [context + example.SerializeToString() for example in given.example_list_with_context.examples]
        else:
            examples = []
        if not examples:
            raise invalid("Input is empty.")
        return examples


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """From 1.6 on."""

    def __init__(self, models):
        self.models = models

    @answering
    def GetModelStatus(self, request):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        versions = self.models[spec.name].states() if spec.name in self.models else []
        if spec.WhichOneof("version_choice") == "version":
            versions = [version for version in versions if version.number == spec.version.value]
            if not versions:
                raise NotServed("Could not find version %d of model %s" % (spec.version.value, spec.name))
        if not versions:
            raise NotServed("Could not find any versions of model %s" % spec.name)
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in versions:
            response.model_version_status.add(
                version=version.number, state=version.state,
                status={"error_code": version.code, "error_message": version.message})
        return response
