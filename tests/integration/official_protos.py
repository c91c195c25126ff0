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

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import examples
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages  # noqa: E402

OFFICIAL_MODULES = [importlib.import_module(name) for name in (
    "google.protobuf.any_pb2", "google.protobuf.wrappers_pb2",
    "tensorflow.core.example.feature_pb2", "tensorflow.core.example.example_pb2",
    "tensorflow.core.framework.tensor_shape_pb2", "tensorflow.core.framework.tensor_pb2",
    "tensorflow.core.framework.types_pb2", "tensorflow.core.protobuf.meta_graph_pb2",
    "tensorflow_serving.apis.status_pb2", "tensorflow_serving.apis.model_pb2", "tensorflow_serving.apis.predict_pb2",
    "tensorflow_serving.apis.input_pb2", "tensorflow_serving.apis.classification_pb2", "tensorflow_serving.apis.regression_pb2",
    "tensorflow_serving.apis.get_model_metadata_pb2", "tensorflow_serving.apis.get_model_status_pb2",
    "tensorflow_serving.apis.model_management_pb2", "tensorflow_serving.config.model_server_config_pb2",
    "tensorflow_serving.config.file_system_storage_path_source_pb2",
)]


# These stand inside others.
NESTED = {
    "Dim": "TensorShapeProto", "ServableVersionPolicy": "FileSystemStoragePathSourceConfig", "Specific": "ServableVersionPolicy",
    "CooSparse": "TensorInfo", "CompositeTensor": "TensorInfo",
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


def compare_examples():
    """What we build is read there, and what is written there becomes columns."""
    columns = {
        "pixels": numpy.arange(6, dtype="f4").reshape(2, 3), "label": numpy.array([3, -(2**63)]), "none": numpy.empty((2, 0), "i8"),
        "name": numpy.array([b"\xff\0", b""], object),
    }
    ours = examples.build(columns)
    theirs = [official("Example").FromString(data) for data in ours]
    for row, example in enumerate(theirs):
        feature = example.features.feature
        assert {name: feature[name].WhichOneof("kind") for name in feature} == {
            "pixels": "float_list", "label": "int64_list", "none": "int64_list", "name": "bytes_list",
        }
        assert list(feature["pixels"].float_list.value) == columns["pixels"][row].tolist()
        assert list(feature["label"].int64_list.value) == [columns["label"][row]]
        assert list(feature["none"].int64_list.value) == []
        assert list(feature["name"].bytes_list.value) == [columns["name"][row]]
    assert [example.SerializeToString(deterministic=True) for example in theirs] == ours
    again, left_out = examples.parse([example.SerializeToString() for example in theirs])
    assert again.keys() == columns.keys() and not left_out
    assert all(again[name].dtype == columns[name].dtype and numpy.array_equal(again[name], columns[name]) for name in columns)


compare_examples()
fields = sum(compare(ours.DESCRIPTOR, official(name).DESCRIPTOR) for name, ours in vars(messages()).items())
print("%d fields are the same" % fields)
