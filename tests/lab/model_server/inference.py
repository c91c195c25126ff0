"""What a request asks of a servable: Predict, Classify and GetModelMetadata, for gRPC, REST and warm-up alike."""
from __future__ import annotations

from .servable import decode, encode  # first: puts the slim tensorflow package in place

# isort: split
import numpy
from tensorflow_serving.apis import get_model_metadata_pb2

from .errors import FAILED_PRECONDITION, Failure, invalid

DEFAULT_SIGNATURE = "serving_default"
CLASSIFY = "tensorflow/serving/classify"


def predict(servable, request, response, batching=None, as_content=False):
    """Fills a PredictResponse; returns the signature's name."""
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise Failure(FAILED_PRECONDITION, 'Serving signature key "%s" not found.' % name)
    feeds = _feeds(signature, request)
    aliases = _output_aliases(signature, request)
    if batching:
        batching.check(max((len(array) for array in feeds.values() if array.ndim), default=0))
    arrays = servable.run(feeds, [signature.outputs[alias].name for alias in aliases])
    for alias, array in zip(aliases, arrays):
        response.outputs[alias].CopyFrom(encode(array, as_content))
    return name


def classify(servable, request, response):
    """Fills a ClassificationResponse; returns the signature's name."""
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise invalid("No signature was found with the name: %s" % name)
    if signature.method_name != CLASSIFY:
        raise invalid("Expected classification signature method_name to be %s. Was: %s" % (CLASSIFY, signature.method_name))
    examples = _examples(request.input)
    wanted = [alias for alias in ("classes", "scores") if alias in signature.outputs]
    arrays = dict(zip(wanted, servable.run(
        {signature.inputs["inputs"].name: numpy.array(examples, dtype=object)},
        [signature.outputs[alias].name for alias in wanted])))
    for row in range(len(examples)):
        classifications = response.result.classifications.add()
        for column in range(arrays[wanted[0]].shape[1]):
            one = classifications.classes.add()
            if "classes" in arrays:
                one.label = arrays["classes"][row, column].decode()
            if "scores" in arrays:
                one.score = arrays["scores"][row, column]
    return name


def metadata(version, response):
    response.model_spec.name = version.model
    response.model_spec.version.value = version.number
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in version.servable.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
    response.metadata["signature_def"].Pack(signatures)


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


def _output_aliases(signature, request):
    for alias in request.output_filter:
        if alias not in signature.outputs:
            raise invalid("output tensor alias not found in signature: %s Outputs expected to be in the set {%s}."
                          % (alias, ",".join(sorted(signature.outputs))))
    if len(set(request.output_filter)) != len(request.output_filter):
        raise invalid("duplicate output tensor alias: %s" % request.output_filter[0])
    return list(request.output_filter) or sorted(signature.outputs)


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
