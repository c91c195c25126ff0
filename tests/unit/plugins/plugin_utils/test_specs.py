from __future__ import annotations

import pytest
import yaml
from ansible_collections.kubernetes.core.plugins.module_utils import args_common
from documented import facts

from ansible_collections.mlops.tf_serving.plugins.doc_fragments import release
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs


@pytest.mark.parametrize("version", [1, 7, None])
def test_a_version(version):
    specs.require_version("stable", version)


@pytest.mark.parametrize("version", [0, -1])
def test_no_version(version):
    with pytest.raises(Error, match=r"^stable is %d: versions of a model are whole numbers from 1.$" % version) as caught:
        specs.require_version("stable", version)
    assert caught.value.code == "option_invalid"


def test_what_is_kubernetes_cores_is_not_changed():
    assert specs.API is args_common.AUTH_ARG_SPEC


@pytest.mark.parametrize(("spec", "fragment"), [("RELEASE", "DOCUMENTATION"), ("PORT", "PORT"), ("MODEL_NAME", "MODEL_NAME")])
def test_each_has_a_fragment_of_the_documentation(spec, fragment):
    told = yaml.safe_load(getattr(release.ModuleDocFragment, fragment))["options"]
    assert {name: facts(option) for name, option in getattr(specs, spec).items()} == {
        name: facts(option) for name, option in told.items()}
