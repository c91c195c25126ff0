"""The variables of a controller, read with their templates."""
from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.mlops.tf_serving.plugins.lookup import controller_objects


@pytest.fixture
def look():
    def look(**variables):
        loader = DataLoader()
        lookup = controller_objects.LookupModule(loader=loader, templar=Templar(loader, variables=variables))
        (answer,) = lookup.run([], variables)
        return answer

    return look


def test_what_is_wrong(look):
    assert set(look()["problems"]) == {
        "controller_project_url", "controller_clusters", "controller_execution_environment_image"}


def test_only_its_own(look):
    answer = look(controller_state="absent", controller_organization="ML", awx_organization="no", organization="no")
    assert answer == {"problems": {}, "organization": "ML", "environment": "TF Serving", "state": "absent"}
