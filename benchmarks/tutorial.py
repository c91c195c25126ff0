"""site.yml against the tutorial's own commands (tutorial.sh), and ten models against one, interleaved on one warm lab.

Each side keeps releases of its own. After a first run of each come ROUNDS rounds of unchanged runs.
Wall seconds, and CPU seconds of this machine's child processes (not of the cluster).
Ends with an error where a promise is broken.
"""
from __future__ import annotations

import argparse
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import ROOT, interleaved, median, say_noise, timed

TEN = ["bench-%d" % number for number in range(1, 11)]
# At most: ratios of medians of site.yml to tutorial.sh, and CPU seconds for each model more.
PROMISES = {"wall": 0.6, "CPU": 1.0, "CPU seconds for each further model": 2.0}


def playbook(name, *arguments):
    return ["ansible-playbook", "-i", "inventories/lab", "playbooks/%s.yml" % name, "-e", "gpu=false", *arguments]


def sides(inventory):
    return {
        "site.yml": playbook("site", "--limit", "mnist"),
        "tutorial.sh": ["benchmarks/tutorial.sh", "bench-tutorial", "tutorial", "/bench-tutorial"],
        "ten models": playbook("site", "-i", inventory, "--limit", ":".join(TEN)),
        "one of the ten": playbook("site", "-i", inventory, "--limit", TEN[0]),
    }


def write_inventory(folder):
    """Ten small models beside the lab's inventory."""
    path = Path(folder, "ten.json")
    own = {"serving_namespace": "bench-ten", "scaling_replicas": 1, "serving_service_type": "ClusterIP"}
    path.write_text(json.dumps({"models": {"hosts": dict.fromkeys(TEN, own)}}))
    return str(path)


def unchanged(side, command):
    wall, cpu, output = timed(command, cwd=ROOT)
    if side != "tutorial.sh":
        recaps = re.findall(r"^\S+ +: ok=\d+ +changed=(\d+)", output, re.M)
        if set(recaps) != {"0"}:
            sys.exit("the unchanged run changed something:\n" + output[-2000:])
    return wall, cpu


def note(number, side, measured):
    print("round %d  %-14s wall %5.1f s  CPU %5.1f s" % (number, side, *measured), flush=True)


def clean_up(inventory):
    subprocess.run(["helm", "uninstall", "tutorial", "--namespace", "bench-tutorial"], check=False, capture_output=True)
    subprocess.run(["kubectl", "delete", "persistentvolume/pv-tutorial", "namespace/bench-tutorial", "--ignore-not-found"],
                   check=False, capture_output=True)
    subprocess.run(["rm", "-rf", "/var/lib/tf-serving-lab/nas/bench-tutorial"], check=False)
    subprocess.run(playbook("teardown", "-i", inventory, "-e", "model_delete_data=true"), cwd=ROOT, check=False, capture_output=True)
    subprocess.run(["kubectl", "delete", "namespace/bench-ten", "--ignore-not-found"], check=False, capture_output=True)


def table(first, results):
    print("\n%-14s  first run  median wall  (min-max)      median CPU  (min-max)" % "")
    for side, rows in results.items():
        walls, cpus = ([row[column] for row in rows] for column in (0, 1))
        print("%-14s  %7.1f s  %9.1f s  (%.1f-%.1f)  %9.1f s  (%.1f-%.1f)" % (
            side, first[side][0], median(rows, 0), min(walls), max(walls), median(rows, 1), min(cpus), max(cpus)))


def measured(results):
    """What the promises are about."""
    ours, theirs, ten, one = (results[side] for side in ("site.yml", "tutorial.sh", "ten models", "one of the ten"))
    return dict(zip(PROMISES, (
        median(ours, 0) / median(theirs, 0), median(ours, 1) / median(theirs, 1),
        (median(ten, 1) - median(one, 1)) / (len(TEN) - 1))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    if not os.environ.get("KUBECONFIG"):
        sys.exit('The lab\'s environment is missing: eval "$(tests/lab/lab env)"')
    with tempfile.TemporaryDirectory() as folder:
        inventory = write_inventory(folder)
        commands = sides(inventory)
        clean_up(inventory)
        try:
            first = {side: timed(commands[side], cwd=ROOT) for side in ("tutorial.sh", "site.yml", "ten models", "one of the ten")}
            say_noise()
            results = interleaved({side: functools.partial(unchanged, side, commands[side]) for side in commands}, rounds, note)
            say_noise()
        finally:
            clean_up(inventory)
    table(first, results)
    broken = []
    for promise, value in measured(results).items():
        print("%s: %.2f (at most %.1f)" % (promise, value, PROMISES[promise]))
        if value > PROMISES[promise]:
            broken.append(promise)
    if broken:
        sys.exit("broken: " + ", ".join(broken))


if __name__ == "__main__":
    main()
