# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is this folder a SavedModel that a server can load, and which signatures has it?

Field numbers are those of tensorflow/core/protobuf/saved_model.proto, meta_graph.proto, saver.proto and
framework/{graph,function,types}.proto; what servers do with them is in tensorflow/cc/saved_model/{loader,reader}.cc.
"""
import mmap
import os
import re
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import checkpoint, foreign, nofollow
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
METHODS = ("tensorflow/serving/predict", "tensorflow/serving/classify", "tensorflow/serving/regress")
ANY_METHOD = (2, 4)  # from here on servers answer Predict whatever a signature calls its method
OWN = "__saved_model_"  # what TensorFlow calls its own signatures, which nobody can ask
VARIABLE_OPS = frozenset((b"Variable", b"VariableV2", b"VarHandleOp", b"AutoReloadVariable"))
DTYPES = [
    "invalid", "float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64", "bool",
    "qint8", "quint8", "qint32", "bfloat16", "qint16", "quint16", "uint16", "complex128", "float16", "resource",
    "variant", "uint32", "uint64",
]
ENCODINGS = {4: "sparse", 5: "composite"}  # of what is no single dense tensor, by TensorInfo's field


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _tensor(data: Data, span: Span) -> str:
    """TensorInfo as a person reads it: float32[-1,784], or float32[?] where any shape will do; sparse float32[-1,784]."""
    dtype, shape, encoding = 0, "[?]", ""
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
        elif number in ENCODINGS:
            encoding = ENCODINGS[number] + " "
    return encoding + (DTYPES[dtype] if dtype < len(DTYPES) else "dtype%d" % dtype) + shape


def _signature(data: Data, span: Span) -> Dict[str, Any]:
    described: Dict[str, Any] = {
        "method": last_text(data, span, 3),
        "inputs": {name: _tensor(data, tensor) for name, tensor in map_entries(data, span, 1)},
        "outputs": {name: _tensor(data, tensor) for name, tensor in map_entries(data, span, 2)},
    }
    optional = sorted(name for name, dummy in map_entries(data, span, 4))
    return dict(described, optional=optional) if optional else described


def _has_variables(data: Data, graph: Span) -> bool:
    def ops(nodes: Iterable[Span]) -> Iterator[bytes]:
        return (bytes(data[op[0]:op[1]]) for node in nodes for op in messages(data, node, 2))

    if any(op in VARIABLE_OPS for op in ops(messages(data, graph, 1))):
        return True
    functions = (function for library in messages(data, graph, 2) for function in messages(data, library, 1))
    return any(op in VARIABLE_OPS for function in functions for op in ops(messages(data, function, 3)))


def _restores(data: Data, meta_graph: Span) -> bool:
    """Does it have variables, and read them from variables/? Those that the graph itself sets need no file."""
    restores = any(last_text(data, saver, 3) for saver in messages(data, meta_graph, 3))
    # A graph of constants may have a million nodes: where no such word stands in the file, none is looked at.
    return (
        restores and bool(re.search(b"|".join(VARIABLE_OPS), data))
        and any(_has_variables(data, graph) for graph in messages(data, meta_graph, 2))
    )


def _assets(data: Data, meta_graph: Span) -> List[str]:
    names = [name for asset in messages(data, meta_graph, 6) for name in texts(data, asset, 2)]
    if names:
        return names
    # Until 1.13 in a collection: lists of Any, each with such a message.
    collections = (value for name, value in map_entries(data, meta_graph, 4) if name == "saved_model_assets")
    packed = (item for collection in collections for anys in messages(data, collection, 5) for item in messages(data, anys, 1))
    return [name for item in packed for asset in messages(data, item, 2) for name in texts(data, asset, 2)]


def tag_set(tags: Iterable[str]) -> str:
    return "{%s}" % ", ".join(sorted(tags))


def parse(data: Data, tags: Sequence[str] = (SERVE,)) -> Dict[str, Any]:
    """What a saved_model.pb says of the graph that servers load: the first with just these tags. Raises Malformed or Error."""
    found = []
    for meta_graph in messages(data, (0, len(data)), 2):
        own = {tag for info in messages(data, meta_graph, 1) for tag in texts(data, info, 4)}
        if own == set(tags):
            signatures = {name: _signature(data, span) for name, span in map_entries(data, meta_graph, 5)}
            return {
                "signatures": {name: value for name, value in sorted(signatures.items()) if not name.startswith(OWN)},
                "variables": _restores(data, meta_graph),
                "assets": _assets(data, meta_graph),
            }
        found.append(own)
    if not found:
        raise Malformed("there is no graph in it")
    raise _other_tags(tags, found)


def _other_tags(wanted: Sequence[str], found: List[Any]) -> Error:
    flags = ["--saved_model_tags=" + ",".join(sorted(own)) for own in found if own]
    return Error(
        "%s has no graph whose set of tags is %s, which is what servers load (in it: %s). Export it with these tags%s."
        % (SAVED_MODEL, tag_set(wanted), "; ".join(tag_set(own) for own in found),
           ", or add %s to serving_args" % " or ".join(flags) if flags else ""),
        "tags_missing", wanted=sorted(wanted), found=[sorted(own) for own in found],
    )


def _read(path: str, tags: Sequence[str]) -> Dict[str, Any]:
    with nofollow.reading(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise Malformed("it is empty")
        if size >= 1 << 31:
            raise Malformed("it has %d bytes, and TensorFlow loads less than 2 GiB" % size)
        # Graphs with constants in them have hundreds of MB of which a few thousand bytes are looked at.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return parse(data, tags)


def _check_variables(folder: str, needed: bool) -> None:
    """Whatever lies in variables/ is read when a version is loaded; without it a server loads, and then fails every request."""
    variables = os.path.join(folder, "variables")
    if nofollow.kind(os.path.join(variables, checkpoint.INDEX)) == "file":
        checkpoint.check(variables)
    elif needed:
        what = "variables/" + checkpoint.INDEX if nofollow.is_folder(variables) else "its folder variables/"
        raise Error(
            "The model has variables, but %s is missing: a server would load it and then fail every request. Pack the whole"
            " version folder." % what, "variables_missing", missing=[checkpoint.INDEX],
        )


def check_callable(signatures: Dict[str, Any], release: Optional[Tuple[int, int]]) -> None:
    """Error where there is nothing that a client could ask for. release: (major, minor) of the server, None where that is not known."""
    if not signatures:
        raise Error(
            "The model has no signature, so no client can ask it anything. Export it with one:"
            " tf.saved_model.save(model, FOLDER, signatures=model.FUNCTION.get_concrete_function(tf.TensorSpec([None, 784],"
            " tf.float32, name='images'))), or model.export(FOLDER) with Keras 3.", "no_signature",
        )
    others = {name: value["method"] for name, value in signatures.items() if value["method"] not in METHODS}
    if release and release < ANY_METHOD and len(others) == len(signatures):
        raise Error(
            "TensorFlow Serving %d.%d answers only to signatures whose method_name is %s, and the model has %s. Export it with"
            " the method_name %s, or serve it with TensorFlow Serving %d.%d or later."
            % (*release, ", ".join(METHODS), ", ".join("%s (%r)" % item for item in sorted(others.items())), METHODS[0], *ANY_METHOD),
            "no_signature", methods=others,
        )


def inspect(folder: str, tags: Sequence[str] = (SERVE,)) -> Dict[str, Any]:
    """{"signatures": ...} of a version folder that a server can load; otherwise an Error that says what is wrong."""
    foreign.refuse_pointers(folder)
    path = os.path.join(folder, SAVED_MODEL)
    try:
        model = _read(path, tags)
    except (FileNotFoundError, NotADirectoryError):
        raise Error(
            "It has no file %s. Pack or copy the whole version folder." % SAVED_MODEL, "no_saved_model"
        ) from None
    except Error as error:
        if error.code != "tags_missing" or nofollow.kind(os.path.join(folder, foreign.TF1_HUB)) != "file":
            raise
        raise Error(foreign.way_out(os.path.join(folder, foreign.TF1_HUB), foreign.TF1_HUB), error.code, **error.details) from None
    except Malformed as problem:
        way_out = foreign.way_out(path, SAVED_MODEL) or "Export the model again (tf.saved_model.save writes such a file)."
        raise Error(
            "%s is not a SavedModel that TensorFlow Serving can load: %s. %s" % (SAVED_MODEL, problem, way_out), "saved_model_invalid",
        ) from None
    _check_variables(folder, model["variables"])
    for name in model["assets"]:
        if nofollow.kind(os.path.join(folder, "assets", name)) != "file":
            raise Error(
                "The model names the file assets/%s, which is missing. Pack the whole version folder." % name,
                "assets_missing", missing=name,
            )
    return model
