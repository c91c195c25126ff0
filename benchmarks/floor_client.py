"""The least a gRPC client in Python can do: the same bytes sent again and again, and no answer looked at.

floor_client.py ADDRESS REQUEST COUNT CONCURRENCY, where REQUEST is a file. Prints {"requests", "seconds", "cpu"} as JSON.
Threads with blocking calls: futures with callbacks cost more at every size that was tried.
"""
from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

METHOD = "/tensorflow.serving.PredictionService/Predict"
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def main(address, request, count, concurrency):
    wire = Path(request).read_bytes()
    with grpc.insecure_channel(address, UNLIMITED) as channel, ThreadPoolExecutor(int(concurrency)) as pool:
        predict = channel.unary_unary(METHOD)
        predict(wire, timeout=60)  # connected
        start, cpu = time.perf_counter(), time.process_time()
        list(pool.map(lambda dummy: predict(wire, timeout=60), range(int(count))))
        seconds, used = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"requests": int(count), "seconds": seconds, "cpu": used}))


main(*sys.argv[1:])
