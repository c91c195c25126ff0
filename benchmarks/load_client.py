"""A steady load on one address, and what became of every request: load_client.py ADDRESS MODEL ANSWERS RATE [LABEL]

Uses nothing of this collection: the official tensorflow-serving-api protos over gRPC. Eight channels share the rate. Half
of them are plain clients, half have the service config that docs/clients.md hands out. With LABEL, half of either kind ask
for the version with that label, the others for none.

ANSWERS is an .npz: `images`, and under each version's number the scores that TensorFlow itself gives for them.
Each line on standard input, {"phase": NAME, "versions": [1, 2]}, begins a phase: the requests sent from now on may be
answered by these versions, and each must answer as its own weights do. At the end of the input: what happened, as JSON.
"""
from __future__ import annotations

import collections
import json
import sys
import threading
import time
import types
from pathlib import Path

import grpc
import numpy

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from tf_lab import models  # noqa: E402

# The official protos import TensorFlow's, and those need its folder but not TensorFlow.
sys.path.append(str(models.TENSORFLOW))
sys.modules["tensorflow"] = types.ModuleType("tensorflow")
sys.modules["tensorflow"].__path__ = [str(models.TENSORFLOW / "tensorflow")]

from tensorflow.core.framework import types_pb2  # noqa: E402
from tensorflow_serving.apis import predict_pb2  # noqa: E402

KINDS = ("plain", "retry")
CHANNELS = 8
DEADLINE = 10  # seconds
METHOD = "/tensorflow.serving.PredictionService/Predict"
SERVICE_CONFIG = (ROOT / "docs" / "grpc-service-config.json").read_text()

Phase = collections.namedtuple("Phase", "name versions")
Row = collections.namedtuple("Row", "phase kind code version right sent answered details")


def channel(address, kind):
    # Channels of one process share their connections otherwise, and these stand for clients far apart.
    options = [("grpc.use_local_subchannel_pool", 1)]
    if kind == "retry":
        options += [("grpc.enable_retries", 1), ("grpc.service_config", SERVICE_CONFIG)]
    return grpc.insecure_channel(address, options=options).unary_unary(
        METHOD, response_deserializer=predict_pb2.PredictResponse.FromString)


def request(model, image, label):
    """As bytes: what is the same every time is made once."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = model, "predict_images"
    if label:
        message.model_spec.version_label = label
    tensor = message.inputs["images"]
    tensor.dtype, tensor.tensor_content = types_pb2.DT_FLOAT, image.tobytes()
    tensor.tensor_shape.dim.add(size=1)
    tensor.tensor_shape.dim.add(size=len(image))
    return message.SerializeToString()


class Load:
    def __init__(self, address, model, answers, rate, label=""):
        with numpy.load(answers) as file:
            images = file["images"]
            self.scores = {int(name): file[name] for name in file.files if name != "images"}
        self.rate, self.rows = rate, []
        self.clients = []
        for number in range(CHANNELS):
            kind, asked = KINDS[number % 2], label if number % 4 > 1 else ""
            self.clients.append((kind, channel(address, kind), [request(model, image, asked) for image in images]))
        self.phase = None
        self.stopped = threading.Event()
        self.outstanding = threading.Semaphore(0)

    def run(self):
        """Send at the steady rate until stopped, whatever the answers do; then wait for the last of them."""
        start, number = time.monotonic(), 0
        while not self.stopped.is_set():
            self.send(number)
            number += 1
            self.stopped.wait(max(0.0, start + number / self.rate - time.monotonic()))
        for dummy in range(number):
            self.outstanding.acquire()

    def send(self, number):
        kind, call, requests = self.clients[number % CHANNELS]
        image, phase, sent = number // CHANNELS % len(requests), self.phase, time.monotonic()

        def answered(future):
            version, right, details = None, True, ""
            if future.code() is grpc.StatusCode.OK:
                reply = future.result()
                version = reply.model_spec.version.value
                right = version in phase.versions and self.is_answer(version, image, reply.outputs["scores"].float_val)
            else:
                details = future.details()
            self.rows.append(Row(phase, kind, future.code().name, version, right, sent, time.monotonic(), details))
            self.outstanding.release()

        call.future(requests[image], timeout=DEADLINE).add_done_callback(answered)

    def is_answer(self, version, image, scores):
        known = self.scores.get(version)
        return known is not None and len(scores) == 10 and bool(numpy.allclose(scores, known[image], rtol=0, atol=1e-3))


def summary(phase, rows):
    """What happened to the requests that were sent in this phase."""
    wrong = [row for row in rows if not row.right]
    kinds = {}
    for kind in KINDS:
        mine = [row for row in rows if row.kind == kind]
        lost = collections.Counter(row.code for row in mine if row.code != "OK")
        kinds[kind] = {
            "requests": len(mine), "lost": sum(lost.values()), "codes": lost,
            "slowest": round(max((row.answered - row.sent for row in mine), default=0), 2),
            "details": sorted({row.details for row in mine if row.details}),
        }
    return {
        "phase": phase.name, "requests": len(rows), **kinds, "wrong": len(wrong),
        "wrong_seconds": round(wrong[-1].answered - wrong[0].answered, 1) if wrong else 0,
        "versions": collections.Counter(row.version for row in rows if row.version is not None),
    }


def main():
    address, model, answers, rate = sys.argv[1:5]
    load = Load(address, model, answers, float(rate), *sys.argv[5:])
    thread = threading.Thread(target=load.run)
    phases = []
    for line in sys.stdin:
        phase = json.loads(line)
        load.phase = Phase(phase["phase"], tuple(phase["versions"]))
        if not phases:
            thread.start()
        phases.append(load.phase)
    load.stopped.set()
    if phases:
        thread.join()
    by_phase = {phase: [] for phase in phases}
    for row in load.rows:
        by_phase[row.phase].append(row)
    json.dump([summary(phase, rows) for phase, rows in by_phase.items()], sys.stdout)


if __name__ == "__main__":
    main()
