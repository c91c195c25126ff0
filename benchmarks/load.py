"""What clients lose while a model's life goes on: publish, promote, roll back, upgrade, restart, scale, pods killed.

`make load`. For each policy a release of its own on the lab: two replicas, shipped defaults, a steady load on its Service's
address (load_client.py), and the real playbooks one after the other. Prints a table for each policy.
"""
from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from tf_lab import models, settings  # noqa: E402

IMAGE = "localhost/tensorflow-serving:2.15.1"
ARCHIVES = dict(zip((1, 2, 3), models.ARCHIVES))  # published under these numbers; the third has wrecked weights
LATEST, PINNED = "latest", "pinned"
POLICIES = (LATEST, PINNED)
WRECKED, KILLED = "publish wrecked v3", "pods killed"
RATE = 120  # requests a second in all: what two cores sustain beside Ansible
QUIET = 3  # seconds that still belong to a phase after all of it is over


@dataclasses.dataclass
class Release:
    """One model on the lab, driven as a user drives it."""

    policy: str
    folder: Path  # for the inventory and the logs
    extra: dict = dataclasses.field(default_factory=dict)  # other host variables than the shipped defaults

    def __post_init__(self):
        self.name = "load-" + self.policy
        self.deployment = "deployment/%s-deploy-serving" % self.name
        self.inventory = self.folder / (self.name + ".json")  # JSON is YAML; group_vars come from the lab's inventory
        self.inventory.write_text(json.dumps({"models": {"hosts": {self.name: {
            "model_archive": archive(1), "gpu": False, "serving_image": IMAGE, "scaling_replicas": 2,
            **({} if self.policy == LATEST else {"serving_version_policy": self.policy}), **self.extra}}}}))

    def play(self, playbook, fails=None, **extra):
        """Run a playbook; `fails` is what it must say when it has to fail."""
        command = ["ansible-playbook", "-i", "inventories/lab", "-i", str(self.inventory), "--limit", self.name, playbook,
                   "-e", json.dumps(extra)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
        output = done.stdout + done.stderr
        with open(self.folder / (self.name + ".log"), "a") as log:
            log.write("\n$ %s\n%s" % (" ".join(command), output))
        if (done.returncode != 0) != bool(fails) or (fails or "") not in output:
            raise SystemExit("%s should have %s:\n%s" % (
                playbook, "failed with %r" % fails if fails else "succeeded", output[-4000:]))

    def kubectl(self, *arguments):
        return subprocess.run(["kubectl", *arguments], check=True, capture_output=True, text=True, timeout=600).stdout

    def pods(self):
        return json.loads(self.kubectl(
            "get", "pods", "-o", "json", "-l", "app.kubernetes.io/instance=%s-deploy" % self.name))["items"]

    def settled(self, replicas=2):
        """As many pods as wanted, all ready, and none that is still going: what they lose at the kill counts as well."""
        end = time.monotonic() + 300
        while time.monotonic() < end:
            pods = self.pods()
            ready = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and any(
                one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))]
            if len(ready) == len(pods) == replicas:
                return time.sleep(QUIET)
            time.sleep(0.5)
        raise SystemExit("%s has not settled at %s replicas" % (self.name, replicas))

    def address(self):
        service = json.loads(self.kubectl("get", "service", self.name + "-deploy-acs-tensorflow-serving", "-o", "json"))
        return "%s:%s" % (service["status"]["loadBalancer"]["ingress"][0]["ip"], service["spec"]["ports"][0]["port"])

    # What the phases do. Each returns when nothing of it goes on any more.

    def site(self, **extra):
        self.play("site.yml", **extra)
        self.settled()

    def publish(self, version, **options):
        self.play("playbooks/publish.yml", model_archive=archive(version), model_version=version, **options)

    def restart(self):
        self.kubectl("rollout", "restart", self.deployment)
        self.kubectl("rollout", "status", self.deployment)
        self.settled()

    def scale(self, replicas):
        self.play("playbooks/scale.yml", scaling_replicas=replicas)
        self.settled(replicas)

    def scale_and_back(self):
        self.scale(4)
        time.sleep(10)
        self.scale(2)

    def delete_pods(self, *options):
        """One after the other, for nobody knows which of them most clients are connected to."""
        for pod in self.pods():
            self.kubectl("delete", "pod/" + pod["metadata"]["name"], "--wait=false", *options)
            time.sleep(1)
            self.settled()

    def take_down(self):
        self.play("playbooks/teardown.yml", model_delete_data=True)


