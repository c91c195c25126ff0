"""What the benchmarks share: sides that take turns, what a command takes, and how much the machine itself varies."""
from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def interleaved(sides, rounds, note=lambda number, side, measured: None):
    """{side: [what each call gave]}. sides: {name: function}; each once a round, in the opposite order every other round."""
    results = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 else reversed(sides):
            measured = sides[side]()
            results[side].append(measured)
            note(number + 1, side, measured)
    return results


def timed(command, fails=False, timeout=600, **options):
    """(wall seconds, CPU seconds of it and its children, standard output). fails: it has to end with an error."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - start
    if bool(done.returncode) != fails:
        sys.exit("%s %s:\n%s" % (
            " ".join(map(str, command)), "did not fail" if fails else "failed", (done.stdout + done.stderr)[-3000:]))
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def noise():
    """The machine's own noise: the same fixed work five times, (slowest / fastest - 1)."""
    times = []
    for dummy in range(5):
        start = time.perf_counter()
        sum(range(5_000_000))
        times.append(time.perf_counter() - start)
    return max(times) / min(times) - 1


def say_noise():
    print("machine noise %.0f %%, load %.1f" % (100 * noise(), os.getloadavg()[0]), flush=True)


def median(rows, column):
    return statistics.median(row[column] for row in rows)
