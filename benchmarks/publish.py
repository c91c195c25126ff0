"""A publish against what a person types on the node: `curl -O; tar; rm; sync`, and `curl | tar; sync`, on one mount of the lab's NAS.

The sides take turns, ROUNDS rounds for 200 MB and fewer for 2 GB (--large-rounds, 0 for none). All that a publish does counts in:
Python's start on the node, the lock, checksums of the archive and of each file, the look at the model, the record, the rename.
The archive is a version of float32 weights, packed by gzip -1. Ends with an error where a promise is broken.
"""
from __future__ import annotations

import argparse
import functools
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from measure import ROOT, interleaved, say_noise

sys.path.append(str(ROOT / "tests" / "unit"))
from saved_models import INDEX_END, saved_model  # noqa: E402

LAB = Path("/var/lib/tf-serving-lab")
NODE = ["ssh", "-i", str(LAB / "node_key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
        "-o", "LogLevel=ERROR", "root@10.213.0.3"]
MOUNT, FOLDER, CODE = "/run/bench-publish", "bench-publish", "/run/bench-publish-code"
URL = "http://10.213.0.5/"
# At most: the median of each round's ratio of a publish to these.
PROMISES = {"curl -O; tar; rm; sync": 0.9, "curl | tar; sync": 1.2}
OURS = "model_publish"


def node(command, stdin=None):
    done = subprocess.run([*NODE, "set -eu; " + command], input=stdin, capture_output=True, check=False)
    if done.returncode:
        sys.exit("%s:\n%s" % (command, (done.stdout + done.stderr).decode("utf-8", "replace")[-2000:]))
    return done.stdout.decode()


class Weights(io.RawIOBase):
    """`size` bytes of float32 that are spread as weights are: the exponent repeats, the fraction does not."""

    EXPONENTS = bytes(b & 0x80 | 0x3C | b & 1 for b in range(256))  # of any byte

    def __init__(self, size):
        self.left, self.chance = size, random.Random(size)

    def read(self, size=-1):
        size = min(size, self.left)
        self.left -= size
        data = bytearray(self.chance.randbytes(size))
        data[3::4] = data[3::4].translate(self.EXPONENTS)
        return bytes(data)


def pack(path, size):
    """The sha256 of an archive of a version with `size` bytes of weights."""
    index, graph = b"index" + INDEX_END, saved_model()
    with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, length, content in (
                ("saved_model.pb", len(graph), io.BytesIO(graph)), ("variables/variables.index", len(index), io.BytesIO(index)),
                ("variables/variables.data-00000-of-00001", size, Weights(size))):
            info = tarfile.TarInfo("bench/1/" + name)
            info.size = length
            archive.addfile(info, content)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sides(name, checksum, size):
    """{side: what it types on the node}, each in a new folder."""
    return {
        OURS: "python3 %s/benchmarks/publish_on_node.py %s %s /%s/ours/bench %s%s %s" % (
            CODE, CODE, MOUNT, FOLDER, URL, name, checksum),
        "curl -O; tar; rm; sync": "mkdir theirs; cd theirs; curl -sSO %s%s; tar -xzf %s; rm %s; sync" % (URL, name, name, name),
        "curl | tar; sync": "mkdir theirs; cd theirs; curl -sS %s%s | tar -xz; sync" % (URL, name),
    }


def timed(command, size):
    """(seconds on the node, KiB of memory of a publish)"""
    node("cd %s/%s; rm -rf ours theirs; sync" % (MOUNT, FOLDER))
    # By the machine's clock, not the guest's; what SSH takes is the same for all.
    start = time.monotonic()
    output = node("cd %s/%s; %s" % (MOUNT, FOLDER, command))
    wall = time.monotonic() - start
    found = node("cd %s/%s; du -sb --apparent-size . | cut -f1" % (MOUNT, FOLDER))
    if int(found) < size:
        sys.exit("%s left %s bytes" % (command, found))
    answer = json.loads(output) if output else {"memory": 0, "changed": True, "verified": True}
    if not (answer["changed"] and answer["verified"]):
        sys.exit("a publish did not do what is measured: %s" % output)
    return wall, answer["memory"]


def note(number, side, measured):
    print("round %d  %-24s %6.1f s" % (number, side, measured[0]), flush=True)


def measured(size, rounds):
    """The ratios of one size, {side: median}."""
    free = shutil.disk_usage(LAB).free
    if free < 3 * size:  # the archive where it is downloaded from, and both it and what is in it on the NAS, which lies here too
        sys.exit("%s has %d MB free, and %d MB of weights take %d: make room, or leave them out (--large-rounds 0)" % (
            LAB, free >> 20, size >> 20, 3 * size >> 20))
    name = "bench-publish-%d.tar.gz" % size
    path = LAB / "www" / name
    try:
        checksum = pack(path, size)
        print("\n%d MB, packed %d MB" % (size >> 20, path.stat().st_size >> 20))
        commands = sides(name, checksum, size)
        say_noise()
        results = interleaved({side: functools.partial(timed, commands[side], size) for side in commands}, rounds, note)
        say_noise()
    finally:
        path.unlink(missing_ok=True)
    print("\n%-24s  median wall  (min-max)        ratio of a publish to it (min-max)" % "")
    ours = [row[0] for row in results[OURS]]
    medians = {}
    for side, rows in results.items():
        walls = [row[0] for row in rows]
        ratios = [mine / other for mine, other in zip(ours, walls)]
        medians[side] = statistics.median(ratios)
        print("%-24s  %8.1f s   (%.1f-%.1f)      %.2f (%.2f-%.2f)" % (
            side, statistics.median(walls), min(walls), max(walls), medians[side], min(ratios), max(ratios)))
    print("memory of a publish on the node: %d MiB at most" % (max(row[1] for row in results[OURS]) >> 10))
    return medians


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large-rounds", type=int, default=2, help="rounds for 2 GB, which take 2 minutes each")
    arguments = parser.parse_args()
    if not os.environ.get("KUBECONFIG"):
        sys.exit('The lab\'s environment is missing: eval "$(tests/lab/lab env)"')
    code = subprocess.run(["tar", "-cf", "-", "plugins/module_utils", "benchmarks/publish_on_node.py"], cwd=ROOT,
                          capture_output=True, check=True).stdout
    broken = []
    try:
        node("rm -rf %s; mkdir -p %s %s; tar -C %s -xf -; mount -t nfs -o vers=4.0 10.213.0.4:/ %s; mkdir -p %s/%s" % (
            CODE, CODE, MOUNT, CODE, MOUNT, MOUNT, FOLDER), code)
        for size, rounds in ((200 << 20, arguments.rounds), (2 << 30, arguments.large_rounds)):
            medians = measured(size, rounds) if rounds else {}
            for side, ratio in medians.items():
                if ratio > PROMISES.get(side, 1):
                    broken.append("%d MB against %s: %.2f (at most %.1f)" % (size >> 20, side, ratio, PROMISES[side]))
    finally:
        node("cd /; mountpoint -q %s && { rm -rf %s/%s; umount %s; }; rm -rf %s %s" % (
            MOUNT, MOUNT, FOLDER, MOUNT, MOUNT, CODE))
    if broken:
        sys.exit("broken: " + ", ".join(broken))


if __name__ == "__main__":
    main()
