"""A fleet of which some models differ: planned first, role by role on every model, and in slices of a job, the outcome is the same."""
from __future__ import annotations

import base64
import gzip
import json
import re

import pytest
from test_latest import good

from conftest import World

MODELS = {"same": {}, "scaled": {}, "retuned": {}, "renewed": {}, "edited": {}, "unchecked": {}, "repinned": {}}
PASSING = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z|pod mnist-\S+|127\.0\.0\.1:\d+|:\d{4,5}\b")
OF_THE_MOMENT = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "status"}


def made(folder):
    """A world in which all models serve, and then some of them differ from the inventory."""
    world = World(folder)
    good(world.run("site", hosts=MODELS))
    hosts = {**MODELS, "scaled": {"scaling_replicas": 1}, "retuned": {"serving_start_timeout": 400},
             "renewed": {"model_archive": world.archive(2)}, "repinned": {"serving_version_policy": "pinned", "serving_version": "2.15"}}
    deployment = world.cluster.get("apps/v1", "deployments", "edited-deploy-serving")
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox"
    world.base = world.nas / "serving" / "model" / "unchecked"
    world.forget_the_check(1)
    return world, hosts


def outcome(world):
    """All that lasts, without times, uids and names of pods."""
    objects = {
        "/".join(map(str, key)): _lasting(thing) for key, thing in world.cluster.objects.items() if key[1] not in ("pods", "replicasets")}
    files = {
        str(path.relative_to(world.nas)): PASSING.sub("*", path.read_text("latin-1"))
        for path in sorted(world.nas.rglob("*")) if path.is_file()}
    return {**{name: PASSING.sub("*", json.dumps(thing, sort_keys=True)) for name, thing in objects.items()}, **files}


def _lasting(thing):
    if isinstance(thing, dict):
        if thing.get("type") == "helm.sh/release.v1":
            record = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(thing["data"]["release"]))))
            return {"values": record.get("config"), "status": record["info"]["status"], "version": record["version"]}
        return {key: _lasting(value) for key, value in thing.items() if key not in OF_THE_MOMENT and key != "results.json"}
    return [_lasting(value) for value in thing] if isinstance(thing, list) else thing


@pytest.fixture(scope="module")
def by_roles(tmp_path_factory):
    """What is named goes through the roles, so this is every role on every model."""
    world, hosts = made(tmp_path_factory.mktemp("by-roles"))
    good(world.run("site", "--limit", ",".join(MODELS), hosts=hosts))
    yield outcome(world)
    world.cluster.close()


@pytest.mark.parametrize("slices", [1, 3])
def test_the_outcome_is_the_same(tmp_path, by_roles, slices):
    """As a controller slices a job: every one has its own part of the hosts."""
    world, hosts = made(tmp_path)
    try:
        before = outcome(world)
        for number in range(slices):
            part = sorted(hosts)[number::slices]
            good(world.run("site", hosts={name: hosts[name] for name in part}))
        after = outcome(world)
    finally:
        world.cluster.close()
    assert {name for name in after.keys() | by_roles.keys() if after.get(name) != by_roles.get(name)} == set()
    changed = {name for name in after.keys() | before.keys() if after.get(name) != before.get(name)}
    for model in set(MODELS) - {"same"}:
        assert any(model in name for name in changed), model
    assert not any("same" in name for name in changed)
