"""What a request asks of a servable: Predict, Classify, Regress and GetModelMetadata, for gRPC, REST and warm-up alike."""
from __future__ import annotations

from .servable import decode, encode  # first: puts the slim tensorflow package in place

# isort: split
import numpy
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import dtypes
from tensorflow_serving.apis import get_model_metadata_pb2

from .errors import FAILED_PRECONDITION, INTERNAL, Failure, invalid

DEFAULT_SIGNATURE = "serving_default"
CLASSIFY, REGRESS, PREDICT = ("tensorflow/serving/" + name for name in ("classify", "regress", "predict"))


def predict(servable, request, response, batching=None, as_content=False):
    """Fills a PredictResponse; returns the signature's name."""
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise Failure(FAILED_PRECONDITION, 'Serving signature key "%s" not found.' % name)
    if not servable.any_method and signature.method_name not in (PREDICT, CLASSIFY, REGRESS):
        raise Failure(INTERNAL, "Expected prediction signature method_name to be one of {%s, %s, %s}. Was: %s"
                      % (PREDICT, CLASSIFY, REGRESS, signature.method_name))
    feeds = _feeds(signature, request)
    aliases = _output_aliases(signature, request)
    arrays = _run(servable, feeds, [signature.outputs[alias].name for alias in aliases], batching)
    for alias, array in zip(aliases, arrays):
        response.outputs[alias].CopyFrom(encode(array, as_content))
    return name


def classify(servable, request, response, batching=None):
    """Fills a ClassificationResponse; returns the signature's name."""
    name, signature = _signature_of_examples(servable, request, CLASSIFY, "classification")
    if len(signature.outputs) not in (1, 2):
        raise invalid("Expected one or two output Tensors, found %d" % len(signature.outputs))
    wanted = [alias for alias in ("classes", "scores") if alias in signature.outputs]
    if not wanted:
        raise Failure(FAILED_PRECONDITION, 'Expected classification signature outputs to contain at least one of "classes" or '
                      '"scores". Signature was: %s' % signature)
    count, arrays = _run_examples(servable, request, signature, wanted, batching)
    for alias, kind in (("classes", "DT_STRING"), ("scores", "DT_FLOAT")):
        if alias not in arrays:
            continue
        array = arrays[alias]
        if array.ndim != 2:
            raise invalid("Expected Tensor shape: [batch_size num_classes] but got %s" % _shape(array))
        if _kind(array) != kind:
            raise invalid("Expected %s Tensor of %s. Got: %s" % (alias, kind, _kind(array)))
        if len(array) != count:
            raise invalid("Expected %s output batch size of %d. Got: %d" % (alias, count, len(array)))
    widths = [arrays[alias].shape[1] for alias in wanted]
    if len(set(widths)) > 1:
        raise invalid("Tensors class and score should match in dim_size(1). Got %d vs. %d" % tuple(widths))
    for row in range(count):
        classifications = response.result.classifications.add()
        for column in range(widths[0]):
            one = classifications.classes.add()
            if "classes" in arrays:
                one.label = arrays["classes"][row, column].decode()
            if "scores" in arrays:
                one.score = arrays["scores"][row, column]
    return name


def regress(servable, request, response, batching=None):
    """Fills a RegressionResponse; returns the signature's name."""
    name, signature = _signature_of_examples(servable, request, REGRESS, "regression")
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if "outputs" not in signature.outputs:
        raise Failure(FAILED_PRECONDITION, "No regression outputs found in SignatureDef: %s" % signature)
    count, arrays = _run_examples(servable, request, signature, ["outputs"], batching)
    array = arrays["outputs"]
    if not (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        raise invalid("Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got %s" % _shape(array))
    if len(array) != count:
        raise invalid("Input batch size did not match output batch size: %d vs. %d" % (count, len(array)))
    if _kind(array) != "DT_FLOAT":
        raise invalid("Expected output Tensor of DT_FLOAT.  Got: %s" % _kind(array))
    for value in array.ravel().tolist():
        response.result.regressions.add(value=value)
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
        except (ValueError, TypeError, LookupError) as error:
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


def _run(servable, feeds, fetches, batching):
    if not batching:
        return servable.run(feeds, fetches)
    with batching.queued(max((len(array) for array in feeds.values() if array.ndim), default=0)):
        return servable.run(feeds, fetches)


# Classify and Regress: one input, which takes serialised tf.Examples.

def _signature_of_examples(servable, request, method, kind):
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise invalid("No signature was found with the name: %s" % name)
    if not servable.any_method and signature.method_name != method:
        raise invalid("Expected %s signature method_name to be %s. Was: %s" % (kind, method, signature.method_name))
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if "inputs" not in signature.inputs:
        raise Failure(FAILED_PRECONDITION, "No %s inputs found in SignatureDef: %s" % (kind, signature))
    return name, signature


def _run_examples(servable, request, signature, aliases, batching):
    """(number of examples, {alias: array})"""
    examples = numpy.array(_examples(request.input), dtype=object)
    arrays = _run(servable, {signature.inputs["inputs"].name: examples},
                  [signature.outputs[alias].name for alias in aliases], batching)
    return len(examples), dict(zip(aliases, arrays))


def _shape(array):
    return "[%s]" % ",".join(map(str, array.shape))


def _kind(array):
    return types_pb2.DataType.Name(dtypes.as_dtype(array.dtype).as_datatype_enum)


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
