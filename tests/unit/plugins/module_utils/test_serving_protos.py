from __future__ import annotations

import re

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import _serving_protos
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages


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


def test_typed_arrays_are_packed():
    assert messages().TensorProto(float_val=[1, 2]).SerializeToString() == b"*\x08\0\0\x80?\0\0\0@"


def test_every_definition_is_read():
    assert len(re.findall(r"^message ", _serving_protos.DEFINITIONS, re.MULTILINE)) == len(vars(messages()))
    fields = sum(len(message.DESCRIPTOR.fields) for message in vars(messages()).values())
    assert fields == _serving_protos.DEFINITIONS.count(";")


def test_the_pool_is_private():
    pool = pytest.importorskip("google.protobuf.descriptor_pool")
    with pytest.raises(KeyError):
        pool.Default().FindMessageTypeByName(_serving_protos.PACKAGE + ".PredictRequest")
