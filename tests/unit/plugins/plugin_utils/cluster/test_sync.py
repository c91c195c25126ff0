"""Present, absent, check mode, and somebody else at the same time."""
from __future__ import annotations

import fake_api
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import Item, leaving, merge_patch, sync

PATH = "/api/v1/namespaces/default/configmaps/x"
ALL = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def item(api):
    return Item(api.client, "v1", "ConfigMap", "x", "default")


def wanting(data):
    """decide() for a ConfigMap with this data; None: for none."""
    def decide(there):
        before = {} if there is None or leaving(there) else {"data": there.get("data", {})}
        return before, {} if data is None else {"data": data}
    return decide


def test_names_and_paths(api):
    deployment = Item(api.client, "apps/v1", "Deployment", "d", "default")
    assert str(deployment) == "Deployment d in namespace default"
    assert deployment.path("scale") == "/apis/apps/v1/namespaces/default/deployments/d/scale"
    volume = Item(api.client, "v1", "PersistentVolume", "v")
    assert str(volume) == "PersistentVolume v" and volume.path() == "/api/v1/persistentvolumes/v"


def test_created_changed_and_removed(api, item):
    made = sync(item, wanting({"a": "1"}), check_mode=False)
    assert made.changed and made.diff == {"before": {}, "after": {"data": {"a": "1"}}}
    assert made.there["metadata"]["uid"] and api.objects[PATH]["data"] == {"a": "1"}
    sent = api.asked("POST", "/configmaps")[0].body
    assert sent == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}

    same = sync(item, wanting({"a": "1"}), check_mode=False)
    assert not same.changed and same.there == api.objects[PATH] and len(api.writes) == 1
    assert [one.method for one in api.requests[-2:]] == ["POST", "GET"], "one look is enough"

    other = sync(item, wanting({"a": "2"}), check_mode=False)
    assert other.changed and other.there["data"] == {"a": "2"} == api.objects[PATH]["data"]

    gone = sync(item, wanting(None), check_mode=False)
    assert gone.changed and gone.there is None and PATH not in api.objects
    assert api.requests[-1].body == {
        "apiVersion": "v1", "kind": "DeleteOptions",
        "preconditions": {"uid": other.there["metadata"]["uid"], "resourceVersion": other.there["metadata"]["resourceVersion"]},
    }
    assert not sync(item, wanting(None), check_mode=False).changed


@pytest.mark.parametrize("there", [None, {"a": "1"}])
@pytest.mark.parametrize("wanted", [{"a": "2"}, None])
def test_check_mode_asks_and_changes_nothing(api, item, there, wanted):
    if there:
        api.add(PATH, data=there)
    outcome = sync(item, wanting(wanted), check_mode=True)
    assert outcome.changed is (there != wanted) and not api.writes and (PATH in api.objects) is bool(there)
    if outcome.changed:
        assert fake_api.dry(api.requests[-1]) and api.requests[-1].method != "GET"


def test_what_is_being_deleted_cannot_be_asked_about(api, item):
    api.add(PATH, data={"a": "1"}, metadata={"deletionTimestamp": "2026-11-25T12:00:00Z", "finalizers": ["x"]})
    outcome = sync(item, wanting({"a": "1"}), check_mode=True)
    assert outcome.changed and outcome.there is None and [one.method for one in api.requests] == ["GET"]
    with pytest.raises(Error) as caught:
        sync(item, wanting({"a": "1"}), check_mode=False)
    assert caught.value.code == "conflict" and len(api.asked("POST", "/configmaps")) == 4


