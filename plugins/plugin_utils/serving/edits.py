# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody changed by hand of that which the chart made. Helm compares releases, and never looks at the objects. Pure."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.helm_chart import LOADER
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.quantity import quantity

# Who owns what of these is somebody else: scaling, the autoscaler.
NOT_BY_HAND = {"f:replicas", "f:volumeName"}  # set by scaling, and by the binding of a claim
NOT_THE_CHARTS = {("Deployment", "spec.replicas")}
PARTS = ("spec", "data")  # labels and annotations of an object are anybody's


def edited(manifest: str, objects: Iterable[Object]) -> list[str]:
    """The places that differ, such as spec.template.spec.containers.serving.image. manifest: in Helm's record of the release."""
    suspects = [thing for thing in objects if _touched(thing)]
    if not suspects:
        return []
    made = {(one["kind"], one["metadata"]["name"]): one for one in yaml.load_all(manifest, Loader=LOADER) if one}
    found: list[str] = []
    for thing in suspects:
        for (kind, name), wanted in made.items():
            if name == thing["metadata"]["name"] and thing.get("kind", kind) in (kind, "Thing"):
                found += ["%s.%s" % (kind, place) for place in _differences(kind, wanted, thing)]
    return found


def _touched(thing: Object) -> bool:
    """Has anybody but one set something here? The API server keeps account. Without that account it may be so."""
    owners = [
        entry for entry in thing["metadata"].get("managedFields") or ()
        if not entry.get("subresource") and any(set((entry.get("fieldsV1") or {}).get("f:" + part) or {}) - NOT_BY_HAND for part in PARTS)
    ]
    return len(owners) != 1


def _differences(kind: str, wanted: Object, there: Object) -> Iterator[str]:
    for part in PARTS:
        for place in _missing(part, wanted.get(part), there.get(part)):
            if (kind, place) not in NOT_THE_CHARTS:
                yield place


def _missing(place: str, wanted: Any, there: Any) -> Iterator[str]:
    """Places where what is wanted is not there. What the API server added counts for nothing, but in lists."""
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        for key, value in wanted.items():
            yield from _missing("%s.%s" % (place, key), value, there.get(key))
    elif isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        for index, (one, other) in enumerate(zip(wanted, there)):
            name = one.get("name", index) if isinstance(one, Mapping) else index
            yield from _missing("%s.%s" % (place, name), one, other)
    elif not _same(wanted, there):
        yield place


def _same(wanted: Any, there: Any) -> bool:
    if wanted == there or (not wanted and not there):
        return True
    amounts = quantity(str(wanted)), quantity(str(there))
    return None not in amounts and amounts[0] == amounts[1] and not isinstance(wanted, (Mapping, list))
