"""One loaded SavedModel: a TensorFlow session, used as the C++ server uses it (tags, restore, main op, run by name).

Only the session is imported, not the TensorFlow package around it: a package object with nothing but a path stands
in its place. That starts in 1.2 s and 370 MB instead of 5 s and 490 MB, and is all that a server needs.
"""
from __future__ import annotations

import importlib.util
import math
import os
import sys
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # the log shall hold what the real server's log holds
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

if "tensorflow" not in sys.modules:
    package = types.ModuleType("tensorflow")
    package.__path__ = list(importlib.util.find_spec("tensorflow").submodule_search_locations)
    sys.modules["tensorflow"] = package

import numpy  # noqa: E402
from google.protobuf.internal.decoder import _DecodeVarint32  # noqa: E402
from google.protobuf.internal.encoder import _VarintBytes  # noqa: E402
from google.protobuf.message import DecodeError  # noqa: E402
from tensorflow.core.framework import tensor_pb2, types_pb2  # noqa: E402
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, saved_model_pb2  # noqa: E402
from tensorflow.python.client import session as tf_session  # noqa: E402
from tensorflow.python.framework import dtypes, errors_impl, importer, ops, tensor_util  # noqa: E402

from . import log  # noqa: E402
from .errors import DATA_LOSS, NOT_FOUND, PERMISSION_DENIED, Failure  # noqa: E402

TYPED_FIELDS = {  # where Tensor::AsProtoField puts values of a type
    types_pb2.DT_FLOAT: "float_val", types_pb2.DT_DOUBLE: "double_val", types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_INT32: "int_val", types_pb2.DT_INT16: "int_val", types_pb2.DT_INT8: "int_val",
    types_pb2.DT_UINT8: "int_val", types_pb2.DT_UINT16: "int_val", types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_UINT64: "uint64_val", types_pb2.DT_BOOL: "bool_val", types_pb2.DT_STRING: "string_val",
    types_pb2.DT_HALF: "half_val", types_pb2.DT_BFLOAT16: "half_val",
    types_pb2.DT_COMPLEX64: "scomplex_val", types_pb2.DT_COMPLEX128: "dcomplex_val",
}
# The parts of a number that the field takes: bits, or real and imaginary part.
PARTS = {types_pb2.DT_HALF: "<u2", types_pb2.DT_BFLOAT16: "<u2", types_pb2.DT_COMPLEX64: "<f4", types_pb2.DT_COMPLEX128: "<f8"}


class Servable:
    """A SavedModel in a session of its own. any_method: signatures are asked whatever they call their method, as from 2.4 on."""

    def __init__(self, path, tags=("serve",), threads=0, any_method=False):
        meta = _read(path, tags)
        self.any_method = any_method
        self.signatures = dict(meta.signature_def)
        graph = ops.Graph()
        with graph.as_default():
            importer.import_graph_def(meta.graph_def, name="")
        self.session = tf_session.Session(graph=graph, config=config_pb2.ConfigProto(
            intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads))
        self._callables = {}
        try:
            self._restore(path, meta)
        except errors_impl.OpError as error:
            self.close()
            raise Failure(error.error_code, error.message) from error

    def _restore(self, path, meta):
        index = os.path.join(path, "variables", "variables.index")
        assets = _assets(path, meta)
        if os.path.exists(index):
            log.info("loader", "Restoring SavedModel bundle.")
            self.session.run(meta.saver_def.restore_op_name, {
                meta.saver_def.filename_tensor_name: os.path.join(path, "variables", "variables"), **assets})
        else:
            # Not an error there either: the load succeeds and every request fails on an uninitialised variable.
            log.info("loader", "The specified SavedModel has no variables; no checkpoints were restored. "
                     "File does not exist: %s" % index)
        main_op = _main_op(meta)
        if main_op:
            log.info("loader", "Running initialization op on SavedModel bundle.")
            self.session.run(main_op, assets)

    def run(self, feeds, fetches):
        """{tensor name: ndarray}, [tensor names] -> [ndarrays]. OpError when TensorFlow refuses."""
        key = (*feeds, None, *fetches)
        run = self._callables.get(key)
        if run is None:
            # Two threads may both make one: the second replaces the first, which goes with its last caller.
            run = self._callables[key] = self.session._make_callable_from_options(
                config_pb2.CallableOptions(feed=list(feeds), fetch=list(fetches)))
        return run(*feeds.values())

    def close(self):
        self._callables.clear()
        self.session.close()


