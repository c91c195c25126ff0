"""What travels to the node for a plan."""
from __future__ import annotations

import types

from ansible.parsing.dataloader import DataLoader
from fake_node import fake_node

from ansible_collections.mlops.tf_serving.plugins.action import model_publish_plan

SIGNED = "https://h/x.tar.gz?sig=secret"
OTHER = "https://me:secret@h/y.tar.gz"


class Hostvars(dict):
    """As Ansible's."""

    _variable_manager = types.SimpleNamespace(_extra_vars={})

    def raw_get(self, host):
        return {"inventory_hostname": host, **self[host]}


def test_what_signs_a_url_travels_by_itself():
    hosts = Hostvars({"of_the_host": {"model_archive": SIGNED}, "none": {}})
    plain = {"name": "plain", "archive": "https://h/z.tar.gz"}
    action = fake_node(model_publish_plan, {"models": [
        {"name": "of_the_host", "version": 1}, {"name": "given", "archive": OTHER, "warmup_dataset": SIGNED}, plain, {"name": "none"},
        {"name": "unknown"},
    ]}, {"models": {"plain": {"changed": True}}})
    action._loader = DataLoader()
    answer = action.run(task_vars={"hostvars": hosts})
    assert action.asked == [{
        "models": [
            {"name": "of_the_host", "version": 1, "archive": "https://h/x.tar.gz?..."},
            {"name": "given", "archive": "https://h/y.tar.gz", "warmup_dataset": "https://h/x.tar.gz?..."}, plain,
        ],
        "archive_urls": {"of_the_host": SIGNED, "given": OTHER},
    }]
    assert {name: one.get("msg") for name, one in answer["models"].items()} == {
        "plain": None, "none": "model_archive of none is not set.", "unknown": "model_archive of unknown is not set."}
    assert [name for name, option in model_publish_plan.PLAN.items() if option.get("no_log")] == ["archive_urls"]
