"""What each node is asked about the models of its NAS."""
from __future__ import annotations

import yaml

import conftest
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import nas
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import settle

GIVEN = {"model_archive": "http://h/m.tar.gz", "model_nas_server": "nas", "check_dataset": "http://h/data/", "gpu": False}


def record(host, node, **given):
    return settle(host, {**GIVEN, "model_node": node, **given}, hosts=["a", "b"])


def test_it_is_what_the_role_asks_of_one_model():
    (publish,) = yaml.safe_load((conftest.ROOT / "roles/model/tasks/publish.yml").read_text())
    asked = publish["mlops.tf_serving.model_publish"]
    assert set(asked) == {*nas.OF_THE_MODEL, *nas.OF_THE_CHECK}
    for option, template in asked.items():
        section, field = ("samples", nas.OF_THE_CHECK[option]) if option in nas.OF_THE_CHECK else ("settings", option)
        assert template == "{{ __model_%s.%s }}" % (section, field)


def test_by_node():
    records = {"m1": record("m1", "b"), "m2": record("m2", "a", model_version=3),
               "m3": record("m3", "b", model_node_variables={"ansible_host": "10.0.0.1"})}
    found = nas.by_node(records)
    assert [one["variables"] for one in found] == [{}, {"ansible_host": "10.0.0.1"}]
    assert [(one["node"], [model["name"] for model in one["models"]]) for one in found] == [("a", ["m2"]), ("b", ["m1", "m3"])]
    assert found[0]["models"][0]["version"] == 3 and found[0]["models"][0]["base_path"] == "/serving/model/m2"
    assert "version" not in found[1]["models"][0] and "checksum" not in found[1]["models"][0]


def test_what_was_answered():
    asked = {"node": "b", "models": [{"name": "m1"}, {"name": "m3"}]}
    looks = [{"models": {"m2": {"changed": False}}}, {"item": asked, "unreachable": True, "msg": "No route to host\n"}]
    found = nas.answers(looks)
    assert found["m2"] == {"changed": False} and found["m1"] == found["m3"] and found["m1"]["failed"]
    assert found["m1"]["msg"] == "model_node b does not say what is on the NAS: No route to host"
    assert found["m1"]["failure"]["code"] == "node_unanswered"
    assert nas.answers([{"item": asked, "failed": True}])["m1"]["msg"].endswith("no reason is known.")


def test_what_signs_a_url_is_in_no_items_of_a_loop():
    signed = record("m1", "a", model_archive="http://h/m.tar.gz?sig=secret", check_dataset="http://me:secret@h/x.csv", model_warmup=3)
    request = nas.request("m1", signed)
    assert "archive" not in request and request["warmup_dataset"] == "http://h/x.csv" and "secret" not in repr(request)
    assert nas.request("m2", record("m2", "a"))["archive"] == "http://h/m.tar.gz"
