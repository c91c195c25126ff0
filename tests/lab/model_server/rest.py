"""The REST API and the metrics, on --rest_api_port."""
from __future__ import annotations

from .servable import decode, encode  # first: puts the slim tensorflow package in place

# isort: split
import base64
import json
import re
import socketserver
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import numpy
from google.protobuf import json_format
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import dtypes
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from .errors import Failure, invalid
from .inference import DEFAULT_SIGNATURE
from .services import model_status

ASKED = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?:(classify|regress|predict)", re.IGNORECASE)
TOLD = re.compile(r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?(?:/(metadata))?", re.IGNORECASE)
HTTP = {1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500,
        14: 503, 15: 500, 16: 401}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's would look up a host name, which can take seconds


def start(host, port, requests, metrics, metrics_path):
    """OSError if the port cannot be had."""
    api = Api(requests)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            path = urlsplit(self.path).path
            if metrics_path and path == metrics_path:
                self._answer(200, "text/plain", metrics.page())
            else:
                self._ask(path, b"")

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._ask(urlsplit(self.path).path, body)

        def _ask(self, path, body):
            if not path.lower().startswith("/v1/"):
                self._answer(404, "text/html", "<html><body><h1>Not Found</h1></body></html>\n")
                return
            try:
                code, text = 200, api.answer(self.command, path, body)
            except Failure as error:
                code, text = HTTP[error.code], json.dumps({"error": error.message}, indent=4)
            self._answer(code, "application/json", text)

        def _answer(self, code, kind, text):
            data = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments):
            pass  # the real one is silent too

    return Server((host, port), Handler)


class Api:
    def __init__(self, requests):
        self.requests = requests

    def answer(self, method, path, body):
        matched = {"GET": TOLD, "POST": ASKED}[method].fullmatch(path)
        if not matched:
            raise invalid("Malformed request: %s %s" % (method, path))
        name, number, label, what = matched.groups()

        def spec(request):
            request.model_spec.name = unquote(name)
            if number:
                request.model_spec.version.value = int(number)
            elif label:
                request.model_spec.version_label = unquote(label)
            return request

        if method == "GET" and not name:
            raise invalid("Missing model name in request.")
        what = (what or "status").lower()
        return getattr(self, "_" + what)(spec, body)

    def _status(self, spec, _body):
        return _proto(model_status(self.requests.core, spec(get_model_status_pb2.GetModelStatusRequest())))

    def _metadata(self, spec, _body):
        response = self.requests.metadata(spec(get_model_metadata_pb2.GetModelMetadataRequest(
            metadata_field=["signature_def"])))
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return '{\n"model_spec":%s,\n"metadata": {"signature_def": %s}\n}\n' % (
            _proto(response.model_spec), _proto(signatures))

    def _predict(self, spec, body):
        document = _document(body)
        request = spec(predict_pb2.PredictRequest())
        name = request.model_spec.signature_name = _signature_name(document)
        with self.requests.serving(request) as version:
            signature = version.servable.signatures.get(name or DEFAULT_SIGNATURE)
        if signature is None:
            raise invalid('Serving signature name: "%s" not found in signature def' % (name or DEFAULT_SIGNATURE))
        given = [key for key in ("instances", "inputs") if key in document]
        if not given:
            raise invalid("Missing 'inputs' or 'instances' key")
        if len(given) == 2:
            raise invalid("JSON Value: %s Not formatted correctly expecting only one of 'inputs' or 'instances' keys to "
                          "exist " % json.dumps(document))
        read = _instances if given == ["instances"] else _inputs
        for alias, value in read(document[given[0]], signature.inputs).items():
            request.inputs[alias].CopyFrom(encode(_array(value, signature.inputs[alias].dtype)))
        outputs = self.requests.predict(request, "REST").outputs
        values = {alias: _values(alias, decode(tensor)) for alias, tensor in sorted(outputs.items())}
        return json.dumps({"predictions": _rows(values)} if read is _instances else {
            "outputs": values if len(values) > 1 else next(iter(values.values()))}, indent=4)

    def _classify(self, spec, body):
        result = self.requests.classify(_of_examples(spec(classification_pb2.ClassificationRequest()), body), "REST").result
        return json.dumps({"results": [[[one.label, _decimal(one.score)] for one in row.classes]
                                       for row in result.classifications]}, indent=4)

    def _regress(self, spec, body):
        result = self.requests.regress(_of_examples(spec(regression_pb2.RegressionRequest()), body), "REST").result
        return json.dumps({"results": [_decimal(one.value) for one in result.regressions]}, indent=4)


