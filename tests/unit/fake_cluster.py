"""Pods with model servers that obey a model config, and the API server in front of them, in this process.

The servers keep TensorFlow Serving's rules: an existing label moves only to a version that is AVAILABLE, a reload that names
a new model answers when that is loaded (and takes no other reload meanwhile), what was unloaded stays listed as END.
"""
from __future__ import annotations

import concurrent.futures
import contextlib
import http.server
import json
import socket
import threading
import time
import urllib.parse

import grpc
from kubernetes import client

from ansible_collections.mlops.tf_serving.plugins.module_utils import _port_forward
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages

AVAILABLE, LOADING, END = 30, 20, 50


class Server(grpc.GenericRpcHandler):
    """disk: {version: None, or the error with which it does not load}; old: 1.4, or 1.6 with labels unknown."""

    def __init__(self, disk, config=None, old=False):
        self.disk, self.old = disk, old
        self.states, self.labels, self.wanted = {}, {}, {}
        self.pushes = []
        self.dead = None  # a gRPC status: what every call gets
        self.calls, self.over = 0, False
        self.one_reload = threading.Lock()
        if config is not None:
            self.apply(config)

    def apply(self, config):
        """As at the start, or in a reload that was accepted."""
        self.wanted = {
            entry.name: set(entry.model_version_policy.specific.versions) for entry in config.model_config_list.config
        }
        self.labels = {entry.name: dict(entry.version_labels) for entry in config.model_config_list.config}
        self.poll()

    def poll(self):
        """Load what is wanted and on the disk, unload what is not wanted."""
        for name in {*self.wanted, *self.states}:
            states = self.states.setdefault(name, {})
            for version in self.wanted.get(name, ()):
                if version in self.disk and states.get(version, (None,))[0] != AVAILABLE:
                    error = self.disk[version]
                    states[version] = (END, error) if error else (AVAILABLE, "")
            for version in set(states) - self.wanted.get(name, set()):
                states[version] = (END, states[version][1])

    def available(self, name):
        return {version for version, (state, _error) in self.states.get(name, {}).items() if state == AVAILABLE}

    def service(self, details):
        method = details.method.rpartition("/")[2]
        handler = {
            "GetModelMetadata": self._metadata, "GetModelStatus": self._status, "HandleReloadConfigRequest": self._reload,
        }.get(method)
        if handler is None or (self.old and method != "GetModelMetadata"):
            return None

        def answer(wire, context):
            self.calls += 1
            if self.dead:
                context.abort(*self.dead)
            return handler(wire, context)
        return grpc.unary_unary_rpc_method_handler(answer)

    def _status(self, wire, context):
        name = messages().GetModelStatusRequest.FromString(wire).model_spec.name
        reply = messages().GetModelStatusResponse()
        for version, (state, error) in sorted(self.states.get(name, {}).items(), reverse=True):
            reply.model_version_status.add(version=version, state=state).status.error_message = error
        if not reply.model_version_status:
            context.abort(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model %s" % name)
        return reply.SerializeToString()

    def _metadata(self, wire, context):
        spec = messages().GetModelMetadataRequest.FromString(wire).model_spec
        version = max(self.available(spec.name), default=None)
        if spec.HasField("version"):
            version = spec.version.value
        elif spec.version_label and not self.old:
            if spec.version_label not in self.labels.get(spec.name, {}):
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Unrecognized servable version label: " + spec.version_label)
            version = self.labels[spec.name][spec.version_label]
        if version not in self.available(spec.name):
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request")
        reply = messages().GetModelMetadataResponse()
        reply.model_spec.version.value = version
        return reply.SerializeToString()

    def _reload(self, wire, context):
        config = messages().ReloadConfigRequest.FromString(wire).config
        with self.one_reload:
            for entry in config.model_config_list.config:
                for label, version in entry.version_labels.items():
                    before = self.labels.get(entry.name, {}).get(label, version)
                    if before != version and version not in self.available(entry.name):
                        context.abort(
                            grpc.StatusCode.FAILED_PRECONDITION,
                            "Request to assign label %s to version %d of model %s, which is not currently available for"
                            " inference" % (label, version, entry.name),
                        )
            new = {entry.name for entry in config.model_config_list.config} - set(self.wanted)
            self.pushes.append(config)
            self.apply(config)
            # Also when the client has given up.
            while not self.over and not all(self._settled(name) for name in new):
                time.sleep(0.01)
                self.poll()
            for name in new:
                errors = [error for state, error in self.states[name].values() if error]
                if errors:
                    context.abort(grpc.StatusCode.UNKNOWN, "1 servable(s) did not become available: " + errors[0])
        return messages().ReloadConfigResponse().SerializeToString()

    def _settled(self, name):
        return any(state in (AVAILABLE, END) for state, _error in self.states[name].values())


class Cluster:
    """Release mnist-deploy in namespace default: `servers` by pod, `config_map` (a dict or None), `pods` (plain data)."""

    def __init__(self):
        self.servers, self.pods, self.config_map, self.writes = {}, {}, None, []
        self.deployment, self.logs, self.forbidden = True, {}, set()
        self.before_write = None  # called with the text that is about to be written
        self.targets, self.version, self.stack = {}, 0, contextlib.ExitStack()

    def add(self, pod, server, ready=True):
        self.servers[pod] = server
        self.pods[pod] = {"metadata": {"name": pod}, "status": {"conditions": [
            {"type": "Ready", "status": str(ready), "message": "loading"}]}}
        grpc_server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), [server])
        self.targets[pod] = grpc_server.add_insecure_port("127.0.0.1:0")
        grpc_server.start()
        self.stack.callback(grpc_server.stop, None)
        self.stack.callback(setattr, server, "over", True)

    def remove(self, pod):
        del self.pods[pod]
        self.servers[pod].dead = (grpc.StatusCode.UNAVAILABLE, "gone")

    def store(self, text):
        self.version += 1
        self.config_map = {
            "metadata": {"name": "mnist-deploy-model-config", "resourceVersion": str(self.version)},
            "data": {"models.config": text},
        }

    def link(self, _api_client, _namespace, pod, _port):
        connection = socket.create_connection(("127.0.0.1", self.targets[pod]))
        return type("Link", (), {
            "socket": lambda self, port: connection, "error": lambda self, port: None, "close": lambda self: connection.close(),
        })()

    def handle(self, method, path, body):
        """(status, answer)"""
        kind = path.split("/")[5] if len(path.split("/")) > 5 else ""
        if (method, kind) in self.forbidden:
            return 403, {"message": "%s is forbidden" % kind}
        if path.endswith("/deployments/mnist-deploy-serving"):
            return (200, {"spec": {"replicas": len(self.pods)}}) if self.deployment else (404, {})
        if path.endswith("/log"):
            return 200, self.logs.get(path.split("/")[-2], "")
        if path.endswith("/pods"):
            return 200, {"items": list(self.pods.values())}
        if kind == "pods":
            self.pods[path.rpartition("/")[2]]["metadata"].setdefault("annotations", {}).update(body["metadata"]["annotations"])
            return 200, {}
        if kind == "configmaps":
            return self.handle_config_map(method, body)
        return 500, {"message": path}

    def handle_config_map(self, method, body):
        if method != "GET" and self.before_write:
            self.before_write(body and body["data"]["models.config"])
        if method == "POST":
            if self.config_map:
                return 409, {"message": "already exists"}
        elif self.config_map is None:
            return 404, {"message": "not found"}
        if method == "DELETE":
            self.config_map = None
            return 200, {}
        if method == "PATCH" and body["metadata"]["resourceVersion"] != self.config_map["metadata"]["resourceVersion"]:
            return 409, {"message": "the object has been modified"}
        if method in ("POST", "PATCH"):
            self.store(body["data"]["models.config"])
            self.writes.append(body["data"]["models.config"])
        return 200, self.config_map


@contextlib.contextmanager
def running(monkeypatch):
    """A Cluster, whose `api_client` leads to it."""
    cluster = Cluster()

    class Api(http.server.BaseHTTPRequestHandler):
        def answer(self):
            size = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            status, said = cluster.handle(self.command, urllib.parse.urlparse(self.path).path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(said.encode() if isinstance(said, str) else json.dumps(said).encode())

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    configuration = client.Configuration()
    configuration.host = "http://127.0.0.1:%d" % server.server_port
    cluster.api_client = client.ApiClient(configuration)
    monkeypatch.setattr(_port_forward, "_link", cluster.link)
    with cluster.stack:
        yield cluster
    server.shutdown()
    server.server_close()
