"""The inference check against the tutorial's client, ghz, and the least that a client in Python can do.

`make bench-check`, on a lab that is up. Prints the tables of benchmarks/README.md, and ends with an error where a promise
is broken. Names of parts (whole steady start batches forward) run those alone.
"""
from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from check_bed import COMPILED, GHZ, LARGE_BATCH, LARGE_REQUESTS, MODULE, RELEASE, TOOLS, Bed
from measure import interleaved, median, say_noise, timed

from tf_lab import models

HERE = Path(__file__).resolve().parent
SERVERS = {"TensorFlow": "TensorFlow", "constant": "a constant"}
CONCURRENCIES = (1, 8)
MOST_START = 0.15  # seconds over a task that only says something
LEAST_SPEEDUP = 10  # of the check's task over the tutorial's client at its default concurrency
MOST_CPU = 0.5  # of the tutorial's client's CPU time a request
WALL, CPU, LOADED = 0, 1, 3  # columns of what was measured; LOADED: wall with the plugin's first import


class Benchmark:
    def __init__(self, bed, rounds):
        self.bed, self.rounds = bed, rounds
        self.broken = []
        for first in (self.tutorial("constant", 1), self.check(**self.options("constant"))):
            first()  # compiles what is not compiled yet

    # One measurement each. Of whole processes: (wall, CPU, output); of requests: (requests a second, CPU us a request)

    def options(self, server, **options):
        """The check's options; what the constant server answers is wrong as a rule."""
        return {"address": self.bed.servers.get(server, server), "model_name": "mnist", "dataset": str(self.bed.tests),
                "max_error_rate": 100, **options}

    def task(self, module, options, fails=False):
        """A function that runs a playbook with one task: (task start to result, CPU of ansible-playbook, result, LOADED)."""
        command = [models.PYTHON, "-m", "ansible", "playbook", "-i", "localhost,", self.bed.playbook(module, options)]
        environment = {**self.bed.same_python, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}

        def run():
            _wall, cpu, output = timed(command, fails=fails, env=environment)
            before, task = json.loads(output[output.index("{"):])["plays"][0]["tasks"]
            ends = [moment(one["task"]["duration"]["end"]) for one in (before, task)]
            result, = task["hosts"].values()
            return ends[1] - moment(task["task"]["duration"]["start"]), cpu, result, ends[1] - ends[0]

        return run

    def check(self, **options):
        return self.task(MODULE, options)

    def requests(self, options, batch, few, many):
        """A function that has the check send so many requests in one process, and gives what one of them takes."""
        def arguments(requests):
            return self.bed.arguments({**options, "batch_size": batch, "tests": batch * requests})

        command = [models.PYTHON, HERE / "check_client.py", arguments(few), arguments(many), str(many - few)]
        return lambda: each(timed(command, env=self.bed.same_python)[2])[0]

    def floor(self, server, request, count, concurrency):
        command = [models.PYTHON, HERE / "floor_client.py", self.bed.servers[server], self.bed.request(request),
                   str(count), str(concurrency)]
        return lambda: each(timed(command, env=self.bed.same_python)[2])[0]

    def tutorial(self, server, *concurrencies):
        command = [models.PYTHON, HERE / "mnist_client.py", "--server", self.bed.servers[server],
                   "--work_dir", "file://%s/" % self.bed.tests, "--concurrency", *map(str, concurrencies)]
        return functools.partial(timed, command, env={
            "PATH": os.environ["PATH"], "PYTHONPATH": str(models.TENSORFLOW), "TF_CPP_MIN_LOG_LEVEL": "2", **COMPILED})

    def ghz(self, server, concurrency, count):
        command = [TOOLS / "ghz", "--insecure", "--protoset", self.bed.protoset(), "--call",
                   "tensorflow.serving.PredictionService/Predict", "-B", self.bed.request(1), "-c", str(concurrency),
                   "-n", str(count), "-O", "json", self.bed.servers[server]]

        def run():
            _wall, cpu, output = timed(command)
            told = json.loads(output)
            if told["statusCodeDistribution"] != {"OK": count}:
                sys.exit("ghz: %s" % told["statusCodeDistribution"])
            return 1e9 * count / told["total"], 1e6 * cpu / count

        return run

    def rounds_of(self, title, sides):
        print("\n%s: " % title, end="")
        say_noise()
        return interleaved(sides, self.rounds, lambda number, side, measured: print(
            "%s, round %d: %s: %s" % (title, number, side, " ".join("%.3f" % value for value in measured[:2])),
            file=sys.stderr, flush=True))

    def promise(self, kept, sentence):
        print("%s: %s" % ("kept" if kept else "BROKEN", sentence))
        if not kept:
            self.broken.append(sentence)

    # The parts

    def whole(self):
        """1000 tests from nothing: for the client its process, for the check its task in a playbook."""
        sides = {}
        for server in SERVERS:
            sides["`inference_check` as shipped", server] = self.check(**self.options(server))
            sides["`inference_check`, batch 1, concurrency 1", server] = self.check(
                **self.options(server, batch_size=1, concurrency=1))
            for concurrency in (1, 8):
                sides["tutorial's client, concurrency %d" % concurrency, server] = self.tutorial(server, concurrency)
        results = self.rounds_of("whole", sides)
        rows = list(dict.fromkeys(name for name, _server in sides))
        table("1000 tests, from start to result", [
            "%s: %s" % (text, what) for text in SERVERS.values() for what in ("wall (min-max)", "CPU")
        ], {name: [cell for server in SERVERS for cell in (
            wall_text(results[name, server]), "%.2f s" % median(results[name, server], CPU))] for name in rows})
        for server in SERVERS:
            theirs, ours = (results[name, server] for name in ("tutorial's client, concurrency 1", rows[0]))
            times, loaded = (statistics.median(their[WALL] / our[column] for their, our in zip(theirs, ours))
                             for column in (WALL, LOADED))
            sentence = "the check's task is %.1f times as fast as the tutorial's client at concurrency 1 (%.1f with the plugin's" \
                " import, once a run), server: %s" % (times, loaded, SERVERS[server])
            if server == "TensorFlow":
                self.promise(times >= LEAST_SPEEDUP, "%s; at least %d" % (sentence, LEAST_SPEEDUP))
            else:
                print(sentence)

    def steady(self):
        """Requests of one test each, with imports and connections behind them."""
        count = 1000
        sides = {}
        for server in SERVERS:
            for concurrency in CONCURRENCIES:
                options = self.options(server, dataset=str(self.bed.many), concurrency=concurrency)
                sides["`inference_check`", concurrency, server] = self.requests(options, 1, 100, 100 + count)
                sides["ghz", concurrency, server] = self.ghz(server, concurrency, count)
            # One process for both: its import takes longer than its requests.
            sides["tutorial's client", CONCURRENCIES, server] = self.tutorial(server, *CONCURRENCIES)
        results = self.rounds_of("steady", sides)
        for server in SERVERS:
            both = [each(output) for _wall, _cpu, output in results.pop(("tutorial's client", CONCURRENCIES, server))]
            for number, concurrency in enumerate(CONCURRENCIES):
                results["tutorial's client", concurrency, server] = [pair[number] for pair in both]
        table("Requests of one test", [
            "%s: %s" % (text, what) for text in SERVERS.values() for what in ("requests/s", "client CPU a request")
        ], {"%s, concurrency %d" % (name, concurrency): [cell for server in SERVERS for cell in (
            "%.0f" % median(results[name, concurrency, server], 0), "%.0f us" % median(results[name, concurrency, server], 1))]
            for concurrency in CONCURRENCIES for name in ("`inference_check`", "tutorial's client", "ghz")})
        for concurrency in CONCURRENCIES:
            part = ratio(*(results[name, concurrency, "constant"] for name in ("`inference_check`", "tutorial's client")), CPU)
            sentence = "CPU a request, both at concurrency %d: %.2f of the tutorial's client's" % (concurrency, part)
            if concurrency == 1:  # its default
                self.promise(part <= MOST_CPU, "%s; at most %g" % (sentence, MOST_CPU))
            else:
                print(sentence)

    def start(self):
        """How long a task takes that ends with the first thing that is wrong with its options, the import counted in."""
        wrong = self.options("constant", tests=0)
        results = self.rounds_of("start", {
            "`import grpc, numpy`": functools.partial(
                timed, [models.PYTHON, "-c", "import grpc, numpy"], env=self.bed.same_python),
            "`inference_check`": self.task(MODULE, wrong, fails=True),
            "`ansible.builtin.debug`": self.task("ansible.builtin.debug", {"msg": "again"}),
        })
        bare = results.pop("`import grpc, numpy`")
        table("Start of a task", ["task start to result (min-max)", "with the import", "CPU of `ansible-playbook`"], {
            "`import grpc, numpy` alone": ["", "%.2f s" % median(bare, WALL), "%.2f s" % median(bare, CPU)],
            **{name: [wall_text(rows), "%.2f s" % median(rows, LOADED), "%.2f s" % median(rows, CPU)]
               for name, rows in results.items()},
        })
        ours, debug = (median(rows, WALL) for rows in results.values())
        self.promise(ours - debug <= MOST_START, "the task takes %.2f s more than debug; at most %g" % (ours - debug, MOST_START))

    def batches(self):
        """Against the same bytes sent again and again with nothing decoded."""
        self.bed.start_large()
        sides = {}
        for batch, few, many in ((1, 100, 2100), (32, 20, 520), (256, 10, 110)):
            options = self.options("constant", dataset=str(self.bed.many), concurrency=4)
            sides["check", str(batch)] = self.requests(options, batch, few, many)
            sides["floor", str(batch)] = self.floor("constant", batch, many - few, 4)
        options = self.options("large", concurrency=4, dataset={
            column: str(self.bed.folder / ("large-%s.npy" % column)) for column in ("images", "labels")})
        sides["check", "32 of 224x224x3"] = self.requests(options, LARGE_BATCH, 2, LARGE_REQUESTS)
        sides["floor", "32 of 224x224x3"] = self.floor("large", "large", LARGE_REQUESTS - 2, 4)
        results = self.rounds_of("batches", sides)
        rows = {}
        for batch in dict.fromkeys(batch for _name, batch in sides):
            ours, least = results["check", batch], results["floor", batch]
            rows[batch] = [
                "%.0f" % median(ours, 2), "%.0f" % median(least, 0),
                "%.2f" % statistics.median(one[2] / other[0] for one, other in zip(ours, least)),
                "%.0f us" % median(ours, CPU), "%.0f us" % median(least, CPU), "%.2f" % ratio(ours, least, CPU)]
        table("Tests in a request", [
            "requests/s while asking", "floor", "ratio", "CPU a request, all in", "floor", "ratio"], rows)

    def forward(self):
        """One pod of the lab's cluster, through the Kubernetes API and straight."""
        with self.bed.release() as pod:
            ways = {"through the port-forward": {"release": RELEASE + "-deploy", "address": None}, "straight to the pod": {}}
            whole, one = {}, {}
            for way, options in ways.items():
                options = self.options(pod, **{"model_name": RELEASE, **options})
                whole[way] = self.check(**options)
                one[way] = self.requests({**options, "dataset": str(self.bed.many), "concurrency": 4}, 1, 100, 600)
            wholes, ones = self.rounds_of("forward, whole", whole), self.rounds_of("forward, requests", one)
        rows = {}
        for way in ways:
            latency = [(row[2]["replicas"] or [row[2]["address"]])[0]["latency_ms"] for row in wholes[way]]
            rows[way] = [wall_text(wholes[way]), "%.2f s" % median(wholes[way], CPU), "%.0f" % median(ones[way], 0),
                         "%.0f us" % median(ones[way], 1), *("%.1f ms" % median(latency, name) for name in ("p50", "p99"))]
        table("One pod, with and without the port-forward", [
            "1000 tests, wall (min-max)", "CPU", "requests of one test/s, concurrency 4", "CPU a request", "one alone, p50",
            "p99"], rows)


