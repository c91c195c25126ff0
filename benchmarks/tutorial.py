"""site.yml against the tutorial's own commands (tutorial.sh), interleaved on one warm lab.

Both sides keep a release of their own. After a first run of each come ROUNDS rounds of unchanged runs.
Wall seconds, and CPU seconds of this machine's child processes (not of the cluster).
"""
from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIDES = {
    "site.yml": ["ansible-playbook", "-i", "inventories/lab", "site.yml", "-e", "gpu=false"],
    "tutorial.sh": ["benchmarks/tutorial.sh", "bench-tutorial", "tutorial", "/bench-tutorial"],
}


def timed(side):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(SIDES[side], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - start
    if done.returncode:
        sys.exit("%s failed:\n%s" % (side, (done.stdout + done.stderr)[-3000:]))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout


def noise():
    """The machine's own noise: the same fixed work five times, (slowest / fastest - 1)."""
    times = []
    for dummy in range(5):
        start = time.perf_counter()
        sum(range(5_000_000))
        times.append(time.perf_counter() - start)
    return max(times) / min(times) - 1


def clean_up():
    subprocess.run(["helm", "uninstall", "tutorial", "--namespace", "bench-tutorial"], check=False, capture_output=True)
    subprocess.run(["kubectl", "delete", "persistentvolume/pv-tutorial", "namespace/bench-tutorial", "--ignore-not-found"],
                   check=False, capture_output=True)
    subprocess.run(["rm", "-rf", "/var/lib/tf-serving-lab/nas/bench-tutorial"], check=False)
    subprocess.run(["ansible-playbook", "-i", "inventories/lab", "playbooks/teardown.yml", "-e", "model_delete_data=true"],
                   cwd=ROOT, check=False, capture_output=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    if not os.environ.get("KUBECONFIG"):
        sys.exit('The lab\'s environment is missing: eval "$(tests/lab/lab env)"')
    clean_up()
    results = {side: [] for side in SIDES}
    try:
        first = {side: timed(side) for side in reversed(SIDES)}
        print("machine noise %.0f %%, load %s" % (100 * noise(), os.getloadavg()[0]), flush=True)
        for number in range(rounds):
            for side in SIDES if number % 2 else reversed(SIDES):
                wall, cpu, output = timed(side)
                if side == "site.yml" and not re.search(r"changed=0 ", output):
                    sys.exit("the unchanged run changed something:\n" + output[-2000:])
                results[side].append((wall, cpu))
                print("round %d  %-12s wall %5.1f s  CPU %5.1f s" % (number + 1, side, wall, cpu), flush=True)
        print("machine noise %.0f %%, load %s" % (100 * noise(), os.getloadavg()[0]))
    finally:
        clean_up()
    print("\n%-12s  first run  median wall  (min-max)      median CPU" % "")
    for side, rows in results.items():
        walls, cpus = zip(*rows)
        print("%-12s  %7.1f s  %9.1f s  (%.1f-%.1f)  %9.1f s" % (
            side, first[side][0], statistics.median(walls), min(walls), max(walls), statistics.median(cpus)))
    ours, theirs = ([row[0] for row in results[side]] for side in SIDES)
    print("ratio of medians, site.yml / tutorial.sh: wall %.2f, CPU %.2f" % (
        statistics.median(ours) / statistics.median(theirs),
        statistics.median([row[1] for row in results["site.yml"]]) / statistics.median([row[1] for row in results["tutorial.sh"]])))


if __name__ == "__main__":
    main()