def _of_examples(request, body):
    document = _document(body)
    request.model_spec.signature_name = _signature_name(document)
    if not isinstance(document.get("examples"), list):
        raise invalid("JSON Value: %s When method is classify, key 'examples' is expected and was not found"
                      % json.dumps(document))
    if "context" in document:
        request.input.example_list_with_context.context.CopyFrom(_example(document["context"]))
        examples = request.input.example_list_with_context.examples
    else:
        examples = request.input.example_list.examples
    examples.extend(_example(example) for example in document["examples"])
    return request


def _proto(message):
    return json_format.MessageToJson(message, indent=1, preserving_proto_field_name=True,
                                     always_print_fields_with_no_presence=True)


def _document(body):
    try:
        document = json.loads(body)
    except ValueError as error:
        raise invalid("JSON Parse error: %s" % error) from error
    if not isinstance(document, dict):
        raise invalid("JSON Value: %s Is not object" % json.dumps(document))
    return document


def _signature_name(document):
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid("JSON Value: %s not formatted correctly. 'signature_name' key must be a string value."
                      % json.dumps(document))
    return name


# JSON to tensors: "instances" is a list of rows, "inputs" has a whole tensor for each input.

def _is_object(value):
    return isinstance(value, dict) and set(value) != {"b64"}


def _instances(rows, inputs):
    if not isinstance(rows, list):
        raise invalid("Excepting 'instances' to be an list/array")  # the real one's spelling
    if not rows:
        raise invalid("No values in 'instances' array")
    if not _is_object(rows[0]):
        if len(inputs) > 1:
            raise invalid("instances is a plain list, but expecting list of objects as multiple input tensors required "
                          "as per tensorinfo_map")
        return {next(iter(inputs)): rows}
    for position, row in enumerate(rows):
        if not _is_object(row):
            raise invalid("Expecting object but got list at item %d of input list" % position)
        if set(row) != set(inputs):
            raise invalid("Failed to process element: %d of 'instances' list. JSON object: %s keys must be equal to: %s"
                          % (position, json.dumps(row), ",".join(sorted(inputs))))
    return {alias: [row[alias] for row in rows] for alias in inputs}


def _inputs(value, inputs):
    if not _is_object(value):
        if len(inputs) > 1:
            raise invalid("inputs is a plain value/list, but expecting an object as multiple input tensors required as "
                          "per tensorinfo_map")
        return {next(iter(inputs)): value}
    for alias in inputs:
        if alias not in value:
            raise invalid("Missing named input: %s in 'inputs' object." % alias)
    return {alias: value[alias] for alias in inputs}


def _array(value, kind):
    if kind == types_pb2.DT_STRING:
        return numpy.array(_bytes(value), dtype=object)
    try:
        return numpy.array(value, dtype=dtypes.as_dtype(kind).as_numpy_dtype)
    except (TypeError, ValueError) as error:
        raise invalid("JSON Value: %s Type: %s is not of expected type: %s"
                      % (json.dumps(value)[:200], type(value).__name__, dtypes.as_dtype(kind).name)) from error


def _bytes(value):
    if isinstance(value, list):
        return [_bytes(one) for one in value]
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"])
    if isinstance(value, str):
        return value.encode()
    raise invalid("JSON Value: %s is not of expected type: string" % json.dumps(value))


def _example(given):
    if not isinstance(given, dict):
        raise invalid("Example must be JSON object but got JSON %s" % type(given).__name__)
    example = example_pb2.Example()
    for name, values in given.items():
        feature = example.features.feature[name]
        values = values if isinstance(values, list) else [values]
        if all(isinstance(value, int) for value in values):
            feature.int64_list.value.extend(values)
        elif all(isinstance(value, float) for value in values):
            feature.float_list.value.extend(values)
        elif all(isinstance(value, (str, dict)) for value in values):
            feature.bytes_list.value.extend(_bytes(values))
        else:
            raise invalid("Unexpected element type in feature: %s" % name)
    return example


# Tensors to JSON.

def _values(alias, array):
    if array.dtype == object:
        def text(value):
            return {"b64": base64.b64encode(value).decode()} if alias.endswith("_bytes") else value.decode()
        return numpy.vectorize(text, otypes=[object])(array).tolist() if array.size else array.tolist()
    if array.dtype == numpy.float32:
        array = array.astype(str).astype(numpy.float64)  # 0.2, not 0.20000000298
    return array.tolist()


def _decimal(value):
    return float(str(numpy.float32(value)))


def _rows(values):
    if any(not isinstance(value, list) for value in values.values()):
        raise invalid("Tensor name: %s has no shape information " % next(iter(values)))
    if len({len(value) for value in values.values()}) > 1:
        raise invalid("Tensor name: %s has inconsistent batch size" % sorted(values)[-1])
    if len(values) == 1:
        return next(iter(values.values()))
    return [dict(zip(values, row)) for row in zip(*values.values())]
