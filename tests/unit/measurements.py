"""What the engine of the inference check hands over, made up."""
from __future__ import annotations

OPTIONS = {
    "max_error_rate": 15.0, "min_agreement": 99.0, "max_latency_ms": {}, "max_failed_requests": 0, "min_rate": None,
    "max_difference": None, "stable_version": None, "expected_version": None,
}


def server(wrong=0, tests=1000, title="pod a", agreed=None, unanswered=0, **other):
    """One server, whose first `wrong` answers are wrong (a 1 taken for a 2), and which was then asked no more."""
    answered = tests - unanswered
    labelled = wrong is not None
    made = {
        "title": title, "pod": title[4:] if title.startswith("pod ") else None, "address": title[8:], "counts": True,
        "version": 1, "versions": [1], "state": "AVAILABLE", "problem": None, "answered": answered, "wrong": wrong,
        "not_finite": 0, "unanswered": unanswered, "agreed": agreed, "errors": {}, "first_error": None, "requests": tests // 10 + 50,
        "right": [0] * wrong + [1] * (answered - wrong) + [-1] * unanswered if labelled else None,
        "agrees": None if agreed is None else [1] * agreed + [0] * (answered - agreed) + [-1] * unanswered,
        "given": [2] * (wrong or 0) + [1] * (answered - (wrong or 0)) + [None] * unanswered, "score": None,
        "timeline": [], "singles": [0.002],
        "latency_ms": {"p50": 2.0, "p90": 3.5, "p99": 9.0, "max": 12.1}, "rate": 812.34, "tests_per_second": 8123.4,
    }
    return {**made, **other}


def unreachable(title="pod b", message="the server cannot be reached: Connection refused", code="unavailable", **other):
    made = server(0, 1000, title, unanswered=1000, problem={"message": message, "code": code}, version=None, versions=[])
    return {**made, "right": None, "given": [], "requests": 0, "latency_ms": None, "rate": None, "tests_per_second": None, **other}


def measured(*servers, tests=1000, labelled=True, golden=None, **other):
    made = {
        "model": "mnist", "signature": "predict_images", "method": "predict", "release": "mnist-deploy", "namespace": "default",
        "at": "2026-11-22T23:40:00Z", "tests": tests, "dataset": {"location": "/data", "digest": "sha256:1"}, "golden": golden,
        "kind": "classes", "expected": [1] * tests if labelled else None, "pictures": None, "batch_size": 10, "concurrency": 4,
        "environment": {}, "alone": True, "servers": list(servers),
    }
    return {**made, **other}


GOLDEN = {"location": "/golden.npz", "version": 1, "recorded": "2026-11-01T00:00:00Z"}