@dataclasses.dataclass
class Phase:
    name: str
    versions: tuple  # those that may answer requests of this phase
    action: str  # of Release
    arguments: tuple = ()
    options: dict = dataclasses.field(default_factory=dict)
    policies: tuple = POLICIES

    def run(self, release):
        getattr(release, self.action)(*self.arguments, **self.options)


def phases(policy):
    # Under latest, servers take the new version before it is checked; under pinned, clients see it once it is promoted.
    published = (1, 2) if policy == LATEST else (1,)
    every = (
        Phase("site.yml, nothing to change", (1,), "site"),
        Phase("publish v2", published, "publish", (2,)),
        Phase("promote v2", (1, 2), "play", ("playbooks/promote.yml",), policies=(PINNED,)),
        Phase("roll back to v1", (1, 2), "play", ("playbooks/rollback.yml",)),
        Phase(WRECKED, (1,), "publish", (3,), {"fails": "error rate"}),
        Phase("chart upgrade", (1,), "site", options={"serving_pod_annotations": {"load": "1"}}),
        Phase("rollout restart", (1,), "restart"),
        Phase("scale 2-4-2", (1,), "scale_and_back"),
        Phase("pods deleted", (1,), "delete_pods"),
        Phase(KILLED, (1,), "delete_pods", ("--grace-period=0", "--force")),
    )
    return [phase for phase in every if policy in phase.policies]


def archive(version):
    return "http://%s/%s" % (settings.WEB_IP, ARCHIVES[version])


class Client:
    """The load client, a process of its own."""

    def __init__(self, address, model, rate, label=""):
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "load_client.py"), address, model, str(answers()), str(rate), label],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def phase(self, name, versions):
        print(json.dumps({"phase": name, "versions": versions}), file=self.process.stdin, flush=True)

    def stop(self):
        """What happened, phase by phase."""
        return json.loads(self.process.communicate(timeout=120)[0])

    def kill(self):
        self.process.kill()
        self.process.wait()


def measure(release, chosen, requests, rate=RATE):
    """Run the phases under load and go on until that many requests were sent. Returns a summary for each phase."""
    release.site()
    # In pinned mode half of the clients ask for the stable version by its label.
    client = Client(release.address(), release.name, rate, "stable" if release.policy == PINNED else "")
    try:
        start = time.monotonic()
        for phase in chosen:
            print("%s: %s" % (release.name, phase.name), file=sys.stderr, flush=True)
            client.phase(phase.name, phase.versions)
            phase.run(release)
        remaining = requests / rate - (time.monotonic() - start)
        if remaining > 0:
            client.phase("nothing happens", (1,))
            time.sleep(remaining + 1)
        return client.stop()
    finally:
        client.kill()


def table(rows):
    """As Markdown."""
    lines = ["| phase | requests | plain lost | retry lost | slowest plain, retry | wrong answers |", "|---|---|---|---|---|---|"]
    for row in rows:
        lines.append("| %s | %d | %s | %s | %.1f s, %.1f s | %s |" % (
            row["phase"], row["requests"], lost(row["plain"]), lost(row["retry"]), row["plain"]["slowest"], row["retry"]["slowest"],
            "%d in %.1f s" % (row["wrong"], row["wrong_seconds"]) if row["wrong"] else 0))
    lines.append("| all | %d | %d of %d | %d of %d | | %d |" % (
        sum(row["requests"] for row in rows),
        sum(row["plain"]["lost"] for row in rows), sum(row["plain"]["requests"] for row in rows),
        sum(row["retry"]["lost"] for row in rows), sum(row["retry"]["requests"] for row in rows),
        sum(row["wrong"] for row in rows)))
    return "\n".join(lines)


