# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one way to ask a model server: a channel with a deadline for every call, and errors in words."""
from __future__ import annotations

import os
import traceback

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.mlops.tf_serving.plugins.module_utils import _serving_protos
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages

# gRPC's C core writes to standard error, where it reads as if the module had crashed.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

IMPORT_ERROR = _serving_protos.IMPORT_ERROR
try:
    import grpc
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 256 << 20),  # the default of 4 MiB is too small for images
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # or channels of one process to one address share a connection
    ("grpc.enable_retries", 0),  # a retry would hide a replica that comes and goes
    ("grpc.enable_http_proxy", 0),
)
# What a status code means, for a person. `said` is the server's own sentence.
WORDS = {
    "UNAVAILABLE": "the server cannot be reached: %(said)s",
    "DEADLINE_EXCEEDED": "the server did not answer within %(timeout)g s",
    "UNIMPLEMENTED": "the server does not know %(method)s (it is older than 1.6, or no TensorFlow Serving): %(said)s",
    "FAILED_PRECONDITION": "the server refuses (a label may only be moved to a version that is AVAILABLE): %(said)s",
}
OTHERWISE = "the server says %(code)s: %(said)s"


def require_library(module):
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("grpcio and protobuf"), exception=IMPORT_ERROR)


class Channel:
    """To one server; connects with the first call. Nothing is tried again.

    forward: the port-forward that leads there, which knows why it failed. words: as WORDS, and instead of those.
    """

    def __init__(self, target, forward=None, words=None):
        self._channel = grpc.insecure_channel(target, CHANNEL_OPTIONS)
        self._forward = forward
        self._words = {**WORDS, **(words or {})}

    def close(self):
        self._channel.close()

    def call(self, method, wire, timeout):
        """The reply to a serialised request, as bytes."""
        try:
            return self._channel.unary_unary(method)(wire, timeout=timeout)
        except grpc.RpcError as error:
            raise self._explained(error, method, timeout) from error

    def ask(self, method, request, reply, timeout):
        """The same with messages; reply is the name of its type."""
        return parsed(reply, self.call(method, request.SerializeToString(), timeout))

    def _explained(self, error, method, timeout):
        code, said = error.code().name, " ".join((error.details() or "").split())
        if code == "UNAVAILABLE" and self._forward is not None and self._forward.errors:
            return Error("port-forward failed: " + self._forward.errors[-1], "port_forward_failed", status=code)
        text = self._words.get(code, OTHERWISE) % {
            "code": code, "said": said, "timeout": timeout, "method": method.rpartition("/")[2],
        }
        return Error(text, code.lower(), status=code)


def parsed(name, wire):
    message = getattr(messages(), name)()
    try:
        message.ParseFromString(wire)
    except Exception as error:  # protobuf's DecodeError, or what its pure Python version lets through
        raise Error("a reply is no %s: %s" % (name, error), "malformed_reply") from error
    return message
