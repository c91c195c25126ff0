"""A stand-in for a Kubernetes API server over HTTP, for playbooks on a machine without a cluster.

Objects are kept as they are sent: none is validated. A Deployment's pods run at once, each a model server of fake_cluster.py in
this process, on the folder that plays the NAS. Reached by kubernetes.stream's port-forward, and for the Service on 127.0.0.1.
"""
from __future__ import annotations

import base64
import collections
import concurrent.futures
import contextlib
import copy
import datetime
import hashlib
import http.server
import json
import re
import socket
import struct
import threading
import urllib.parse

import fake_cluster
import fake_model_server
import grpc
import made_certificates
import numpy
from google.protobuf import text_format

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages

RESOURCES = {  # what the dynamic client of kubernetes.core asks for
    "v1": {"configmaps": "ConfigMap", "events": "Event", "namespaces": "Namespace", "nodes": "Node", "pods": "Pod", "secrets": "Secret",
           "services": "Service", "persistentvolumes": "PersistentVolume", "persistentvolumeclaims": "PersistentVolumeClaim"},
    "apps/v1": {"deployments": "Deployment", "replicasets": "ReplicaSet"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
}
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
CLUSTER_WIDE = {"namespaces", "nodes", "persistentvolumes"}
# Variables of a version whose answers are right, or all of them wrong, or that no server loads.
GOOD, BAD, BROKEN = b"right", b"wrong", b"broken"


class Disk(collections.abc.Mapping):
    """{version: None} of what lies in a base path now."""

    def __init__(self, folder):
        self.folder = folder

    def __iter__(self):
        there = list(self.folder.iterdir()) if self.folder.is_dir() else []
        return iter(sorted(int(path.name) for path in there if path.name.isdigit()))

    def __len__(self):
        return len(list(iter(self)))

    def __getitem__(self, version):
        if not (self.folder / str(version)).is_dir():
            raise KeyError(version)
        return "Data loss: no checkpoint" if self.variables(version).startswith(BROKEN) else None

    def variables(self, version):
        return (self.folder / str(version) / "variables" / "variables.data-00000-of-00001").read_bytes()


class ModelServer(fake_cluster.Server):
    """Of one pod: what its arguments and its model config say. Answers for the brightest pixel of an image."""

    def __init__(self, nas, arguments, config_text):
        flags = dict(argument[2:].partition("=")[::2] for argument in arguments)
        self.one_model = None
        if config_text is None:
            base, self.one_model = flags["model_base_path"], flags["model_name"]
            config = None
        else:
            config = text_format.Parse(config_text, messages().ModelServerConfig())
            base = config.model_config_list.config[0].base_path
        self.ready = False
        super().__init__(Disk(nas / base.lstrip("/")), config)
        self.follow()

    def follow(self):
        """Without a model config a server takes the highest version."""
        if self.one_model:
            self.wanted = {self.one_model: {max(self.disk, default=0)}}
            self.labels = {}
        self.poll()
        self.ready = self.ready or all(self.available(name) for name in self.wanted)

    def service(self, details):
        self.follow()
        if details.method.endswith("/Predict"):
            return grpc.unary_unary_rpc_method_handler(self.predict)
        return super().service(details)

    def _metadata(self, wire, context):
        reply = messages().GetModelMetadataResponse.FromString(super()._metadata(wire, context))
        reply.metadata["signature_def"].value = fake_model_server.MNIST.SerializeToString()
        return reply.SerializeToString()

    def predict(self, wire, context):
        request = messages().PredictRequest.FromString(wire)
        asked = messages().GetModelMetadataRequest(metadata_field=["signature_def"])
        asked.model_spec.CopyFrom(request.model_spec)
        version = messages().GetModelMetadataResponse.FromString(
            super()._metadata(asked.SerializeToString(), context)).model_spec.version.value
        tensor = request.inputs["images"]
        images = numpy.frombuffer(tensor.tensor_content, "<f4").reshape([dim.size for dim in tensor.tensor_shape.dim])
        answers = fake_model_server.brightest(images) + (0 if self.disk.variables(version).startswith(GOOD) else 1)
        reply = messages().PredictResponse()
        reply.outputs["scores"].CopyFrom(fake_model_server.one_hot(answers % 10))
        reply.model_spec.version.value = version
        return reply.SerializeToString()

    def log(self):
        loaded = [(name, version) for name in self.states for version in sorted(self.available(name))]
        failed = [
            (name, version, error) for name, states in self.states.items() for version, (_state, error) in states.items() if error]
        return "".join("Successfully loaded servable version {name: %s version: %d}\n" % one for one in loaded) + "".join(
            "Servable {name: %s version: %d} cannot be loaded: %s\n" % one for one in failed) + (
            "Running gRPC ModelServer at 0.0.0.0:9090 ...\n" if self.ready else "")


class ApiServer:
    """`url` to ask; `objects`: {(group and version, kind, namespace, name): plain data}; `servers`: {pod name: ModelServer}."""

    def __init__(self, nas):
        self.nas, self.objects, self.servers, self.ports = nas, {}, {}, {}
        self.lock, self.serial, self.stack = threading.RLock(), 0, contextlib.ExitStack()
        self.forbidden = set()  # (method, kind or kind/sub-resource)
        self.asked_in_namespaces, self.asked_beside = set(), set()  # (verb, group, resource) of who has a token; Helm's stand-in has none
        self.starting = 0  # so many looks at a Deployment find no pod ready
        self.has_token = threading.local()  # of the request that this thread answers
        self.service_port = self._grpc(self)
        handler = type("Handler", (Handler,), {"cluster": self})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.http.server_port
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.store("v1", "namespaces", "", "default", {})
        self.store("v1", "nodes", "", "node-1", {"status": {"allocatable": {"cpu": "2"}}})

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.stack.close()

    def service(self, details):
        """Of the Service: whichever pod there is."""
        return next(iter(self.servers.values())).service(details) if self.servers else None

    def credentials(self, namespace, secret, arguments):
        """Of a server that starts now with this Secret."""
        files = {name: base64.b64decode(data).decode() for name, data in self.get("v1", "secrets", secret, namespace)["data"].items()}
        verifies = "--stand_in_verifies_clients=true" in arguments
        pair = made_certificates.Pair(files["tls.crt"], files["tls.key"])
        return made_certificates.credentials(pair, files["ca.crt"] if verifies else None)

    def _grpc(self, handler, credentials=None):
        class Handlers(grpc.GenericRpcHandler):
            def service(self, details):
                return handler.service(details)

        server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), [Handlers()])
        port = server.add_secure_port("127.0.0.1:0", credentials) if credentials else server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.stack.callback(server.stop, None)
        return port

    # Objects

    def store(self, group, kind, namespace, name, body):
        key = (group, kind, namespace, name)
        with self.lock:
            self.serial += 1
            before = self.objects.get(key)
            metadata = body.setdefault("metadata", {})
            made = {
                "name": name, "uid": "uid-%d" % self.serial, "generation": 0,
                "creationTimestamp": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            for field, value in (before["metadata"] if before else made).items():
                if field in made:
                    metadata[field] = value
            if namespace:
                metadata["namespace"] = namespace
            metadata["resourceVersion"] = str(self.serial)
            metadata["generation"] += 1
            body.setdefault("apiVersion", group)
            body.setdefault("kind", RESOURCES[group][kind])
            self.objects[key] = body
            if kind == "deployments":
                self.roll_out(namespace, body)
            if kind in ("persistentvolumes", "persistentvolumeclaims"):
                self.bind()
            return body

    def remove(self, key):
        with self.lock:
            gone = self.objects.pop(key)
            if key[1] == "deployments":
                self.roll_out(key[2], gone, gone=True)
            if key[1] in ("persistentvolumes", "persistentvolumeclaims"):
                self.bind()
            return gone

    def get(self, group, kind, name, namespace="default"):
        return self.objects.get((group, kind, namespace, name))

    def bind(self):
        """Claims and the volumes made for them."""
        for (_group, kind, _namespace, _name), volume in self.objects.items():
            if kind != "persistentvolumes":
                continue
            wanted = volume["spec"].get("claimRef", {})
            claim = self.get("v1", "persistentvolumeclaims", wanted.get("name"), wanted.get("namespace"))
            volume["status"] = {"phase": "Bound" if claim else "Available"}
            if claim:
                wanted["uid"] = claim["metadata"]["uid"]
                claim["spec"]["volumeName"] = volume["metadata"]["name"]
                claim["status"] = {"phase": "Bound"}

    # Pods

    def roll_out(self, namespace, deployment, gone=False):
        spec = deployment["spec"]
        wanted = 0 if gone else spec.setdefault("replicas", 1)
        template = json.dumps(spec["template"], sort_keys=True)
        ours = [key for key, pod in self.objects.items() if key[1] == "pods" and pod["metadata"]["of"] == deployment["metadata"]["name"]]
        for key in ours:
            if self.objects[key]["metadata"]["template"] != template or ours.index(key) >= wanted:
                del self.objects[key], self.servers[key[3]], self.ports[key[3]]
        left = [key for key in ours if key in self.objects]
        for dummy in range(wanted - len(left)):
            self.start(namespace, deployment, template)
        deployment["status"] = {
            "observedGeneration": deployment["metadata"]["generation"], **dict.fromkeys(("replicas", "updatedReplicas"), wanted)}
        self.probe()

    def probe(self):
        """Pods are ready once their server has something of all that it is to serve."""
        pods = [pod for key, pod in self.objects.items() if key[1] == "pods"]
        for pod in pods:
            server = self.servers[pod["metadata"]["name"]]
            server.follow()
            pod["status"]["conditions"][0]["status"] = str(server.ready)
        for key, deployment in self.objects.items():
            if key[1] == "deployments":
                ready = sum(pod["metadata"]["of"] == key[3] and pod["status"]["conditions"][0]["status"] == "True" for pod in pods)
                deployment.get("status", {}).update(readyReplicas=ready, availableReplicas=ready)

    def start(self, namespace, deployment, template):
        spec = copy.deepcopy(deployment["spec"]["template"])
        name = "%s-%d" % (deployment["metadata"]["name"], self.serial)
        mounted = [source["configMap"]["name"] for volume in spec["spec"].get("volumes", ())
                   for source in volume.get("projected", {}).get("sources", ()) if source.get("configMap")]
        configs = [self.get("v1", "configmaps", name, namespace) for name in mounted]
        texts = [config["data"]["models.config"] for config in configs if config and "models.config" in config.get("data", {})]
        self.servers[name] = ModelServer(self.nas, spec["spec"]["containers"][0]["args"], texts[0] if texts else None)
        arguments = spec["spec"]["containers"][0]["args"]
        secrets = [volume["secret"]["secretName"] for volume in spec["spec"].get("volumes", ()) if "secret" in volume]
        self.ports[name] = self._grpc(self.servers[name], self.credentials(namespace, secrets[0], arguments) if secrets else None)
        started = {"running": {"startedAt": "2026-11-25T12:00:00Z"}}
        self.store("v1", "pods", namespace, name, {
            "metadata": {"labels": spec["metadata"]["labels"], "of": deployment["metadata"]["name"], "template": template},
            "spec": {**spec["spec"], "nodeName": "node-1"},
            "status": {"phase": "Running", "podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [
                {"name": "serving", "ready": True, "restartCount": 0, "started": True, "state": started}]},
        })

    # Requests

    def answer(self, method, path, query, body):
        """(status, answer)"""
        if path == "/version":
            return 200, {"major": "1", "minor": "34", "gitVersion": "v1.34.4"}
        if path in ("/api", "/apis"):
            return 200, _groups(path)
        group, kind, namespace, name, sub = _parts(path)
        if kind is None:
            return (200, _resources(group)) if group in RESOURCES else (404, {"message": path})
        self.note(method, group, kind, namespace, name, sub)
        if {(method, kind), (method, "%s/%s" % (kind, sub))} & self.forbidden:
            return 403, {"message": "%s is forbidden: this account may not %s it" % (kind, method.lower())}
        with self.lock:
            return self.on_object(method, group, kind, namespace, name, sub, query, body)

    def note(self, method, group, kind, namespace, name, sub):
        """As an authorizer sees a request."""
        if self.has_token.known:
            verb = VERBS.get(method) or ("get" if name else "list")
            asked = self.asked_in_namespaces if namespace else self.asked_beside
            asked.add((verb, group.rpartition("/")[0], kind + ("/" + sub if sub else "")))

    def on_object(self, method, group, kind, namespace, name, sub, query, body):
        if method == "GET" and kind in ("pods", "deployments"):
            self.probe()
        if method == "GET" and name is None:
            return 200, self.listed(group, kind, namespace, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        key = (group, kind, namespace, name or (body or {}).get("metadata", {}).get("name"))
        there, dry = self.objects.get(key), query.get("dryRun") == "All"
        if method == "DELETE" and body:  # its query does not count then
            dry = body.get("dryRun") == ["All"]
        if method == "POST":
            if there:
                return 409, {"message": "%s %s already exists" % key[1::2]}
            return 201, body if dry else self.store(*key, body)
        if there is None:
            return 404, {"message": "%s %s not found" % key[1::2]}
        if sub == "log":
            return 200, self.servers[name].log()
        if method == "GET":
            return 200, self.as_it_starts(kind, there)
        if method == "DELETE":
            return 200, there if dry else self.remove(key)
        version = (body.get("metadata") or {}).get("resourceVersion")
        if version and version != there["metadata"]["resourceVersion"]:
            return 409, {"message": "the object has been modified"}
        changed = copy.deepcopy(body) if method == "PUT" else merged(copy.deepcopy(there), body)
        return 200, changed if dry else self.store(*key, changed)

    def as_it_starts(self, kind, there):
        if kind == "deployments" and self.starting:
            self.starting -= 1
            return {**there, "status": {**there["status"], "readyReplicas": 0, "availableReplicas": 0}}
        if kind == "pods" and self.starting:
            return {**there, "status": {**there["status"], "conditions": [{"type": "Ready", "status": "False"}]}}
        return there

    def listed(self, group, kind, namespace, selector, fields):
        """fields: metadata.name is the only one that these objects have."""
        only = fields.removeprefix("metadata.name=") if fields.startswith("metadata.name=") else None
        pairs = [pair.partition("=") for pair in selector.split(",") if pair]
        wanted = {(name, value) for name, _equals, value in pairs if not name.endswith("!")}
        others = {(name.rstrip("!"), value) for name, _equals, value in pairs if name.endswith("!")}
        items = [
            self.as_it_starts(kind, item) for (its_group, its_kind, its_namespace, _name), item in sorted(self.objects.items())
            if only in (None, item["metadata"]["name"]) and (its_group, its_kind) == (group, kind) and namespace in ("", its_namespace)
            and wanted <= item["metadata"].get("labels", {}).items() and not others & item["metadata"].get("labels", {}).items()]
        return {"kind": RESOURCES.get(group, {}).get(kind, "") + "List", "apiVersion": group, "metadata": {}, "items": items}


def merged(there, patch):
    """A JSON merge patch."""
    for key, value in patch.items():
        if value is None:
            there.pop(key, None)
        elif isinstance(value, dict) and isinstance(there.get(key), dict):
            merged(there[key], value)
        else:
            there[key] = value
    return there


def _parts(path):
    """(group and version, kind, namespace, name, sub-resource) of a path; what it does not have is None."""
    match = re.fullmatch(
        r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>v[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/[^/]+s(?:/|$)))?"
        r"(?:/(?P<kind>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+))?)?)?", path)
    if match is None:
        return None, None, None, None, None
    group = "%s/%s" % (match["group"], match["version"]) if match["group"] else match["version"]
    return group, match["kind"], match["namespace"] or "", match["name"], match["sub"]


