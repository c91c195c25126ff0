"""Small datasets and signatures, and what the check would send: for tests of request_plan and inputs."""
from __future__ import annotations

import numpy
import pytest
from fake_model_server import signatures, tensor_info

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import inputs, request_plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.dataset import Dataset

FLOAT, DOUBLE, INT32, UINT8, STRING, INT64, BOOL, BFLOAT16, HALF, COMPLEX64 = 1, 2, 3, 4, 7, 9, 10, 14, 19, 8
IMAGE = tensor_info(FLOAT, -1, 784)
SCORES = {"scores": tensor_info(FLOAT, -1, 10)}
OPTIONS = {
    "model_name": "m", "signature": "", "inputs": {}, "output": "", "labels": "", "tolerance": None, "divisor": None,
    "batch_size": None,
}


def dataset(pictures=(), **columns):
    made = {}
    for name, values in columns.items():
        array = numpy.asarray(values)
        made[name] = array.astype(object) if array.dtype.kind in "SU" else array
    return Dataset(made, frozenset(pictures), "here", "digest")


def texts(*values):
    return numpy.array(values, dtype=object)


def made(data, wanted=None, outputs=None, /, method="predict", **options):
    signature_map = signatures(predict_images=(wanted or {}, SCORES if outputs is None else outputs)).signature_def
    signature_map["predict_images"].method_name = "tensorflow/serving/" + method
    return request_plan.plan({**OPTIONS, **options}, signature_map, data)


def refused(*arguments, **options):
    with pytest.raises(Error) as caught:
        plan = made(*arguments, **options)
        for item in plan.inputs:
            inputs.values(item, arguments[0], plan.signature)
    return caught.value


PICTURES = dataset(pictures=["images"], images=numpy.zeros((16, 28, 28), "u1"), labels=numpy.zeros(16, "u1"))


def columns(plan):
    return {item.name: item.columns for item in plan.inputs}
