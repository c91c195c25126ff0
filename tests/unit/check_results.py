"""What the report is made of: results of a check that was never run, as the engine makes them, with the findings of the real verdict."""
from __future__ import annotations

import numpy
from measurements import OPTIONS

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import verdict

ENVIRONMENT = {"python": "3.11.7", "grpcio": "1.85.1", "protobuf": "7.36.2", "numpy": "2.4.6"}


def digits(tests, size=28):
    """Pictures that are easily told apart: a bright bar whose place is the label."""
    labels = numpy.arange(tests) % 10
    pictures = numpy.zeros((tests, size, size), numpy.uint8)
    for picture, label in zip(pictures, labels):
        place = int(label) * size // 10
        picture[3:-3, place:place + max(2, size // 8)] = 230
    return pictures, labels


def server(title, expected, given, score=None, seed=1, version=1, milliseconds=4.0, failed=(), batch=16, singles=50, **changes):
    """One server's part. failed: numbers of the requests without an answer; expected: None without labels."""
    random = numpy.random.default_rng(seed)
    tests = len(given)
    answered = numpy.ones(tests, bool)
    timeline, start = [], 0.0
    for number, first in enumerate(range(0, tests, batch)):
        seconds = float(random.gamma(6, milliseconds / 2000))
        timeline.append((start, seconds, min(batch, tests - first), number not in failed))
        start += seconds / 4
        if number in failed:
            answered[first:first + batch] = False
    right = None
    if expected is not None:
        right = numpy.array([given[test] == expected[test] for test in range(tests)], numpy.int8)
        right[~answered] = -1
    times = [float(value) for value in random.gamma(9, milliseconds / 9000, singles)]
    low, middle, high = (round(1000 * float(value), 1) for value in numpy.percentile(times, (50, 90, 99))) if times else (0, 0, 0)
    return {
        "title": title, "pod": title[4:] if title.startswith("pod ") else None, "address": None, "counts": True,
        "version": version, "versions": [version], "state": "AVAILABLE", "problem": None,
        "answered": int(answered.sum()), "wrong": None if right is None else int((right == 0).sum()), "not_finite": 0,
        "unanswered": int((~answered).sum()), "agreed": None, "errors": {"UNAVAILABLE": len(failed)} if failed else {},
        "first_error": "the model server closed the connection" if failed else None, "requests": len(timeline) + singles,
        "right": right, "agrees": None, "given": [value if fine else None for value, fine in zip(given, answered)],
        "score": score, "timeline": timeline, "singles": times,
        "latency_ms": {"p50": low, "p90": middle, "p99": high, "max": round(1000 * max(times), 1)} if times else None,
        "rate": len(timeline) / start if start else None, "tests_per_second": tests / start if start else None, **changes,
    }


def measured(servers, expected, pictures=None, **changes):
    return {
        "model": "mnist", "signature": "predict_images", "method": "predict", "release": "mnist-deploy", "namespace": "default",
        "at": "2026-11-22T23:40:00Z", "tests": len(servers[0]["given"]) if servers else 0,
        "dataset": {"location": "http://10.213.0.5/", "digest": "sha256:" + "8d42" * 16}, "golden": None, "kind": "classes",
        "expected": expected, "pictures": pictures, "batch_size": 16, "concurrency": 4, "environment": ENVIRONMENT, "alone": True,
        "servers": servers, **changes,
    }


def findings(measured, previous=None, stable=None, **options):
    return verdict.judge({**OPTIONS, **options}, measured, previous, stable)


def check(tests=100, wrong=10, **changes):
    """(measured, findings) of a check of one server with so many wrong answers."""
    pictures, labels = digits(tests)
    expected = [int(label) for label in labels]
    given = [(label + 1) % 10 if test < wrong else label for test, label in enumerate(expected)]
    score = numpy.linspace(0.4, 0.99, tests).astype(numpy.float32)
    result = measured([server("pod mnist-deploy-serving-6f5d8c7b9-x2k4j", expected, given, score)], expected, pictures, **changes)
    return result, findings(result)
