"""What model_publish returns of a model is what its server will say."""
from __future__ import annotations

import pytest
from fake_model_server import FLOAT, STRING, signatures, tensor_info

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.signatures import of_saved_model
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages


def test_tensors_as_servers_have_them():
    anything = messages().TensorInfo(dtype=FLOAT)
    anything.tensor_shape.unknown_rank = True
    known = of_saved_model({
        "predict_images": {
            "method": "tensorflow/serving/predict", "inputs": {"images": "float32[-1,28,28]", "any": "float32[?]"},
            "outputs": {"scores": "float32[-1,10]", "one": "string[]", "old": "dtype101[3]"},
        },
        "empty": {"method": "tensorflow/serving/predict", "inputs": {}, "outputs": {}},
    })
    sparse, composite = (messages().TensorInfo(dtype=FLOAT) for dummy in range(2))
    sparse.coo_sparse.SetInParent()
    composite.composite_tensor.SetInParent()
    for info in (sparse, composite):
        info.tensor_shape.unknown_rank = True
    told = of_saved_model({"s": {"method": "m", "inputs": {"a": "sparse float32[?]", "b": "composite float32[?]"}, "outputs": {}}})
    assert told == {"s": messages().SignatureDef(method_name="m", inputs={"a": sparse, "b": composite})}
    assert known == signatures(
        predict_images=(
            {"images": tensor_info(FLOAT, -1, 28, 28), "any": anything},
            {"scores": tensor_info(FLOAT, -1, 10), "one": tensor_info(STRING), "old": tensor_info(101, 3)},
        ), empty=({}, {}),
    ).signature_def


@pytest.mark.parametrize("described", [
    {"s": {"method": "m", "inputs": {}}}, {"s": "float32[1]"}, {"s": {"method": 3, "inputs": {}, "outputs": {}}},
    {"s": {"method": "m", "inputs": ["x"], "outputs": {}}}, {"s": {"method": "m", "inputs": {"x": 3}, "outputs": {}}},
    *({"s": {"method": "m", "inputs": {}, "outputs": {"y": text}}}
      for text in ("float32", "floaty[1]", "float32[a]", "float32[1,]")),
])
def test_what_is_none(described):
    with pytest.raises(Error, match="signatures are not as model_publish returns them") as caught:
        of_saved_model(described)
    assert caught.value.code == "option_invalid"
