# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is this folder a SavedModel that a server can load, and which signatures has it?

Field numbers are those of tensorflow/core/protobuf/saved_model.proto, meta_graph.proto and
framework/{graph,function,types}.proto.
"""
import mmap
import os
import re
from typing import Any, Dict, Iterable, Iterator

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import (
    Data,
    Malformed,
    Span,
    fields,
    last_text,
    map_entries,
    messages,
    texts,
)

SAVED_MODEL = "saved_model.pb"
SERVE = "serve"
VARIABLE_OPS = frozenset((b"Variable", b"VariableV2", b"VarHandleOp", b"AutoReloadVariable"))
DTYPES = [
    "invalid", "float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64", "bool",
    "qint8", "quint8", "qint32", "bfloat16", "qint16", "quint16", "uint16", "complex128", "float16", "resource",
    "variant", "uint32", "uint64",
]
TABLE_MAGIC = bytes.fromhex("57fb808b247547db")  # ends every checkpoint index, a LevelDB table


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _tensor(data: Data, span: Span) -> str:
    """TensorInfo as a person reads it: float32[-1,784]."""
    dtype, shape = 0, "[?]"
    for number, value in fields(data, span):
        if number == 2 and isinstance(value, int):
            dtype = value
        elif number == 3 and isinstance(value, tuple):
            unknown = any(part == 3 and rank for part, rank in fields(data, value))
            sizes = [
                _signed(next((size for part, size in fields(data, dim) if part == 1 and isinstance(size, int)), 0))
                for dim in messages(data, value, 2)
            ]
            shape = "[?]" if unknown else "[%s]" % ",".join(str(size) for size in sizes)
    return (DTYPES[dtype] if dtype < len(DTYPES) else "dtype%d" % dtype) + shape


def _signature(data: Data, span: Span) -> Dict[str, Any]:
    return {
        "method": last_text(data, span, 3),
        "inputs": {name: _tensor(data, tensor) for name, tensor in map_entries(data, span, 1)},
        "outputs": {name: _tensor(data, tensor) for name, tensor in map_entries(data, span, 2)},
    }


def _has_variables(data: Data, graph: Span) -> bool:
    def ops(nodes: Iterable[Span]) -> Iterator[bytes]:
        return (bytes(data[op[0]:op[1]]) for node in nodes for op in messages(data, node, 2))

    if any(op in VARIABLE_OPS for op in ops(messages(data, graph, 1))):
        return True
    functions = (function for library in messages(data, graph, 2) for function in messages(data, library, 1))
    return any(op in VARIABLE_OPS for function in functions for op in ops(messages(data, function, 3)))


def parse(data: Data) -> Dict[str, Any]:
    """What a saved_model.pb says of its graph for serving. Raises Malformed."""
    tags_found = []
    for meta_graph in messages(data, (0, len(data)), 2):
        tags = [tag for info in messages(data, meta_graph, 1) for tag in texts(data, info, 4)]
        tags_found.append(tags)
        if SERVE not in tags:
            continue
        signatures = {name: _signature(data, span) for name, span in map_entries(data, meta_graph, 5)}
        return {
            # Signatures without a method are TensorFlow's own (initialisation).
            "signatures": {name: value for name, value in sorted(signatures.items()) if value["method"]},
            "variables": any(_has_variables(data, graph) for graph in messages(data, meta_graph, 2)),
            "assets": [name for asset in messages(data, meta_graph, 6) for name in texts(data, asset, 2)],
        }
    raise Malformed(
        "no graph with the tag '%s' (graphs in it: %s)"
        % (SERVE, "; ".join(",".join(tags) or "without tags" for tags in tags_found) or "none")
    )


def _read(path: str) -> Dict[str, Any]:
    with nofollow.reading(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise Malformed("it is empty")
        if size >= 1 << 31:
            raise Malformed("it has %d bytes, and TensorFlow loads less than 2 GiB" % size)
        # Graphs with constants in them have hundreds of MB of which a few thousand bytes are looked at.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return parse(data)


def _check_variables(folder: str) -> None:
    variables = os.path.join(folder, "variables")
    names = nofollow.listing(variables)
    if not names:
        raise Error(
            "The model has variables, but its folder variables/ is missing: a server would load it and then fail every"
            " request. Pack the whole version folder.", "variables_missing",
        )
    shards = [re.match(r"variables\.data-(\d{5})-of-(\d{5})$", name) for name in names]
    totals = {int(shard.group(2)) for shard in shards if shard}
    expected = ["variables.index"] + [
        "variables.data-%05d-of-%05d" % (shard, total) for total in totals or {1} for shard in range(total)
    ]
    missing = [name for name in expected if name not in names]
    if missing:
        raise Error(
            "The model has variables, but variables/%s is missing%s. Pack the whole version folder."
            % (missing[0], " (and %d more)" % (len(missing) - 1) if missing[1:] else ""),
            "variables_missing", missing=missing,
        )
    with nofollow.reading(os.path.join(variables, "variables.index")) as index:
        index.seek(0, os.SEEK_END)
        index.seek(-min(index.tell(), len(TABLE_MAGIC)), os.SEEK_END)
        if index.read() != TABLE_MAGIC:
            raise Error(
                "variables/variables.index is damaged or cut off. Export and pack the model again.", "variables_damaged"
            )


def inspect(folder: str) -> Dict[str, Any]:
    """{"signatures": ...} of a version folder that a server can load; otherwise an Error that says what is wrong."""
    path = os.path.join(folder, SAVED_MODEL)
    try:
        model = _read(path)
    except (FileNotFoundError, NotADirectoryError):
        raise Error(
            "It has no file %s. Pack or copy the whole version folder." % SAVED_MODEL, "no_saved_model"
        ) from None
    except Malformed as problem:
        raise Error(
            "%s is not a SavedModel that TensorFlow Serving can load: %s. Export the model again"
            " (tf.saved_model.save writes such a file)." % (SAVED_MODEL, problem), "saved_model_invalid",
        ) from None
    if model["variables"]:
        _check_variables(folder)
    for name in model["assets"]:
        if nofollow.kind(os.path.join(folder, "assets", name)) != "file":
            raise Error(
                "The model names the file assets/%s, which is missing. Pack the whole version folder." % name,
                "assets_missing", missing=name,
            )
    return model
