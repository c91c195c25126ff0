# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the looks before a run have found, in one line: that all is well, and what playbooks/site.yml would change. Pure."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Facts = Mapping[str, Any]

# Of upgrade_because, as module serving_preflight documents it. What begins with chart_ is the chart.
BECAUSE = {"values": "other values", "not_deployed": "it is not deployed", "objects_missing": "objects of it are missing"}


def ready(found: Facts) -> str:
    """found: the answers of the looks by the modules' names, model_publish in check mode. scale: {} where nothing is scaled."""
    changes = list(_changes(found))
    return "Ready: %s. playbooks/site.yml would %s." % (
        ", ".join(_seen(found)), "change nothing" if not changes else ", ".join(changes),
    )


def _seen(found: Facts) -> Iterator[str]:
    serving, published = found["serving_preflight"], found["model_publish"]
    yield "Helm %s" % serving["helm"]["version"].lstrip("v")
    yield _gpus(serving)
    if published["message"]:
        yield "the archive is version %s, which was taken away" % published["version"]
    elif published["version"] is None:
        yield "the archive's version is known when it is unpacked"
    else:
        yield "the archive is version %s" % published["version"]
    yield "%d test%s" % (found["check_preflight"]["tests"], "" if found["check_preflight"]["tests"] == 1 else "s")


def _gpus(serving: Facts) -> str:
    if not serving["gpus"]:
        return "no GPU asked for"
    if serving["gpu_nodes"] is None:
        return "GPU nodes not known"
    return "%d GPU node%s" % (serving["gpu_nodes"], "" if serving["gpu_nodes"] == 1 else "s")


def _changes(found: Facts) -> Iterator[str]:
    """In the order in which they are made."""
    serving, published = found["serving_preflight"], found["model_publish"]
    if not published["message"] and published["version"] not in published["versions"]:
        yield "publish the version" if published["version"] is None else "publish version %s" % published["version"]
    volume = found["model_volume"]["diff"]
    if volume["before"] != volume["after"]:
        yield "change the volume" if volume["before"] else "make the volume"
    if serving["upgrade_because"] == ["no_release"]:
        yield "install the release"
    elif serving["upgrade"]:
        yield "upgrade the release (%s)" % " and ".join(dict.fromkeys(
            BECAUSE.get(word, "another chart") for word in serving["upgrade_because"]))
    scale = found["deployment_scale"]
    if "before" in scale and scale["before"] != scale["replicas"]:
        before, replicas = scale["before"], scale["replicas"]
        yield "set %d replicas" % replicas if before is None else "scale %d -> %d" % (before, replicas)
