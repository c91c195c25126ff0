# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people pack in place of a SavedModel, told by content, and the way from there to one."""
import contextlib
import json
import mmap
import os
import re
import stat
import zipfile
from typing import Callable, Dict, Iterable, List, Optional, Tuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import checkpoint, nofollow
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed, fields, messages, text

HEAD = 4096  # bytes of a file that are looked at
MOST = 2000  # files that are looked into: more is no model
LFS, LARGEST_POINTER = b"version https://git-lfs.github.com/spec/v1", 1024  # as its specification has it
TF1_HUB = "tfhub_module.pb"


def refuse_pointers(folder: str) -> None:
    """Error where a file is only Git LFS's word for itself, as in a clone without git-lfs, or a web host's download of one."""
    pointers = []
    for name, status in nofollow.files(folder):
        small = stat.S_ISREG(status.st_mode) and len(LFS) <= status.st_size <= LARGEST_POINTER
        if small and _head(os.path.join(folder, name)).startswith(LFS):
            pointers.append(name)
    if pointers:
        raise Error(
            "%s is a Git LFS pointer and not the file itself%s: git lfs pull, then pack again."
            % (min(pointers), " (and %d more are)" % (len(pointers) - 1) if pointers[1:] else ""), "git_lfs_pointer",
            files=sorted(pointers),
        )


def instead(folder: str, paths: Iterable[str]) -> str:
    """What these files of the folder are, where none is a saved_model.pb, as a sentence with the way out; "" if nothing is known."""
    found: Dict[int, str] = {}
    for path in sorted(paths)[:MOST]:
        number = _kind(os.path.join(folder, path), os.path.basename(path))
        if number is not None:
            found.setdefault(number, path)
    return KINDS[min(found)][1] % {"file": found[min(found)]} if found else ""


def way_out(path: str, name: str) -> str:
    """The same of one file, by the name that people know it by."""
    number = _kind(path, os.path.basename(name))
    return "" if number is None else KINDS[number][1] % {"file": name}


def _head(path: str) -> bytes:
    with nofollow.reading(path) as file:
        return file.read(HEAD)


def _zipped(path: str) -> List[str]:
    """The names in a zip."""
    with nofollow.reading(path) as file, zipfile.ZipFile(file) as packed:
        return packed.namelist()[:MOST]


def _kind(path: str, name: str) -> Optional[int]:
    with contextlib.suppress(OSError, ValueError, Malformed, zipfile.BadZipFile, RecursionError):
        head = _head(path)
        return next((number for number, (is_it, dummy) in enumerate(KINDS) if is_it(head, path, name)), None)
    return None


def _is_pointer(head: bytes, path: str, name: str) -> bool:
    return head.startswith(LFS)


def _is_text_form(head: bytes, path: str, name: str) -> bool:
    return name.endswith(".pbtxt") and bool(re.match(rb"\s*(#[^\n]*\n\s*)*(saved_model_schema_version\s*:|meta_graphs\s*[:{])", head))


def _is_chunked(head: bytes, path: str, name: str) -> bool:
    return name == "saved_model.cpb"


def _is_tf1_hub(head: bytes, path: str, name: str) -> bool:
    return name == TF1_HUB


def _is_keras(head: bytes, path: str, name: str) -> bool:
    if head.startswith(b"PK\x03\x04"):
        return {"config.json", "metadata.json"} <= set(_zipped(path))
    return head.startswith(b"\x89HDF\r\n\x1a\n")


def _is_tf_lite(head: bytes, path: str, name: str) -> bool:
    return head[4:8] == b"TFL3"


def _is_tf_js(head: bytes, path: str, name: str) -> bool:
    if not head.lstrip().startswith(b"{") or nofollow.lstat(path).st_size > checkpoint.LARGEST_INDEX or not name.endswith(".json"):
        return False
    with nofollow.reading(path) as file:
        described = json.loads(file.read().decode("utf-8"))
    return "modelTopology" in described and "weightsManifest" in described


