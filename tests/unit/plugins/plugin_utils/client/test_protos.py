from __future__ import annotations

import importlib.metadata
import re

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import protos
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages


def test_bytes_that_the_official_protos_make():
    """Made with tensorflow-serving-api 2.21.0; tests/integration compares all descriptors field by field."""
    request = messages().PredictRequest(output_filter=["scores"])
    request.model_spec.name, request.model_spec.signature_name = "mnist", "predict_images"
    request.model_spec.version.value = 3
    tensor = request.inputs["images"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=2)
    tensor.tensor_content = b"\0\0\x80?\0\0\0@"
    assert request.SerializeToString(deterministic=True) == (
        b"\n\x1b\n\x05mnist\x12\x02\x08\x03\x1a\x0epredict_images"
        b'\x12\x1c\n\x06images\x12\x12\x08\x01\x12\x04\x12\x02\x08\x02"\x08\0\0\x80?\0\0\0@'
        b"\x1a\x06scores"
    )


def test_what_is_called():
    """As the official *_grpc.py have it, and the enum of get_model_status.proto."""
    assert (protos.PREDICT, protos.CLASSIFY, protos.REGRESS, protos.GET_MODEL_METADATA) == (
        "/tensorflow.serving.PredictionService/Predict", "/tensorflow.serving.PredictionService/Classify",
        "/tensorflow.serving.PredictionService/Regress", "/tensorflow.serving.PredictionService/GetModelMetadata",
    )
    assert (protos.GET_MODEL_STATUS, protos.RELOAD_CONFIG) == (
        "/tensorflow.serving.ModelService/GetModelStatus", "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
    )
    assert protos.MODEL_VERSION_STATES == {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}


def test_the_version():
    assert protos.version() == importlib.metadata.version("protobuf")


def test_maps():
    """Entries as protoc makes them, or pure Python takes them for lists."""
    field = messages().PredictRequest.DESCRIPTOR.fields_by_name["inputs"]
    assert field.message_type.name == "InputsEntry" and field.message_type.GetOptions().map_entry
    assert [(one.name, one.number) for one in field.message_type.fields] == [("key", 1), ("value", 2)]
    assert messages().ModelConfig(version_labels={"canary": 2}).SerializeToString() == b"B\x0a\x0a\x06canary\x10\x02"
    assert messages() is messages(), "made once"


def test_typed_arrays_are_packed():
    assert messages().TensorProto(float_val=[1, 2]).SerializeToString() == b"*\x08\0\0\x80?\0\0\0@"


def test_every_definition_is_read():
    assert len(re.findall(r"^message ", protos.DEFINITIONS, re.MULTILINE)) == len(vars(messages()))
    fields = sum(len(message.DESCRIPTOR.fields) for message in vars(messages()).values())
    assert fields == protos.DEFINITIONS.count(";")


def test_the_pool_is_private():
    pool = pytest.importorskip("google.protobuf.descriptor_pool")
    with pytest.raises(KeyError):
        pool.Default().FindMessageTypeByName(protos.PACKAGE + ".PredictRequest")
