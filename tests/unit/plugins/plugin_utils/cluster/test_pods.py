"""The pods of a release, asked of an API server in this process."""
from __future__ import annotations

import http.server
import json
import threading

import pytest
from kubernetes import client

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.pods import ready_replicas


def pod(name, ready=True, deleted=False, waiting=None, condition=None):
    return {
        "metadata": {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}, *([condition] if condition else [])],
            "containerStatuses": [{"name": "serving", "state": {"waiting": waiting} if waiting else {}}],
        },
    }


@pytest.fixture
def look():
    """look(pods, replicas) of an API that holds these; pods may be an error's status, replicas None: no Deployment."""
    servers = []

    def call(pods, replicas=1, configuration=None):
        class Api(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.headers["authorization"] != "Bearer secret":
                    self.answer(401, {"kind": "Status", "message": "Unauthorized"})
                elif self.path == "/apis/apps/v1/namespaces/models/deployments/mnist-deploy-serving":
                    self.answer(200, {"spec": {"replicas": replicas}}) if replicas is not None else self.answer(404, {"kind": "Status"})
                elif self.path.startswith("/api/v1/namespaces/models/pods?labelSelector="):
                    assert "instance%3Dmnist-deploy" in self.path
                    self.answer(pods, {"kind": "Status", "message": "no"}) if isinstance(pods, int) else self.answer(200, {"items": pods})
                else:
                    self.answer(500, {"message": self.path})

            def answer(self, status, body):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *arguments):
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        configuration = client.Configuration()
        configuration.host = "http://127.0.0.1:%d" % servers[-1].server_port
        configuration.api_key = {"authorization": "Bearer secret"}
        seen = ready_replicas(client.ApiClient(configuration), "models", "mnist-deploy")
        return seen and (seen.ready, seen.others)

    yield call
    for server in servers:
        server.shutdown()
        server.server_close()


def refused(look, *arguments):
    with pytest.raises(Error) as caught:
        look(*arguments)
    return caught.value


def test_ready_ones_in_order(look):
    assert look([pod("b"), pod("a"), pod("c", deleted=True)]) == (["a", "b"], [])


def test_others_with_their_reason(look):
    unschedulable = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available",
    }
    pods = [
        pod("a"), pod("b", False, waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling image"}),
        pod("c", False), pod("d", False, condition=unschedulable), {"metadata": {"name": "e"}, "status": {}},
    ]
    assert look(pods) == (["a"], [
        "b is not ready: ImagePullBackOff: Back-off pulling image", "c is not ready: Running",
        "d is not ready: Unschedulable: 0/1 nodes are available", "e is not ready: Unknown",
    ])


def test_no_deployment(look):
    assert look([], None) is None


@pytest.mark.parametrize(("pods", "replicas", "says"), [
    ([], 0, "it is scaled to 0"), ([], 1, "it has no pod"),
    ([pod("a", False, waiting={"reason": "CrashLoopBackOff"})], 1, "a is not ready: CrashLoopBackOff"),
    ([pod("%02d" % number, False) for number in range(9)], 9, "and 6 more"),
])
def test_none_is_ready(look, pods, replicas, says):
    error = refused(look, pods, replicas)
    assert error.code == "no_ready_replica" and says in error.message
    assert "Deployment mnist-deploy-serving in namespace models" in error.message


def test_what_is_not_allowed_is_named(look):
    error = refused(look, 403)
    assert error.code == "forbidden"
    assert error.message == "Could not list the pods of the release mnist-deploy in namespace models: no"


def test_an_api_server_that_is_gone():
    configuration = client.Configuration()
    configuration.host, configuration.retries = "http://127.0.0.1:1", False
    with pytest.raises(Error) as caught:
        ready_replicas(client.ApiClient(configuration), "models", "mnist-deploy")
    assert caught.value.code == "cluster_unreachable" and "mnist-deploy-serving" in caught.value.message
