"""benchmarks/load_client.py counts what is lost and what is wrong: asked of a server that loses and errs on purpose.

Needs the official protos that `tests/lab/lab up` has built, not the cluster.
"""
from __future__ import annotations

import json
import subprocess
import sys
import time
import types
from concurrent import futures
from pathlib import Path

import grpc
import numpy
import pytest

from tf_lab import models

sys.path.append(str(models.TENSORFLOW))
sys.modules.setdefault("tensorflow", types.ModuleType("tensorflow")).__path__ = [str(models.TENSORFLOW / "tensorflow")]

from tensorflow_serving.apis import predict_pb2

CLIENT = Path(__file__).resolve().parents[2] / "benchmarks" / "load_client.py"
SCORES = {version: numpy.eye(10, dtype=numpy.float32)[[version]] for version in (1, 2)}


class Server:
    """Answers as version `says` with the scores of version `computes`, and loses each request's first attempt if told to."""

    def __init__(self):
        self.says = self.computes = 1
        self.loses = False
        self.labels = set()
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            "tensorflow.serving.PredictionService",
            {"Predict": grpc.unary_unary_rpc_method_handler(self.predict, predict_pb2.PredictRequest.FromString)})])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def predict(self, request, context):
        self.labels.add(request.model_spec.version_label)
        if self.loses and "grpc-previous-rpc-attempts" not in dict(context.invocation_metadata()):
            context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        reply = predict_pb2.PredictResponse()
        reply.model_spec.version.value = self.says
        reply.outputs["scores"].float_val.extend(SCORES[self.computes][0])
        return reply.SerializeToString()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.server.stop(0)


@pytest.fixture
def load(server, tmp_path):
    """Run phases of half a second: [(versions that may answer, what is different at the server)]. Returns the summaries."""
    numpy.savez(tmp_path / "answers.npz", images=numpy.zeros((1, 784), numpy.float32), **{
        str(version): scores for version, scores in SCORES.items()})

    def run(*phases, label=""):
        client = subprocess.Popen(
            [sys.executable, CLIENT, "127.0.0.1:%d" % server.port, "mnist", tmp_path / "answers.npz", "160", label],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            for number, (versions, different) in enumerate(phases):
                vars(server).update(different)
                print(json.dumps({"phase": str(number), "versions": versions}), file=client.stdin, flush=True)
                time.sleep(2 if number == 0 else 0.5)  # the first one covers the client's start
            return json.loads(client.communicate(timeout=30)[0])
        finally:
            client.kill()
            client.wait()
    return run


def test_every_request_is_counted_once(load):
    (only,) = load(([1], {}))
    assert only["requests"] == only["plain"]["requests"] + only["retry"]["requests"] == only["versions"]["1"] > 100
    assert (only["plain"]["lost"], only["retry"]["lost"], only["wrong"]) == (0, 0, 0)


def test_the_service_config_of_the_docs_saves_what_a_plain_client_loses(load):
    dummy, losing = load(([1], {}), ([1], {"loses": True}))
    assert losing["plain"]["lost"] >= losing["plain"]["requests"] - 4 > 10  # some were on their way
    assert set(losing["plain"]["codes"]) == {"UNAVAILABLE"} and losing["plain"]["details"] == ["gone"]
    assert losing["retry"]["lost"] == 0


def test_an_answer_is_wrong_by_its_version_or_by_its_scores(load):
    right, not_yet, allowed, wrecked = load(
        ([1], {}), ([1], {"says": 2, "computes": 2}), ([1, 2], {}), ([1, 2], {"says": 1, "computes": 2}))
    assert right["wrong"] <= 4 and allowed["wrong"] <= 4
    for phase in (not_yet, wrecked):
        assert phase["wrong"] >= phase["requests"] - 4 > 50
        assert 0.2 < phase["wrong_seconds"] < 2


def test_half_of_the_clients_ask_for_the_label(server, load):
    load(([1], {}), label="stable")
    assert server.labels == {"", "stable"}
