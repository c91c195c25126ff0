"""A client written the way the tutorial's is: tensorflow-serving-api, make_tensor_proto, one image a request.

Runs on the TensorFlow of the lab's cache: PYTHONPATH=/var/cache/tf-serving-lab/tensorflow.
Prints for each concurrency the tutorial's line, and what its requests took as JSON.
"""
from __future__ import annotations

import argparse
import gzip
import json
import sys
import threading
import time
import urllib.request

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def fetch(work_dir, name, header):
    with urllib.request.urlopen(work_dir + name, timeout=30) as reply:
        return np.frombuffer(gzip.decompress(reply.read()), np.uint8, offset=header)


class Results:
    def __init__(self, concurrency):
        self.slots = threading.Semaphore(concurrency)
        self.lock = threading.Lock()
        self.done = self.errors = 0

    def callback(self, label):
        def take(future):
            try:
                wrong = label != np.argmax(np.array(future.result().outputs["scores"].float_val))
            except grpc.RpcError as error:
                print(error.code(), error.details(), file=sys.stderr)
                wrong = True
            with self.lock:
                self.done += 1
                self.errors += int(wrong)
            self.slots.release()

        return take


def ask(stub, images, labels, concurrency):
    """The tutorial's loop, do_inference()."""
    results = Results(concurrency)
    for image, label in zip(images, labels):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "mnist"
        request.model_spec.signature_name = "predict_images"
        request.inputs["images"].CopyFrom(tf.make_tensor_proto(image, shape=[1, image.size]))
        results.slots.acquire()
        stub.Predict.future(request, 5.0).add_done_callback(results.callback(label))
    for dummy in range(concurrency):
        results.slots.acquire()
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--num_tests", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1])
    parser.add_argument("--work_dir", required=True)
    args = parser.parse_args()
    images = fetch(args.work_dir, "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(np.float32) / 255
    labels = fetch(args.work_dir, "t10k-labels-idx1-ubyte.gz", 8)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(args.server))
    for concurrency in args.concurrency:
        start, cpu = time.perf_counter(), time.process_time()
        results = ask(stub, images[:args.num_tests], labels, concurrency)
        spent = {"requests": results.done, "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
        print("Inference error rate: %s%%" % (100 * results.errors / results.done))
        print(json.dumps(spent))


if __name__ == "__main__":
    main()
