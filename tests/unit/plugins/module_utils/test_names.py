from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._names import gpu_wanted, object_names


@pytest.mark.parametrize("value", [True, "true", "True", " yes ", "on", "1", 1, "", None])
def test_gpu_wanted(value):
    assert gpu_wanted(value) is True


@pytest.mark.parametrize("value", [False, "false", "False", "no", "OFF", "0", 0])
def test_gpu_not_wanted(value):
    assert gpu_wanted(value) is False


@pytest.mark.parametrize("value", ["flase", "cpu", "2", 2, [], {}])
def test_gpu_that_is_neither(value):
    with pytest.raises(Error) as caught:
        gpu_wanted(value)
    assert "gpu is %r" % (value,) in caught.value.message and "true or false" in caught.value.message


def test_the_tutorials_object_names():
    names = object_names("mnist-deploy")
    assert names["deployment"] == "mnist-deploy-serving"
    assert names["service"] == "mnist-deploy-acs-tensorflow-serving"
    assert names["model_config"] == "mnist-deploy-model-config"
