"""A Kubernetes API server over HTTP in this process: keeps objects, knows selectors, dry runs, conflicts and preconditions."""
from __future__ import annotations

import collections
import contextlib
import copy
import http.server
import json
import re
import threading
import urllib.parse

TOKEN = "t0k3n"
NOW = "2026-11-25T12:00:00Z"
LATER = {"deletionTimestamp": NOW, "finalizers": ["kubernetes.io/pvc-protection"]}

Request = collections.namedtuple("Request", "method path query body headers")
PATH = re.compile(
    "/(api/v1|apis/[^/]+/[^/]+)(/namespaces/[^/]+)?/(?P<kind>[a-z]+)(/(?P<name>[^/]+)(/(?P<subresource>[a-z]+))?)?"
)
# (status, answer): plain data is sent as JSON, text as it is.
NOT_FOUND = 404, {"kind": "Status", "message": "not found"}


def merged(base, change):
    """RFC 7386."""
    if not isinstance(change, dict):
        return change
    base = base if isinstance(base, dict) else {}
    both = {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}
    return {key: value for key, value in both.items() if value is not None}


def as_kept(path, thing):
    """What an API server makes of what is sent."""
    if "/persistentvolumes/" in path:
        spec = thing["spec"] = {"volumeMode": "Filesystem", **thing["spec"]}
        for name in ("mountOptions", "storageClassName"):
            if not spec.get(name):
                spec.pop(name, None)
        thing.setdefault("status", {"phase": "Available"})
    return thing


class Api:
    """objects: {path: plain data}. requests: what was asked. The tests change what they are about.

    forbidden: {(method, kind or subresource)}, as in the path. logs: {pod, or (pod, "previous"): text}.
    on(method, path) before each answer may change the world, or return (status, answer) itself.
    """

    def __init__(self):
        self.objects, self.requests, self.forbidden, self.logs = {}, [], set(), {}
        self.on = lambda method, path: None
        self.date = "Wed, 25 Nov 2026 12:00:00 GMT"
        self._count = 0
        self._lock = threading.RLock()

    def add(self, path, **thing):
        """Put an object there as an API server has it."""
        self._count += 1
        metadata = {
            "name": path.rpartition("/")[2], "uid": "uid-%d" % self._count, "creationTimestamp": NOW,
            **thing.pop("metadata", {}), "resourceVersion": str(self._count),
        }
        part = path.split("/namespaces/")
        if len(part) == 2:
            metadata.setdefault("namespace", part[1].split("/")[0])
        self.objects[path] = as_kept(path, {"kind": "Thing", "metadata": metadata, **copy.deepcopy(thing)})
        return self.objects[path]

    def change(self, path, **change):
        """As somebody else does it: it has a new version."""
        self.objects[path] = merged(self.objects[path], change)
        self._count += 1
        self.objects[path]["metadata"]["resourceVersion"] = str(self._count)

    @property
    def writes(self):
        """[(method, path)] of what changed something."""
        return [(one.method, one.path) for one in self.requests if one.method != "GET" and not dry(one)]

    def asked(self, method, ending):
        return [one for one in self.requests if one.method == method and one.path.endswith(ending)]

    def handle(self, request):
        with self._lock:
            self.requests.append(request)
            told = self.on(request.method, request.path)
            if told:
                return told
            if request.headers.get("authorization") != "Bearer " + TOKEN:
                return 401, {"kind": "Status", "message": "Unauthorized"}
            if request.path == "/version":
                return 200, {"gitVersion": "v1.34.0"}
            kind, subresource = PATH.fullmatch(request.path)["kind"], PATH.fullmatch(request.path)["subresource"]
            if {(request.method, kind), (request.method, subresource)} & self.forbidden:
                return 403, {"kind": "Status", "message": "%s is forbidden" % kind}
            if subresource == "log":
                pod = request.path.split("/")[-2]
                text = self.logs.get((pod, "previous") if request.query.get("previous") == "true" else pod)
                return NOT_FOUND if text is None else (200, text)
            return getattr(self, "_" + request.method.lower())(request)

    def _get(self, request):
        if request.path in self.objects:
            return 200, copy.deepcopy(self.objects[request.path])
        if PATH.fullmatch(request.path)["name"]:
            return NOT_FOUND
        items, begin, most = self._selected(request), int(request.query.get("continue") or 0), int(request.query.get("limit") or 0)
        rest = {"continue": str(begin + most)} if most and begin + most < len(items) else {}
        items = items[begin:begin + most] if most else items
        if "as=PartialObjectMetadataList" in request.headers.get("accept", ""):
            items = [{"metadata": item["metadata"]} for item in items]
        return 200, {"kind": "List", **({"metadata": rest} if rest else {}), "items": items}

    def _selected(self, request):
        pairs = [pair for pair in request.query.get("labelSelector", "").split(",") if pair]
        labels = dict(pair.split("=") for pair in pairs if "!=" not in pair)
        others = dict(pair.split("!=") for pair in pairs if "!=" in pair)
        fields = dict(pair.split("=") for pair in request.query.get("fieldSelector", "").split(",") if pair)
        return [
            copy.deepcopy(thing) for path, thing in self.objects.items()
            if _collection(path, request.path) == request.path
            and labels.items() <= thing["metadata"].get("labels", {}).items()
            and not others.items() & thing["metadata"].get("labels", {}).items()
            and all(_field(thing, name) == value for name, value in fields.items())
        ]

    def _post(self, request):
        path = "%s/%s" % (request.path, request.body["metadata"]["name"])
        if path in self.objects:
            return 409, {"kind": "Status", "message": "already exists"}
        if dry(request):
            return 201, as_kept(path, copy.deepcopy(request.body))
        return 201, self.add(path, **copy.deepcopy(request.body))

    def _patch(self, request):
        path = request.path.partition("/scale")[0]
        there = self.objects.get(path)
        if there is None:
            return NOT_FOUND
        if request.headers["content-type"] != "application/merge-patch+json":
            return 415, {"kind": "Status", "message": request.headers["content-type"]}
        version = request.body.get("metadata", {}).get("resourceVersion")
        if version not in (None, there["metadata"]["resourceVersion"]):
            return 409, {"kind": "Status", "message": "the object has been modified"}
        after = as_kept(path, merged(there, request.body))
        if "/persistentvolumes/" in path and _source(after) != _source(there):
            return 422, {"kind": "Status", "message": "spec.persistentvolumesource: Forbidden: is immutable after creation"}
        if not dry(request):
            self.change(path, **request.body)
            self.objects[path] = as_kept(path, self.objects[path])
            after = self.objects[path]
        return 200, copy.deepcopy(after)

    def _put(self, request):
        there = self.objects.get(request.path)
        if there is None:
            return NOT_FOUND
        if request.body["metadata"]["resourceVersion"] != there["metadata"]["resourceVersion"]:
            return 409, {"kind": "Status", "message": "the object has been modified"}
        self.objects[request.path] = request.body
        self.change(request.path)
        return 200, request.body

    def _delete(self, request):
        there = self.objects.get(request.path)
        if there is None:
            return NOT_FOUND
        for name, value in ((request.body or {}).get("preconditions") or {}).items():
            if there["metadata"][name] != value:
                return 409, {"kind": "Status", "message": "the %s in the precondition differs" % name}
        if not dry(request):
            if there["metadata"].get("finalizers"):
                self.change(request.path, metadata={"deletionTimestamp": NOW})
            else:
                del self.objects[request.path]
        return 200, {"kind": "Status", "status": "Success"}


