"""Holds our run-time messages against tensorflow-serving-api: official_protos.py FOLDER (of the lab's TensorFlow).

Runs in a Python of its own (test_official_protos.py), for it pretends that TensorFlow is imported: TensorFlow's
__init__ takes 4 s and 500 MB, and its generated protos need none of it.
"""
from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

import numpy

FOLDER = sys.argv[1]
sys.path.append(FOLDER)
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
sys.modules["tensorflow"] = types.ModuleType("tensorflow")
sys.modules["tensorflow"].__path__ = [FOLDER + "/tensorflow"]
importlib.import_module("conftest")  # of tests/unit: makes the collection importable

from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages  # noqa: E402
from ansible_collections.mlops.tf_serving.plugins.module_utils._tensors import DATA_TYPES, decode, encode  # noqa: E402

OFFICIAL_MODULES = [importlib.import_module(name) for name in (
    "google.protobuf.any_pb2", "google.protobuf.wrappers_pb2",
    "tensorflow.core.framework.tensor_shape_pb2", "tensorflow.core.framework.tensor_pb2",
    "tensorflow.core.framework.types_pb2", "tensorflow.core.protobuf.meta_graph_pb2",
    "tensorflow_serving.apis.status_pb2", "tensorflow_serving.apis.model_pb2", "tensorflow_serving.apis.predict_pb2",
    "tensorflow_serving.apis.get_model_metadata_pb2", "tensorflow_serving.apis.get_model_status_pb2",
    "tensorflow_serving.apis.model_management_pb2", "tensorflow_serving.config.model_server_config_pb2",
    "tensorflow_serving.config.file_system_storage_path_source_pb2",
)]


# These stand inside others.
NESTED = {
    "Dim": "TensorShapeProto", "ServableVersionPolicy": "FileSystemStoragePathSourceConfig", "Specific": "ServableVersionPolicy",
}


def official(name):
    """The official class of that name."""
    for module in OFFICIAL_MODULES:
        if hasattr(module, name):
            return getattr(module, name)
    return getattr(official(NESTED[name]), name)


def compare(ours, theirs):
    """Each of our fields is the official one: number, name, type, repeated or not, map or not. Returns how many."""
    for field in ours.fields:
        other = theirs.fields_by_number[field.number]
        assert shape(field) == shape(other), "%s: %s, officially %s" % (field.full_name, shape(field), shape(other))
    maps = [field for field in ours.fields if field.message_type and field.message_type.GetOptions().map_entry]
    return len(ours.fields) + sum(
        compare(field.message_type, theirs.fields_by_number[field.number].message_type) for field in maps
    )


def shape(field):
    kind = field.TYPE_INT32 if field.type == field.TYPE_ENUM else field.type  # the same on the wire
    message = field.message_type
    return field.name, kind, repeated(field), message and (message.name, message.GetOptions().map_entry)


def repeated(field):
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED


def compare_tensors(number, kind, dimensions):
    """What we write is read there, and what is written there, in typed values, is read by us."""
    names = {"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF"}
    assert official("DataType").Name(number) == names.get(kind.name, "DT_" + kind.name.upper())
    values = (numpy.arange(numpy.prod(dimensions)) % 2).astype(kind.numpy_type).reshape(dimensions)

    request = messages().PredictRequest(output_filter=["scores"])
    request.model_spec.name, request.model_spec.version.value = "mnist", 7
    request.inputs["images"].CopyFrom(encode(values, number))
    theirs = official("PredictRequest").FromString(request.SerializeToString())
    tensor = theirs.inputs["images"]
    assert (theirs.model_spec.name, theirs.model_spec.version.value) == ("mnist", 7)
    assert list(theirs.output_filter) == ["scores"]
    assert tensor.dtype == number and tuple(dim.size for dim in tensor.tensor_shape.dim) == dimensions
    assert tensor.tensor_content == values.tobytes()
    assert len(theirs.SerializeToString()) == request.ByteSize(), "nothing is unknown there"

    reply = official("PredictResponse")()
    reply.model_spec.version.value = 9
    tensor = reply.outputs["scores"]
    tensor.dtype = number
    for size in dimensions:
        tensor.tensor_shape.dim.add(size=size)
    getattr(tensor, kind.field).extend((values.view("<u2") if kind.name == "float16" else values).ravel().tolist())
    ours = messages().PredictResponse.FromString(reply.SerializeToString())
    again = decode(ours.outputs["scores"])
    assert ours.model_spec.version.value == 9
    assert again.dtype == values.dtype and again.shape == dimensions and numpy.array_equal(again, values)


fields = sum(compare(ours.DESCRIPTOR, official(name).DESCRIPTOR) for name, ours in vars(messages()).items())
tables = [(number, kind, dimensions) for number, kind in DATA_TYPES.items() for dimensions in ((), (0,), (3,), (2, 3))]
for table in tables:
    compare_tensors(*table)
print("%d fields and %d tensors are the same" % (fields, len(tables)))
