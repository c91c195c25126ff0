from __future__ import annotations

import numpy
import pytest
from ansible.errors import AnsibleError

from ansible_collections.mlops.tf_serving.plugins.lookup import dataset
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error


class Lookup(dataset.LookupModule):
    """The plugin without Ansible's search for its documentation, where the defaults stand."""

    def set_options(self, var_options=None, direct=None, **dummy):
        self.variables, self.given = var_options, {"tests": None, "checksum": {}, "timeout": 60, **direct}

    def get_option(self, option, **dummy):
        return self.given[option]


@pytest.fixture
def path(tmp_path):
    numpy.savez(tmp_path / "x.npz", images=numpy.zeros((3, 2, 2), "u1"), names=numpy.array(["a", "b", "c"]))
    return str(tmp_path / "x.npz")


@pytest.mark.parametrize(("tests", "number"), [(None, 3), ("", 3), ("2", 2), (2, 2)])
def test_what_a_dataset_holds(path, tests, number):
    assert Lookup().run([path, path], tests=tests) == 2 * [{
        "tests": number,
        "columns": {"images": {"type": "uint8", "shape": [number, 2, 2]}, "names": {"type": "string", "shape": [number]}},
        "left_out": {}, "remarks": [],
    }]


@pytest.mark.parametrize(("options", "says"), [
    ({"tests": 4}, "has 3 tests, fewer than check_tests"), ({"tests": "many"}, "check_tests is 'many': use a whole number from 1"),
    ({"tests": 0}, "check_tests is 0: use a whole number from 1"), ({"checksum": {"x.npz": "md5:0"}}, "check_dataset_checksum"),
])
def test_it_fails_where_the_check_would(path, options, says):
    with pytest.raises(AnsibleError, match=says) as caught:
        Lookup().run([path], **options)
    assert caught.value.__suppress_context__


def test_options_reach_the_reader(path, monkeypatch):
    asked = []
    monkeypatch.setattr(dataset.dataset, "load", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(dataset, "described", lambda tests: "described")
    lookup = Lookup()
    assert lookup.run(["/a", {"x": "/b"}], {"some": "variables"}, tests=5, checksum={"a": "b"}, timeout=7) == ["described"] * 2
    assert asked == [("/a", 5, {"a": "b"}, 7), ({"x": "/b"}, 5, {"a": "b"}, 7)] and lookup.variables == {"some": "variables"}


def test_numpy_is_needed(path, monkeypatch):
    def missing(names):
        raise Error("cannot import " + ", ".join(names))

    monkeypatch.setattr(dataset, "require", missing)
    with pytest.raises(AnsibleError, match="cannot import numpy"):
        Lookup().run([path])
