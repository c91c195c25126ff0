# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The wrong answers of one server, with the pictures that it was shown."""
from __future__ import annotations

import base64
import io
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.words import shown

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

LISTED = 120  # wrong answers shown
PICTURE_BYTES = 900_000  # of all pictures together, as they stand in the page
PICTURE_SIDE = 96  # pixels; larger pictures are scaled down
PHOTO_SIDE = 64  # pixels; of larger ones JPEG is the smaller one

Facts = dict[str, Any]


def mistakes(measured: Facts, worst: Facts | None) -> Facts | None:
    """The surest first; the answers unlike golden where the dataset has no labels. None where there are none."""
    if worst is None or worst["given"] is None:
        return None
    golden_only = worst["right"] is None
    against = worst["agrees" if golden_only else "right"]
    wanted = (measured["golden"] or {}).get("answers") if golden_only else measured["expected"]
    indexes = numpy.flatnonzero(numpy.asarray(against) == 0) if against is not None else numpy.array([], int)
    if not indexes.size:
        return None
    order = _sureness(measured, worst, indexes)
    if order is not None:
        indexes = indexes[numpy.argsort(-order, kind="stable")]
    entries = _entries(measured, worst, wanted, indexes[:LISTED].tolist())
    left = len(indexes) - len(entries)
    first = ", the farthest off first" if measured["kind"] == "values" else ", those it was surest of first"
    return {
        "title": "Answers unlike the golden ones" if golden_only else "Wrong answers",
        "wanted": "recorded" if golden_only else "expected",
        "text": "Of %s%s.%s" % (worst["title"], "" if order is None else first, " %d more are left out." % left if left else ""),
        "pictures": measured["pictures"] is not None, "scored": worst["score"] is not None, "entries": entries,
    }


def _entries(measured: Facts, worst: Facts, wanted: Any, indexes: list[int]) -> list[Facts]:
    """As many of them as fit into the page."""
    score, space = worst["score"], PICTURE_BYTES
    entries: list[Facts] = []
    for index in indexes:
        entry: Facts = {
            "index": index, "expected": "" if wanted is None else shown(wanted[index]), "given": shown(worst["given"][index]),
            "score": "" if score is None or not numpy.isfinite(score[index]) else "%.3g" % score[index],
        }
        if measured["pictures"] is not None:
            entry.update(picture(measured["pictures"][index]))
            space -= len(entry["picture"])
            if space < 0:
                break
        entries.append(entry)
    return entries


def _sureness(measured: Facts, worst: Facts, indexes: Any) -> Any:
    """How sure, or for values how far off, each of these answers is; None where nobody knows."""
    if measured["kind"] == "values" and measured["expected"] is not None:
        far = [
            numpy.max(abs(numpy.asarray(worst["given"][index], float) - numpy.asarray(measured["expected"][index], float)))
            for index in indexes
        ]
    elif worst["score"] is not None:
        far = [worst["score"][index] for index in indexes]
    else:
        return None
    return numpy.nan_to_num(numpy.array(far, float), nan=numpy.inf)


def picture(pixels: Any) -> Facts:
    """An array (H, W) or (H, W, channels) as the page shows it: a data URI and a size."""
    from PIL import Image  # comes with matplotlib

    pixels = numpy.asarray(pixels)
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        pixels = pixels[..., 0]
    image = Image.fromarray(numpy.ascontiguousarray(_bytes(pixels)))
    photo = max(image.size) > PHOTO_SIDE
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    file = io.BytesIO()
    if photo:
        image.convert("RGB" if pixels.ndim == 3 else "L").save(file, "JPEG", quality=80)
    else:
        image.save(file, "PNG", optimize=True)
    uri = "data:image/%s;base64,%s" % ("jpeg" if photo else "png", base64.b64encode(file.getvalue()).decode())
    return {"picture": uri, "width": image.width, "height": image.height, "photo": photo}


def _bytes(pixels: Any) -> Any:
    """From 0 or the darkest, if that is less, to the brightest."""
    if pixels.dtype == numpy.uint8:
        return pixels
    pixels = numpy.nan_to_num(pixels.astype(float), posinf=0, neginf=0)
    low, high = min(pixels.min(), 0), pixels.max()
    return ((pixels - low) * (255 / (high - low) if high > low else 1)).round().astype(numpy.uint8)
