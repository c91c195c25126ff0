# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which files are meant by what somebody says of a dataset: a file, a folder as it lies on a disk or a server, or a mapping."""
from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import public
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.fetching import URL, name, place

# MNIST's test data, as they are known everywhere.
IMAGES = "t10k-images-idx3-ubyte.gz"
LABELS = "t10k-labels-idx1-ubyte.gz"
PAIR = re.compile(r"(.*?)(images|labels)[-.]idx([13])-ubyte(\.gz)?$", re.IGNORECASE)
INPUTS = {"x", "images", "features", "inputs", "data"}
ANSWERS = {"y", "labels", "targets", "target", "label"}
DATA = re.compile(
    r".*(\.(npz|npy|csv|tsv|data|jsonl?|ndjson|jsonlines|parquet|tfrecords?|tfrec)|[-.]idx\d+-[a-z]+|[._]tfrecord-.*|-of-\d+)"
    r"(\.(gz|bz2|xz|zip))?$", re.IGNORECASE)
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
NO_DATA = re.compile(r"\..*|__MACOSX|Thumbs\.db|desktop\.ini", re.IGNORECASE)
DEEPEST = 3  # folders with nothing but a folder in them
SHOWN = 6


class File(NamedTuple):
    """One file of a dataset."""

    place: str  # URL or path
    column: str | None = None  # what its one array is called, None where the file says it
    rank: int | None = None  # of MNIST's files


def files(location: Any) -> tuple[list[list[File]], str]:
    """([the Files of a dataset, in the same order each time; what else they may be], what people call it)"""
    if isinstance(location, dict):
        if not location:
            raise Error("check_dataset is an empty mapping: give each column a file, or use a path or URL.", "dataset_invalid")
        found = [File(place(location[column], "check_dataset"), str(column)) for column in sorted(location, key=str)]
        return [found], ", ".join("%s: %s" % (file.column, public(file.place)) for file in found)
    at = place(location, "check_dataset")
    if URL.match(at):
        return _of_url(at), public(at)
    return [_of_folder(at.rstrip("/") or "/") if os.path.isdir(at) else [File(at)]], at


def _of_url(url: str) -> list[list[File]]:
    """A file where the URL looks like one, or has a query; else perhaps a folder, and MNIST's files in it, packed or not."""
    path, query = re.match("([^?#]*)(.*)", url, re.DOTALL).groups()  # type: ignore[union-attr]
    if query or DATA.match(name(url)) or re.search(r"\.[A-Za-z][A-Za-z0-9]{0,7}$", name(url)):
        return [[File(url)]]
    pairs = [_mnist(path.rstrip("/") + "/", ending) for ending in (".gz", "")]
    return pairs if path.endswith("/") else [*pairs, [File(url)]]


def _mnist(folder: str, ending: str) -> list[File]:
    images, labels = (known.removesuffix(".gz") + ending for known in (IMAGES, LABELS))
    return [File(folder + images, "images", 3), File(folder + labels, "labels", 1)]


def _of_folder(path: str, depth: int = 0) -> list[File]:
    entries = sorted(entry for entry in os.listdir(path) if not NO_DATA.fullmatch(entry))
    folders = [entry for entry in entries if os.path.isdir(os.path.join(path, entry))]
    data = [entry for entry in entries if entry not in folders and DATA.match(entry)]
    if len(folders) == 1 and not data and depth < DEEPEST and not _pictures(os.path.join(path, folders[0])):
        return _of_folder(os.path.join(path, folders[0]), depth + 1)
    chosen = _pair(path, data) or _separate(path, data)
    if chosen:
        return chosen
    if len(data) == 1 and not PAIR.match(data[0]):
        return [File(os.path.join(path, data[0]))]
    if len(data) > 1:
        raise Error("check_dataset is the folder %s, which holds %s: name one of them, or give each column its file with a mapping"
                    " such as {images: FILE, labels: FILE}." % (path, _listed(data)), "dataset_invalid")
    _look_for_pictures(path, folders)
    return _mnist(path + "/", ".gz")  # which are missed then by their names


def _pair(path: str, data: Sequence[str]) -> list[File]:
    """MNIST's files, or another dataset's that were made like them; of training and test data the latter."""
    if IMAGES in data or LABELS in data:
        return _mnist(path + "/", ".gz")
    pairs: dict[str, dict[str, str]] = {}
    for entry in data:
        match = PAIR.match(entry)
        if match:
            pairs.setdefault(match.group(1), {}).setdefault(match.group(2).lower(), entry)
    tests = [prefix for prefix in pairs if re.search("t10k|test|val", prefix, re.IGNORECASE)] or list(pairs)
    if len(tests) != 1 or len(pairs[tests[0]]) != 2:
        return []
    pair = pairs[tests[0]]
    return [File(os.path.join(path, pair["images"]), "images", 3), File(os.path.join(path, pair["labels"]), "labels", 1)]


def _separate(path: str, data: Sequence[str]) -> list[File]:
    """A file for the inputs and one for the answers, such as X_test.npy and y_test.npy."""
    found: dict[str, list[str]] = {}
    for entry in data:
        words = [word for word in re.split(r"[^a-z]+", entry.lower().partition(".")[0]) if word]
        if not {"train", "training", "val", "validation"} & set(words):
            said = set(words) - {"test"}
            column = "x" if said and said <= INPUTS else "y" if said and said <= ANSWERS else ""
            found.setdefault(column, []).append(entry)
    if [len(found.get(column, [])) for column in ("x", "y")] != [1, 1]:
        return []
    return [File(os.path.join(path, found[column][0]), column) for column in ("x", "y")]


def _look_for_pictures(path: str, folders: Sequence[str]) -> None:
    classes = [folder for folder in folders if _pictures(os.path.join(path, folder))]
    if classes or _pictures(path):
        raise Error(
            "check_dataset is the folder %s, which holds pictures%s: read them as the model wants them"
            " (tf.keras.utils.image_dataset_from_directory with shuffle=False), write them with"
            ' numpy.savez("test.npz", images=x, labels=y), and name that file.'
            % (path, ", a folder for each class (%s)" % _listed(classes) if classes else ""), "dataset_invalid",
        )


def _pictures(path: str) -> bool:
    try:
        return any(entry.lower().endswith(PICTURES) and not NO_DATA.fullmatch(entry) for entry in os.listdir(path))
    except OSError:
        return False


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" and %d more" % (len(names) - SHOWN) if len(names) > SHOWN else "")