PARTS = ("start", "whole", "steady", "batches", "forward")


def each(output):
    """(requests a second, CPU us a request, the rate that a check tells) of each line of JSON in a client's output."""
    told = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [(one["requests"] / one["seconds"], 1e6 * one["cpu"] / one["requests"], one.get("rate")) for one in told]


def moment(text):
    """Seconds of a time as the callback json writes it."""
    return datetime.datetime.fromisoformat(text).timestamp()


def ratio(ours, theirs, column):
    """The median of each round's ratio: what stands in one round was measured on the same busy machine."""
    return statistics.median(one[column] / other[column] for one, other in zip(ours, theirs))


def wall_text(rows):
    walls = [row[WALL] for row in rows]
    return "%.2f s (%.2f-%.2f)" % (median(rows, WALL), min(walls), max(walls))


def table(title, columns, rows):
    """As Markdown."""
    print("\n| %s | %s |\n|%s" % (title, " | ".join(columns), "---|" * (1 + len(columns))))
    for name, cells in rows.items():
        print("| %s | %s |" % (name, " | ".join(cells)))
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if not os.environ.get("KUBECONFIG"):
        sys.exit('The lab\'s environment is missing: eval "$(tests/lab/lab env)"')
    with tempfile.TemporaryDirectory(prefix="bench-check-") as folder, contextlib.ExitStack() as stack:
        benchmark = Benchmark(Bed(Path(folder), stack), arguments.rounds)
        print("%d rounds, ghz %s, %d processors" % (arguments.rounds, GHZ.rpartition("@")[2], os.cpu_count()))
        for part in arguments.parts or PARTS:
            getattr(benchmark, part)()
        say_noise()
    if benchmark.broken:
        sys.exit("broken promises:\n" + "\n".join(benchmark.broken))


if __name__ == "__main__":
    main()
