# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests that a server sends to a version before it takes traffic: written, or checked, on the NAS node.

    <version>/assets.extra/tf_serving_warmup_requests     TFRecord, each record a PredictionLog

A server refuses to load a version with a bad record among them, so a bad one must never go live. Field numbers are
those of tensorflow_serving/apis/{prediction_log,predict,model,inference}.proto and framework/tensor.proto.
"""
import array
import base64
import functools
import operator
import os
import struct
import sys
import zlib
from typing import Any, Dict, Iterable, List, Tuple

from ansible_collections.mlops.tf_serving.plugins.module_utils import tfrecord
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow, savedmodel
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed, field, last_text, messages

FILE = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000  # a server refuses more
PREDICT_LOG, MULTI_INFERENCE_LOG = 6, 4
LOGS = (2, 3, MULTI_INFERENCE_LOG, PREDICT_LOG)  # classify, regress, ...
TYPES = {"float32": "f", "float64": "d"}  # what images can be, and struct's letter for it


def packed(images: Any) -> Dict[str, Any]:
    """Samples (an array of float32, one row each) as a module's option."""
    return {
        "shape": list(images.shape),
        "values": base64.b64encode(zlib.compress(images.astype("<f4").tobytes())).decode(),
    }


def unpacked(samples: Dict[str, Any]) -> Tuple[List[int], List[Any]]:
    """(shape of one sample, [array of floats])"""
    values = array.array("f", zlib.decompress(base64.b64decode(samples["values"])))
    if sys.byteorder == "big":
        values.byteswap()
    count, size = samples["shape"][0], _product(samples["shape"][1:])
    return samples["shape"][1:], [values[at * size:(at + 1) * size] for at in range(count)]


def _product(sizes: Iterable[int]) -> int:
    return functools.reduce(operator.mul, sizes, 1)  # math.prod is of Python 3.8


def write(folder: str, samples: Dict[str, Any], signature: str, signatures: Dict[str, Any], model_name: str) -> int:
    """One record for each sample. Returns their number."""
    shape, rows = unpacked(samples)
    name, kind, batch, shape = _input(signature, signatures, shape)
    spec = field(1, model_name) + field(3, signature)
    sizes = b"".join(field(2, field(1, size)) for size in [batch] + shape)
    head = field(1, savedmodel.DTYPES.index(kind)) + field(2, sizes)
    path = os.path.join(folder, FILE)
    nofollow.make_folders(os.path.dirname(path))
    with nofollow.writing(path) as file:
        for row in rows:
            content = struct.pack("<%d%s" % (len(row), TYPES[kind]), *row) * batch
            request = field(1, spec) + field(2, field(1, name) + field(2, head + field(4, content)))
            file.write(tfrecord.record(field(PREDICT_LOG, field(1, request))))
        file.flush()
        os.fsync(file.fileno())
    return len(rows)


def _input(signature: str, signatures: Dict[str, Any], shape: List[int]) -> Tuple[str, str, int, List[int]]:
    """(name, type, batch size, shape of one sample) of the signature's one input."""
    if signature not in signatures:
        raise _unfit(signature, "the model has no such signature (it has: %s)" % (", ".join(sorted(signatures)) or "none"))
    if signatures[signature]["method"] in savedmodel.METHODS[1:]:
        raise _unfit(
            signature, "its method is %s, and images can only be sent to a predict signature" % signatures[signature]["method"]
        )
    inputs = signatures[signature]["inputs"]
    kinds = [(name, *text.rstrip("]").split("[")) for name, text in inputs.items()]  # such as float32[-1,784]
    if len(kinds) != 1 or kinds[0][1] not in TYPES:
        raise _unfit(
            signature, "images need one input of type float32 or float64, and it has %s"
            % (", ".join("%s %s" % item for item in sorted(inputs.items())) or "none"),
        )
    name, kind, sizes = kinds[0]
    # Those of the inference check: as a vector, as it is, with one channel at the end or in front.
    shapes = ([_product(shape)], list(shape), list(shape) + [1], [1] + list(shape))
    if sizes == "?":
        return name, kind, 1, shapes[0]
    wanted = [int(size) for size in sizes.split(",") if size]
    for fits in shapes:
        if len(fits) == len(wanted) - 1 and all(want in (-1, have) for want, have in zip(wanted[1:], fits)):
            return name, kind, max(1, wanted[0]), fits
    raise _unfit(signature, "its input %s is %s, and the dataset's images are %s" % (
        name, inputs[name], " x ".join(map(str, shape)) or "single numbers"))


def _unfit(signature: str, reason: str) -> Error:
    return Error(
        "No warm-up records can be made for the signature %s: %s. Change check_signature, or set model_warmup: 0."
        % (signature, reason), "warmup_impossible",
    )


def inspect(folder: str, signatures: Dict[str, Any]) -> int:
    """The number of warm-up records in a version folder, 0 where it has no such file; an Error if one is bad."""
    count = 0
    try:
        with nofollow.reading(os.path.join(folder, FILE)) as file:
            for data in tfrecord.records(file, os.fstat(file.fileno()).st_size):
                if count == MAX_RECORDS:
                    raise Malformed("a server takes %d at most" % MAX_RECORDS)
                for name in signature_names(data):
                    if name not in signatures:
                        raise Malformed("it asks for the signature %s, and the model has %s" % (
                            name, ", ".join(sorted(signatures)) or "none"))
                count += 1
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except Malformed as problem:
        raise Error(
            "%s is bad, and a server would refuse to load the version: record %d: %s. Make the file again, or leave it out."
            % (FILE, count + 1, problem), "warmup_invalid", record=count + 1,
        ) from None
    return count


def signature_names(data: bytes) -> List[str]:
    """The signatures that one PredictionLog asks for; an empty name means serving_default."""
    whole = (0, len(data))
    asked = [(kind, request) for kind in LOGS for log in messages(data, whole, kind) for request in messages(data, log, 1)]
    if len(asked) != 1:
        raise Malformed("it is not one request to predict, classify, regress or multi_inference")
    kind, request = asked[0]
    parts = messages(data, request, 1) if kind == MULTI_INFERENCE_LOG else [request]
    specs = [spec for part in parts for spec in messages(data, part, 1)]
    if not specs:
        raise Malformed("it has no model_spec")
    return [last_text(data, spec, 3) or "serving_default" for spec in specs]
