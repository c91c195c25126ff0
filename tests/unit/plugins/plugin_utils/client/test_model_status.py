"""What a server says of its versions, in every way that servers have."""
from __future__ import annotations

import contextlib

import grpc
import pytest
from fake_model_server import ModelServer, serving

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.channel import Channel
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.model_status import UNREACHABLE, model_versions


def asked(server, name="mnist", timeout=5):
    with serving(server) as address, contextlib.closing(Channel(address)) as channel:
        return model_versions(channel, name, timeout)


def test_versions_ascend_and_have_their_state_and_error():
    assert asked(ModelServer(states={3: (50, "cannot load"), 10: (30, ""), 2: (20, "")})) == [
        {"version": 2, "state": "LOADING", "error": ""}, {"version": 3, "state": "END", "error": "cannot load"},
        {"version": 10, "state": "AVAILABLE", "error": ""},
    ]


def test_a_state_that_is_new_is_its_number():
    assert asked(ModelServer(states={1: (99, "")})) == [{"version": 1, "state": "99", "error": ""}]


def test_a_name_that_is_not_served_has_none():
    assert asked(ModelServer(), "other") == []


def test_an_old_server_does_not_tell():
    assert asked(ModelServer(states=None)) is None


def test_other_errors_are_errors(monkeypatch):
    monkeypatch.setattr(
        ModelServer, "_status", lambda server, wire, context: context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you"))
    with pytest.raises(Error, match="not you") as caught:
        asked(ModelServer())
    assert caught.value.code == "permission_denied"


def test_after_these_codes_a_server_is_not_asked_again():
    assert UNREACHABLE == ("unavailable", "deadline_exceeded", "port_forward_failed", "tls_failed")