class TestSomebodyElse:
    @staticmethod
    def before(api, method, times, strike):
        """Has somebody else act just before each of the first requests of a kind."""
        left = [times]

        def on(asked, path):
            if asked == method and left[0]:
                left[0] -= 1
                strike()
        api.on = on

    def test_changes_it(self, api, item):
        api.add(PATH, data={"a": "1", "of": "others"})
        self.before(api, "PATCH", 1, lambda: api.change(PATH, data={"of": "them"}))
        assert sync(item, wanting({"a": "2", "of": "us"}), check_mode=False).changed
        assert api.objects[PATH]["data"] == {"a": "2", "of": "us"} and len(api.asked("PATCH", "/x")) == 2

    def test_makes_it(self, api, item):
        self.before(api, "POST", 1, lambda: api.add(PATH, data={"a": "1"}))
        assert not sync(item, wanting({"a": "1"}), check_mode=False).changed

    @pytest.mark.parametrize(("method", "wanted"), [("PATCH", {"a": "2"}), ("DELETE", None)])
    def test_removes_it(self, api, item, method, wanted):
        api.add(PATH, data={"a": "1"})
        self.before(api, method, 1, lambda: api.objects.pop(PATH))
        outcome = sync(item, wanting(wanted), check_mode=False)
        assert outcome.changed is (wanted is not None) and (PATH in api.objects) is (wanted is not None)

    def test_makes_another_one_of_the_same_name(self, api, item):
        api.add(PATH, data={"a": "1"})
        self.before(api, "DELETE", 1, lambda: api.add(PATH, data={"a": "of others"}))
        assert sync(item, wanting(None), check_mode=False).before == {"data": {"a": "of others"}}

    def test_does_not_stop(self, api, item):
        api.add(PATH, data={"a": "1"})
        self.before(api, "PATCH", 99, lambda: api.change(PATH, data={"b": "2"}))
        with pytest.raises(Error, match="Could not change the ConfigMap x in namespace default: the object has been modified"):
            sync(item, wanting({"a": "2"}), check_mode=False)
        assert len(api.asked("PATCH", "/x")) == 4


def test_another_error_is_not_tried_again(api, item):
    api.forbidden = {("POST", "configmaps")}
    with pytest.raises(Error, match="Could not create the ConfigMap x in namespace default: configmaps is forbidden"):
        sync(item, wanting({}), check_mode=False)
    assert len(api.asked("POST", "/configmaps")) == 1


def test_a_namespace_that_is_not_there(api, item):
    api.on = lambda method, path: (404, {"kind": "Status", "message": "no such namespace"}) if method == "POST" else None
    with pytest.raises(Error, match="no such namespace"):
        sync(item, wanting({}), check_mode=False)
    assert len(api.asked("POST", "/configmaps")) == 1


def test_a_subresource_is_patched_without_a_version(api):
    """A Deployment's changes with each of its pods."""
    item = Item(api.client, "apps/v1", "Deployment", "d", "default")
    api.add(item.path(), spec={"replicas": 1})

    def decide(there):
        return {"spec": {"replicas": there["spec"]["replicas"]}}, {"spec": {"replicas": 2}}
    assert sync(item, decide, check_mode=False, subresource="scale").changed
    (patch,) = api.asked("PATCH", "/d/scale")
    assert patch.body == {"spec": {"replicas": 2}} and api.objects[item.path()]["spec"] == {"replicas": 2}


@pytest.mark.parametrize(("before", "after", "patch"), [
    ({}, {"a": 1}, {"a": 1}), ({"a": 1}, {}, {"a": None}), ({"a": 1}, {"a": 1}, {}), ({"a": [1]}, {"a": [2]}, {"a": [2]}),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}), ({"a": {"b": 1}}, {"a": {"b": 1}}, {}),
    ({"a": {"b": 1, "u": 2}}, {"a": {"b": 1}}, {"a": {"u": None}}), ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ({"a": {"b": 2}}, {"a": 1}, {"a": 1}), ({"a": None}, {"a": None}, {}),
])
def test_merge_patch(before, after, patch):
    assert merge_patch(before, after) == patch


def test_leaving():
    assert leaving({"metadata": {"deletionTimestamp": "now"}}) is True
    assert leaving({"metadata": {}}) is False and leaving(None) is False