def _groups(path):
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    named = [name for name in RESOURCES if "/" in name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
        {"name": name.split("/")[0], "versions": [{"groupVersion": name, "version": name.split("/")[1]}],
         "preferredVersion": {"groupVersion": name, "version": name.split("/")[1]}} for name in named]}


def _resources(group):
    return {"kind": "APIResourceList", "groupVersion": group, "resources": [
        {"name": name, "singularName": kind.lower(), "namespaced": name not in CLUSTER_WIDE, "kind": kind,
         "verbs": ["create", "delete", "get", "list", "patch", "update"]} for name, kind in RESOURCES[group].items()]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self):
        url = urllib.parse.urlsplit(self.path)
        self.cluster.has_token.known = bool(self.headers.get("Authorization"))
        websocket = self.headers.get("Upgrade", "").lower() == "websocket"
        if websocket and ("GET", "pods/portforward") not in self.cluster.forbidden:
            self.cluster.note("GET", *_parts(url.path))
            self.forward(url.path, int(dict(urllib.parse.parse_qsl(url.query))["ports"]))
            return
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        status, said = self.cluster.answer(self.command, url.path, dict(urllib.parse.parse_qsl(url.query)), body)
        if status >= 400:
            said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, **said}
        text = said.encode() if isinstance(said, str) else json.dumps(said, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(said, str) else "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = reply

    def forward(self, path, port):
        """A websocket of v4.channel.k8s.io: each message begins with its channel, 0 for data, 1 for errors."""
        pod = path.split("/")[-2]
        digest = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Protocol", "v4.channel.k8s.io"),
                            ("Sec-WebSocket-Accept", base64.b64encode(digest).decode())):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        for channel in (0, 1):
            self.message(struct.pack("<BH", channel, port))  # the port, which each channel begins with
        remote = socket.create_connection(("127.0.0.1", self.cluster.ports[pod]))
        threading.Thread(target=self.outbound, args=(remote,), daemon=True).start()
        with contextlib.suppress(OSError):
            for data in self.inbound():
                remote.sendall(data[1:])
        with contextlib.suppress(OSError):
            remote.shutdown(socket.SHUT_RDWR)
        remote.close()

    def outbound(self, remote):
        with contextlib.suppress(OSError):
            while True:
                data = remote.recv(1 << 16)
                if not data:
                    break
                self.message(b"\0" + data)
            self.connection.shutdown(socket.SHUT_RDWR)

    def message(self, data):
        size = len(data)
        head = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 1 << 16 else b"\x7f" + struct.pack(">Q", size)
        self.connection.sendall(b"\x82" + head + data)

    def inbound(self):
        """The payload of each binary message, until the client closes."""
        while True:
            first = self.rfile.read(2)
            if len(first) < 2:
                return
            size = first[1] & 0x7F
            if size > 125:
                size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
            mask = self.rfile.read(4)
            data = numpy.frombuffer(self.rfile.read(size), "u1") ^ numpy.resize(numpy.frombuffer(mask, "u1"), size)
            if first[0] & 0xF == 8:
                return
            if first[0] & 0xF == 2:
                yield data.tobytes()

    def log_message(self, *arguments):
        pass
