"""site.yml against the tutorial's own commands (tutorial.sh), interleaved on one warm lab.

Both sides keep a release of their own. After a first run of each come ROUNDS rounds of unchanged runs.
Wall seconds, and CPU seconds of this machine's child processes (not of the cluster).
"""
from __future__ import annotations

import argparse
import functools
import os
import re
import subprocess
import sys

from measure import ROOT, interleaved, median, say_noise, timed

SIDES = {
    "site.yml": ["ansible-playbook", "-i", "inventories/lab", "site.yml", "-e", "gpu=false"],
    "tutorial.sh": ["benchmarks/tutorial.sh", "bench-tutorial", "tutorial", "/bench-tutorial"],
}


def unchanged(side):
    wall, cpu, output = timed(SIDES[side], cwd=ROOT)
    if side == "site.yml" and not re.search(r"changed=0 ", output):
        sys.exit("the unchanged run changed something:\n" + output[-2000:])
    return wall, cpu


def note(number, side, measured):
    print("round %d  %-12s wall %5.1f s  CPU %5.1f s" % (number, side, *measured), flush=True)


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
    try:
        first = {side: timed(SIDES[side], cwd=ROOT) for side in reversed(SIDES)}
        say_noise()
        results = interleaved({side: functools.partial(unchanged, side) for side in SIDES}, rounds, note)
        say_noise()
    finally:
        clean_up()
    print("\n%-12s  first run  median wall  (min-max)      median CPU" % "")
    for side, rows in results.items():
        walls = [row[0] for row in rows]
        print("%-12s  %7.1f s  %9.1f s  (%.1f-%.1f)  %9.1f s" % (
            side, first[side][0], median(rows, 0), min(walls), max(walls), median(rows, 1)))
    ours, theirs = (results[side] for side in SIDES)
    print("ratio of medians, site.yml / tutorial.sh: wall %.2f, CPU %.2f" % (
        median(ours, 0) / median(theirs, 0), median(ours, 1) / median(theirs, 1)))


if __name__ == "__main__":
    main()
