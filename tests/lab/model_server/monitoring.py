"""Counters and histograms, written as PrometheusExporter writes them. No TensorFlow in here."""
from __future__ import annotations

import threading
from bisect import bisect_left

# Microseconds: 33 buckets, each 1.8 times the one before; the last is open (servables/tensorflow/util.cc).
BOUNDS = [10 * 1.8**n for n in range(33)]


class Metrics:
    def __init__(self):
        self.lock = threading.Lock()
        self.counters = {}  # (name, labels) -> number
        self.histograms = {}  # (name, labels) -> [sum, counts of the buckets]

    def count(self, name, labels=None, by=1):
        key = name, tuple((labels or {}).items())
        with self.lock:
            self.counters[key] = self.counters.get(key, 0) + by

    def observe(self, name, labels, micros):
        key = name, tuple(labels.items())
        with self.lock:
            histogram = self.histograms.setdefault(key, [0.0, [0] * (len(BOUNDS) + 1)])
            histogram[0] += micros
            histogram[1][bisect_left(BOUNDS, micros)] += 1

    def request(self, model, api, entrypoint, status, micros, run_micros):
        """run_micros: those of the session, None if it was not reached or failed."""
        self.count(":tensorflow:serving:request_count", {"model_name": model, "status": status})
        self.observe(":tensorflow:serving:request_latency",
                     {"model_name": model, "API": api, "entrypoint": entrypoint}, micros)
        if run_micros is not None:
            self.count(":tensorflow:core:graph_runs")
            self.count(":tensorflow:core:graph_run_time_usecs", by=int(run_micros))
            self.observe(":tensorflow:serving:runtime_latency",
                         {"model_name": model, "API": api, "runtime": "TF1"}, run_micros)

    def page(self):
        with self.lock:
            counters = sorted(self.counters.items())
            histograms = [(key, total, list(counts)) for key, (total, counts) in sorted(self.histograms.items())]
        lines, typed = [], set()

        def begin(name, kind):
            if name not in typed:
                typed.add(name)
                lines.append("# TYPE %s %s" % (name, kind))

        for (name, labels), number in counters:
            begin(name, "counter")
            lines.append("%s{%s} %d" % (name, _labels(labels), number))
        for (name, labels), total, counts in histograms:
            begin(name, "histogram")
            text, sofar = _labels(labels), 0
            for bound, number in zip([*BOUNDS, None], counts):
                sofar += number
                limit = "+Inf" if bound is None else "%g" % bound
                lines.append('%s_bucket{%s%sle="%s"} %d' % (name, text, "," if text else "", limit, sofar))
            lines.append("%s_sum{%s} %g" % (name, text, total))
            lines.append("%s_count{%s} %d" % (name, text, sofar))
        return "\n".join(lines) + "\n"


def _labels(labels):
    return ",".join('%s="%s"' % (name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in labels)