def _collection(path, asked):
    """Of an object, as it was asked for: in its namespace, or in all of them."""
    collection = path.rpartition("/")[0]
    return collection if "/namespaces/" in asked else re.sub("/namespaces/[^/]+(?=/)", "", collection)


def dry(request):
    """As an API server tells it: of a DELETE that has a body, the query does not count."""
    if request.method == "DELETE" and request.body:
        return request.body.get("dryRun") == ["All"]
    return request.query.get("dryRun") == "All"


def _source(volume):
    beside = ("accessModes", "capacity", "claimRef", "mountOptions", "persistentVolumeReclaimPolicy", "storageClassName", "volumeMode")
    return {key: value for key, value in volume["spec"].items() if key not in beside}


def _field(thing, dotted):
    for name in dotted.split("."):
        thing = thing.get(name, {})
    return thing


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet

    def answer(self):
        size = int(self.headers.get("content-length") or 0)
        url = urllib.parse.urlsplit(self.path)
        status, told = self.server.api.handle(Request(
            self.command, urllib.parse.unquote(url.path), dict(urllib.parse.parse_qsl(url.query)),
            json.loads(self.rfile.read(size)) if size else None, self.headers,
        ))
        body = told if isinstance(told, bytes) else (told if isinstance(told, str) else json.dumps(told)).encode()
        self.send_response_only(status)
        if self.server.api.date:
            self.send_header("Date", self.server.api.date)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def serving(api):
    """The options with which a module reaches it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.api = True, api
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield {"host": "http://127.0.0.1:%d" % server.server_port, "api_key": TOKEN}
    finally:
        server.shutdown()
        server.server_close()