def _read(path, tags):
    """The MetaGraphDef with exactly these tags."""
    file = os.path.join(path, "saved_model.pb")
    log.info("loader", "Loading SavedModel with tags { %s } from: %s" % (" ".join(tags), path))
    try:
        with open(file, "rb") as stream:
            saved_model = saved_model_pb2.SavedModel.FromString(stream.read())
    except FileNotFoundError as error:
        raise Failure(NOT_FOUND, "Could not find SavedModel .pb or .pbtxt at supplied export directory "
                      "path: %s. Check that the directory exists and that you have the right permissions for "
                      "accessing it." % path) from error
    except OSError as error:
        raise Failure(PERMISSION_DENIED, str(error)) from error
    except Exception as error:  # protobuf's DecodeError
        raise Failure(DATA_LOSS, "Can't parse %s as binary proto" % file) from error
    for meta in saved_model.meta_graphs:
        if set(meta.meta_info_def.tags) == set(tags):
            return meta
    raise Failure(NOT_FOUND, "Could not find meta graph def matching supplied tags: { %s }. To inspect "
                  "available tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
                  % " ".join(tags))


def _main_op(meta):
    """What initialises tables: a signature in TensorFlow 2, a collection before, named differently over time."""
    if "__saved_model_init_op" in meta.signature_def:
        return meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name
    for collection in ("saved_model_main_op", "legacy_init_op"):
        names = meta.collection_def[collection].node_list.value if collection in meta.collection_def else []
        if names:
            return names[0]
    return None


def _assets(path, meta):
    """{tensor name: file name} of the files in assets/ that the graph reads."""
    found = list(meta.asset_file_def)
    if not found and "saved_model_assets" in meta.collection_def:
        for packed in meta.collection_def["saved_model_assets"].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            packed.Unpack(asset)
            found.append(asset)
    return {asset.tensor_info.name: os.path.join(path, "assets", asset.filename) for asset in found}


def decode(tensor):
    """TensorProto -> ndarray; ValueError, TypeError or LookupError when it contradicts itself."""
    shape = tensor.tensor_shape
    if shape.unknown_rank or any(dim.size < 0 for dim in shape.dim):
        raise ValueError("no shape that a tensor can have")
    if tensor.dtype == types_pb2.DT_STRING and tensor.tensor_content:
        strings = _strings(tensor.tensor_content, math.prod(dim.size for dim in shape.dim))
        return numpy.array(strings, dtype=object).reshape([dim.size for dim in shape.dim])
    return tensor_util.MakeNdarray(tensor)


def encode(array, as_content=False):
    """ndarray -> TensorProto, by default in the typed arrays (float_val ...) as the server answers."""
    array = numpy.asarray(array)
    dtype = dtypes.as_dtype(array.dtype).as_datatype_enum
    tensor = tensor_pb2.TensorProto(dtype=dtype)
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    values = array.ravel()
    if as_content:
        tensor.tensor_content = _content(values.tolist()) if dtype == types_pb2.DT_STRING else values.tobytes()
    else:
        getattr(tensor, TYPED_FIELDS[dtype]).extend(values.view(PARTS.get(dtype, values.dtype)).tolist())
    return tensor


# Strings in tensor_content (port::EncodeStringList): the lengths of all of them as varints, then their bytes.

def _content(strings):
    return b"".join([*(_VarintBytes(len(string)) for string in strings), *strings])


def _strings(content, count):
    sizes, position = [], 0
    try:
        for dummy in range(count):
            size, position = _DecodeVarint32(content, position)
            sizes.append(size)
    except (IndexError, DecodeError) as error:
        raise ValueError("fewer lengths than strings") from error
    if position + sum(sizes) != len(content):
        raise ValueError("the lengths do not add up")
    ends = numpy.cumsum([position, *sizes])
    return [content[start:end] for start, end in zip(ends, ends[1:])]
