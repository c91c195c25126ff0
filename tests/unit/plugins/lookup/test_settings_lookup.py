"""What is settled, in an expression."""
from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.mlops.tf_serving.plugins.lookup.settings import LookupModule


def look(*terms, **given):
    variables = {"inventory_hostname": "mnist", **given}
    return LookupModule(DataLoader(), Templar(DataLoader(), variables=variables)).run(list(terms), variables=variables)


def test_sections_in_order():
    scaling, model = look("scaling", "model", scaling_replicas="3")
    assert scaling["replicas"] == 3 and scaling["deployment"] == "mnist-deploy-serving" and model["base_path"] == "/serving/model/mnist"


def test_what_is_wrong_is_said():
    with pytest.raises(AnsibleError, match="scaling_replicas is 'two'"):
        look("scaling", scaling_replicas="two")
    assert look("model", scaling_replicas="two")[0]["name"] == "mnist"


@pytest.mark.parametrize("terms", [(), ("modell",), ("model", "modell")])
def test_what_there_is_no_section_of(terms):
    with pytest.raises(AnsibleError, match="has the sections model, volume, serving, scaling, check"):
        look(*terms)
