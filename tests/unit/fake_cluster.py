"""Pods with model servers that obey a model config, and the API server in front of them, in this process.

The servers keep TensorFlow Serving's rules: an existing label moves only to a version that is AVAILABLE, a reload that names
a new model answers when that is loaded (and takes no other reload meanwhile), what was unloaded stays listed as END.
"""
from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import threading
import time

import fake_api
import grpc
from cluster_objects import CORE, DEPLOYMENT, MODEL_CONFIG, POD_LABELS, deployment

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import api, port_forward

AVAILABLE, LOADING, END = 30, 20, 50
RELEASE = {"namespace": "default", "release": "mnist-deploy", "port": 9090}


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


class Cluster(fake_api.Api):
    """Release mnist-deploy in namespace default, its pods with their model servers, and its model config."""

    def __init__(self):
        super().__init__()
        self.servers, self.targets, self.stack = {}, {}, contextlib.ExitStack()
        self.before_write = None  # called with the text that is about to be written
        self.on = self._before
        super().add(DEPLOYMENT, **deployment())

    def add_pod(self, name, server, ready=True, secret=None, credentials=None):
        """secret: the one that it mounts for TLS, which it speaks with these credentials of gRPC."""
        self.servers[name] = server
        conditions = {"conditions": [{"type": "Ready", "status": str(ready), "message": "loading"}]}
        volumes = [{"name": "tls", "secret": {"secretName": secret}}] if secret else []
        self.add(CORE + "pods/" + name, metadata={"labels": POD_LABELS}, spec={"volumes": volumes}, status=conditions)
        grpc_server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), [server])
        self.targets[name] = grpc_server.add_secure_port("127.0.0.1:0", credentials) if credentials else \
            grpc_server.add_insecure_port("127.0.0.1:0")
        grpc_server.start()
        self.stack.callback(grpc_server.stop, None)
        self.stack.callback(setattr, server, "over", True)

    def pod(self, name):
        return self.objects.get(CORE + "pods/" + name)

    def remove_pod(self, name):
        del self.objects[CORE + "pods/" + name]
        self.servers[name].dead = (grpc.StatusCode.UNAVAILABLE, "gone")

    def ready(self, name, ready):
        """As kubelet says it."""
        self.change(CORE + "pods/" + name, status={"conditions": [{"type": "Ready", "status": str(ready), "message": "starting"}]})

    def store(self, text):
        self.add(MODEL_CONFIG, data={"models.config": text})

    @property
    def config_map(self):
        """Its text, None where there is none."""
        there = self.objects.get(MODEL_CONFIG)
        return there and there["data"]["models.config"]

    @property
    def texts(self):
        """What was written, one after the other, and taken."""
        return [
            one.body["data"]["models.config"] for one in self.requests
            if one.method in ("POST", "PATCH") and "/configmaps" in one.path and "dryRun" not in one.query
        ]

    def link(self, _api_client, _namespace, pod, _port):
        connection = socket.create_connection(("127.0.0.1", self.targets[pod]))
        return type("Link", (), {
            "socket": lambda self, port: connection, "error": lambda self, port: None, "close": lambda self: connection.close(),
        })()

    def _before(self, method, path):
        if self.before_write and method != "GET" and "/configmaps" in path:
            body = self.requests[-1].body
            self.before_write(body.get("data", {}).get("models.config") if body else None)


@contextlib.contextmanager
def running(monkeypatch):
    """A Cluster; `client` and `options` lead to it."""
    cluster = Cluster()
    monkeypatch.setattr(port_forward, "_link", cluster.link)
    with fake_api.serving(cluster) as cluster.options, cluster.stack:
        cluster.client = api.connect({**dict.fromkeys(api.AUTH_ARG_SPEC), **cluster.options})
        cluster.requests.clear()
        yield cluster
