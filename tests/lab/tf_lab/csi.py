"""A CSI node plugin under the name of Alibaba Cloud's NAS driver; see drivers.py for what its mounts are.

Like the real one it takes volumeAttributes server, path and mode, and creates a missing path without a word.
The messages are described here at run time: the few fields used, by their numbers in csi.proto and
pluginregistration's api.proto; protobuf keeps the rest as unknown.
"""
from __future__ import annotations

import os
import subprocess
import sys
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from . import drivers
from .settings import NODE_NAME

STRING, BOOL, INT64, MESSAGE = 9, 8, 3, 11  # FieldDescriptorProto.Type
# Message: fields as (number, name, type, repeated); a type in text is a message of this table.
MESSAGES = {
    "Empty": (),
    "Name": ((1, "name", STRING, False), (2, "vendor_version", STRING, False)),
    "NodeInfo": ((1, "node_id", STRING, False),),
    "Entry": ((1, "key", STRING, False), (2, "value", STRING, False)),
    "Publish": ((1, "volume_id", STRING, False), (4, "target_path", STRING, False), (7, "readonly", BOOL, False),
                (8, "volume_context", "Entry", True)),  # a map travels as repeated entries
    "Unpublish": ((1, "volume_id", STRING, False), (2, "target_path", STRING, False)),
    "PluginInfo": ((1, "type", STRING, False), (2, "name", STRING, False), (3, "endpoint", STRING, False),
                   (4, "supported_versions", STRING, True)),
    "Registered": ((1, "plugin_registered", BOOL, False), (2, "error", STRING, False)),
}


def messages():
    """The classes of MESSAGES, by name."""
    file = descriptor_pb2.FileDescriptorProto(name="lab_csi.proto", package="lab", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind, repeated in fields:
            described = message.field.add(number=number, name=field, label=3 if repeated else 1)
            if isinstance(kind, str):
                described.type, described.type_name = MESSAGE, ".lab." + kind
            else:
                described.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName("lab." + name)) for name in MESSAGES}


def services(name, endpoint, m):
    """{service: {method: (request class, what answers it)}}"""
    empty = m["Empty"]()

    def publish(request, context):
        attributes = {entry.key: entry.value for entry in request.volume_context}
        try:
            if not attributes.get("path", "/").startswith("/"):
                raise drivers.MountError("path %r does not start with /" % attributes["path"])
            drivers.mount(attributes.get("server", ""), attributes.get("path", "/"), request.target_path,
                          request.readonly, create=True, mode=attributes.get("mode"))
        except (drivers.MountError, OSError, ValueError, subprocess.CalledProcessError) as e:
            context.abort(grpc.StatusCode.INTERNAL, "volume %s: %s" % (request.volume_id, e))
        return empty

    def unpublish(request, context):
        drivers.unmount(request.target_path)
        if os.path.isdir(request.target_path):
            os.rmdir(request.target_path)
        return empty

    def always(answer):
        return m["Empty"], lambda request, context: answer

    return {
        "csi.v1.Identity": {
            "GetPluginInfo": always(m["Name"](name=name, vendor_version="lab")),
            "GetPluginCapabilities": always(empty), "Probe": always(empty),
        },
        "csi.v1.Node": {
            "NodeGetInfo": always(m["NodeInfo"](node_id=NODE_NAME)), "NodeGetCapabilities": always(empty),
            "NodePublishVolume": (m["Publish"], publish), "NodeUnpublishVolume": (m["Unpublish"], unpublish),
        },
        "pluginregistration.Registration": {
            "GetInfo": always(m["PluginInfo"](type="CSIPlugin", name=name, endpoint=endpoint, supported_versions=["1.0.0"])),
            "NotifyRegistrationStatus": (m["Registered"], lambda request, context: print(request, flush=True) or empty),
        },
    }


def main(name, endpoint, registration):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    for service, methods in services(name, endpoint, messages()).items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {
            method: grpc.unary_unary_rpc_method_handler(
                answer, request_deserializer=request.FromString, response_serializer=lambda reply: reply.SerializeToString())
            for method, (request, answer) in methods.items()
        }),))
    for socket in (endpoint, registration):
        os.makedirs(os.path.dirname(socket), exist_ok=True)
        if os.path.exists(socket):
            os.unlink(socket)
        server.add_insecure_port("unix:" + socket)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
