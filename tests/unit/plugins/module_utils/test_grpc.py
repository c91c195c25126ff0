"""The one channel helper: deadlines, and errors in words."""
from __future__ import annotations

import contextlib
import time
import types

import grpc
import pytest
from fake_model_server import serving

from ansible_collections.mlops.tf_serving.plugins.module_utils import _grpc
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import GET_MODEL_STATUS, messages


class Handler(grpc.GenericRpcHandler):
    def __init__(self, answer):
        self.answer, self.calls = answer, 0

    def service(self, details):
        def call(wire, context):
            self.calls += 1
            return self.answer(context)
        return self.answer and grpc.unary_unary_rpc_method_handler(call)


def refused(answer, timeout=5, **options):
    handler = Handler(answer)
    with serving(handler) as target, contextlib.closing(_grpc.Channel(target, **options)) as channel:
        with pytest.raises(Error) as caught:
            channel.ask(GET_MODEL_STATUS, messages().GetModelStatusRequest(), "GetModelStatusResponse", timeout)
    assert handler.calls <= 1, "nothing is tried again"
    return caught.value


@pytest.mark.parametrize(("code", "says"), [
    ("UNAVAILABLE", "the server cannot be reached: so it says"),
    ("FAILED_PRECONDITION", "a label may only be moved to a version that is AVAILABLE): so it says"),
    ("INTERNAL", "the server says INTERNAL: so it says"),
])
def test_status_codes_in_words(code, says):
    error = refused(lambda context: context.abort(getattr(grpc.StatusCode, code), "so it\n says"))
    assert says in error.message and error.code == code.lower() and error.details == {"status": code}


def test_a_method_that_is_not_known():
    error = refused(None)
    assert error.code == "unimplemented" and "does not know GetModelStatus (it is older than 1.6" in error.message


def test_every_call_has_a_deadline():
    start = time.monotonic()
    error = refused(lambda context: time.sleep(1) or b"", timeout=0.2)
    assert error.message == "the server did not answer within 0.2 s" and time.monotonic() - start < 5


def test_a_reply_that_is_none():
    assert refused(lambda context: b"\xff\xff").code == "malformed_reply"


def test_the_way_there_knows_why_it_failed():
    forward = types.SimpleNamespace(errors=["nothing listens on port 9090"])
    error = refused(lambda context: context.abort(grpc.StatusCode.UNAVAILABLE, "reset"), forward=forward)
    assert error.code == "port_forward_failed" and error.message == "port-forward failed: nothing listens on port 9090"


def test_own_words():
    words = {"NOT_FOUND": "there is no %% of that (model_name): %(said)s"}
    error = refused(lambda context: context.abort(grpc.StatusCode.NOT_FOUND, "no"), words=words)
    assert error.message == "there is no % of that (model_name): no"