def _is_graph(head: bytes, path: str, name: str) -> bool:
    """A GraphDef: nodes, each with a name and an operation."""
    if not head.startswith(b"\x0a"):
        return False
    with nofollow.reading(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        node = next(messages(data, (0, len(data)), 1))
        named = {number: text(data, value) for number, value in fields(data, node) if number < 3 and isinstance(value, tuple)}
    return bool(named.get(1)) and bool(re.match(r"_?[A-Z]\w*\Z", named.get(2, "")))


def _is_onnx(head: bytes, path: str, name: str) -> bool:
    if not head.startswith(b"\x08"):
        return False
    with nofollow.reading(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        kinds = {number: type(value) for number, value in fields(data, (0, len(data)))}
    return kinds.get(1) is int and kinds.get(7) is tuple and kinds.get(8) is tuple


def _is_pytorch(head: bytes, path: str, name: str) -> bool:
    if head.startswith(b"PK\x03\x04"):
        return any(name.endswith("/data.pkl") for name in _zipped(path))
    is_pickle = head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    return is_pickle and (name == "data.pkl" or b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" in head)


def _is_safetensors(head: bytes, path: str, name: str) -> bool:
    return head[8:10] == b'{"' and 2 <= int.from_bytes(head[:8], "little") <= nofollow.lstat(path).st_size - 8


def _is_checkpoint(head: bytes, path: str, name: str) -> bool:
    if head.startswith(b"model_checkpoint_path:"):
        return True
    if not name.endswith(".index"):
        return False
    with nofollow.reading(path) as file:
        file.seek(-len(checkpoint.MAGIC), os.SEEK_END)
        return file.read() == checkpoint.MAGIC


def _is_pickle(head: bytes, path: str, name: str) -> bool:
    return name.endswith((".pkl", ".pickle", ".joblib", ".sav")) and head[:1] in (b"\x80", b"x", b"(", b"\x1f")


# The first that a folder has is named. %(file)s is the file that told.
KINDS: List[Tuple[Callable[[bytes, str, str], bool], str]] = [
    (_is_pointer, "%(file)s is a Git LFS pointer and not the file itself: git lfs pull, then pack again."),
    (_is_text_form,
     "%(file)s is a SavedModel as text, which is not read here. Make saved_model.pb of it, in its folder: python3 -c \"from"
     " google.protobuf import text_format as t; from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as S;"
     " open('saved_model.pb', 'wb').write(t.Parse(open('saved_model.pbtxt').read(), S()).SerializeToString())\"."),
    (_is_chunked,
     "%(file)s is a SavedModel in chunks, which servers do not load. Save it again without"
     " tf.saved_model.SaveOptions(experimental_image_format=True)."),
    (_is_tf1_hub,
     "%(file)s marks a module of TF1 Hub, which has no graph that servers load. With tensorflow_hub and tf.compat.v1 call"
     " hub.Module(FOLDER) on a placeholder, then tf.compat.v1.saved_model.simple_save(session, 'NAME/1', inputs, outputs)."),
    (_is_tf_js,
     "%(file)s is a TensorFlow.js model. A layers model becomes a SavedModel with tensorflowjs_converter"
     " --input_format=tfjs_layers_model --output_format=keras_saved_model %(file)s NAME/1; a graph model has no way back: export"
     " the model that it was made of."),
    (_is_keras,
     "%(file)s is a Keras file. Make a SavedModel of it: tf.keras.models.load_model(FILE).export('NAME/1') (before TensorFlow"
     " 2.13: .save('NAME/1', save_format='tf')); of weights alone, build the model first and load_weights(FILE)."),
    (_is_tf_lite, "%(file)s is a TF Lite model, and there is no way back from it: export the model that it was converted from."),
    (_is_onnx, "%(file)s is an ONNX model. Make a SavedModel of it: onnx2tf -i FILE -o NAME/1 -osd."),
    (_is_pytorch,
     "%(file)s is PyTorch's. TensorFlow Serving cannot run it: torch.onnx.export(...), then onnx2tf -i FILE -o NAME/1 -osd."),
    (_is_safetensors,
     "%(file)s holds weights alone (safetensors). With Hugging Face's transformers:"
     " TFAutoModel.from_pretrained(FOLDER, from_pt=True).save_pretrained('NAME', saved_model=True)."),
    (_is_checkpoint,
     "%(file)s is of a training checkpoint, weights without a graph to serve. Build the model, restore them, and"
     " tf.saved_model.save(model, 'NAME/1', signatures=...); where there is a .meta file:"
     " tf.compat.v1.train.import_meta_graph(META).restore(session, PREFIX), then tf.compat.v1.saved_model.simple_save."),
    (_is_graph,
     "%(file)s is a frozen graph (GraphDef). Make a SavedModel of it: tf.import_graph_def(graph_def, name='') in a"
     " tf.compat.v1.Session, then tf.compat.v1.saved_model.simple_save(session, 'NAME/1', {'x': INPUT}, {'y': OUTPUT})."),
    (_is_pickle,
     "%(file)s is a Python pickle, such as scikit-learn writes. TensorFlow Serving cannot run it: it needs a SavedModel of"
     " TensorFlow."),
]