def lost(kind):
    if not kind["lost"]:
        return "0"
    return "%d of %d (%s)" % (kind["lost"], kind["requests"], ", ".join(
        "%s %d" % item for item in sorted(kind["codes"].items())))


def answers():
    """The scores of every model for every test image, as TensorFlow itself gives them; made once."""
    target = models.MODELS / "answers.npz"
    if not target.exists():
        with tempfile.TemporaryDirectory() as folder:
            for version, name in ARCHIVES.items():
                with tarfile.open(models.MODELS / name) as tar:
                    tar.extractall(Path(folder) / str(version), filter="data")
            subprocess.run(
                [models.PYTHON, "-c", COMPUTE, folder, models.MODELS / models.TEST_IMAGES], check=True,
                env={"PATH": os.defpath, "PYTHONPATH": str(models.TENSORFLOW), "TF_CPP_MIN_LOG_LEVEL": "2",
                     "PYTHONDONTWRITEBYTECODE": "1"})
            shutil.copy(Path(folder) / "answers.npz", target.with_suffix(".new"))
            target.with_suffix(".new").rename(target)
    return target


COMPUTE = '''
import gzip, pathlib, sys, numpy, tensorflow
tf, folder = tensorflow.compat.v1, pathlib.Path(sys.argv[1])
pixels = gzip.open(sys.argv[2]).read()[16:]
images = numpy.frombuffer(pixels, numpy.uint8).reshape(-1, 784).astype(numpy.float32) / numpy.float32(255)
answers = {"images": images}
for path in folder.glob("*/mnist/*"):
    with tf.Graph().as_default(), tf.Session() as session:
        signature = tf.saved_model.load(session, ["serve"], str(path)).signature_def["predict_images"]
        answers[path.parent.parent.name] = session.run(
            signature.outputs["scores"].name, {signature.inputs["images"].name: images})
numpy.savez(folder / "answers.npz", **answers)
'''


def broken_promises(policy, rows):
    """What the README promises and these numbers do not keep."""
    for row in rows:
        if row["retry"]["lost"]:
            yield "%s, %s: clients with the service config of docs/clients.md lost requests" % (policy, row["phase"])
        # Nobody can promise anything for a pod that is killed without a warning.
        if row["phase"] != KILLED and row["plain"]["lost"] > max(1, row["plain"]["requests"] / 2000):
            yield "%s, %s: plain clients lost more than 1 request in 2000" % (policy, row["phase"])
        if row["wrong"] and (policy == PINNED or row["phase"] != WRECKED):
            yield "%s, %s: wrong answers" % (policy, row["phase"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=50000, help="at least so many for each policy")
    parser.add_argument("--policy", choices=POLICIES, action="append", help="default: both, one after the other")
    parser.add_argument("--phase", action="append", help="default: all")
    parser.add_argument("--set", type=json.loads, default={}, help="host variables in place of the shipped defaults, as JSON")
    options = parser.parse_args()
    if not os.environ.get("KUBECONFIG"):
        sys.exit('The lab\'s environment is missing: eval "$(tests/lab/lab env)"')
    broken = []
    for policy in options.policy or POLICIES:
        chosen = [phase for phase in phases(policy) if not options.phase or phase.name in options.phase]
        folder = Path(tempfile.mkdtemp(prefix="load-"))
        release = Release(policy, folder, options.set)
        try:
            rows = measure(release, chosen, options.requests)
        finally:
            release.take_down()
        (folder / "rows.json").write_text(json.dumps(rows, indent=1))
        print("\n%s (load average %.0f, logs in %s)\n\n%s" % (policy, os.getloadavg()[1], folder, table(rows)), flush=True)
        broken += broken_promises(policy, rows)
    if broken:
        sys.exit("\n".join(broken))


if __name__ == "__main__":
    main()
