"""Small SavedModels and archives, made by hand: what the unit tests publish."""
import functools
import gzip
import io
import struct
import tarfile
import zipfile

INDEX_END = bytes.fromhex("57fb808b247547db")
UINT8 = 4


@functools.lru_cache(maxsize=None)
def masked_crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for dummy in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while True:
        out.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(dtype, *sizes):
    shape = b"".join(field(2, field(1, size)) for size in sizes)
    return field(1, "x:0") + field(2, dtype) + field(3, shape)


def unshaped(dtype):
    """A TensorInfo of a hand-built export: nothing is said of its shape."""
    return field(1, "x:0") + field(2, dtype)


def signature(inputs, outputs, method="tensorflow/serving/predict", optional=()):
    def entries(number, tensors):
        return b"".join(field(number, field(1, name) + field(2, value)) for name, value in tensors.items())
    return entries(1, inputs) + entries(2, outputs) + field(3, method) + entries(4, dict.fromkeys(optional, b""))


PREDICT_IMAGES = signature({"images": tensor(1, -1, 784)}, {"scores": tensor(1, -1, 10)})
INIT = signature({}, {}, method="")


def meta_graph(
    ops=("Placeholder", "VariableV2"), function_ops=(), tags=("serve",), assets=(), old_assets=(), signatures=None, saver=True,
):
    nodes = b"".join(field(1, field(1, "n%d" % at) + field(2, op)) for at, op in enumerate(ops))
    functions = b"".join(field(1, field(3, field(2, op))) for op in function_ops)
    signatures = {"predict_images": PREDICT_IMAGES} if signatures is None else signatures
    packed = b"".join(field(1, field(1, "type") + field(2, field(2, name))) for name in old_assets)
    return field(2, b"".join([
        field(1, b"".join(field(4, tag) for tag in tags)),
        field(2, nodes + field(2, functions)),
        field(3, field(1, "save/Const:0") + field(3, "save/restore_all")) if saver else b"",
        field(4, field(1, "saved_model_assets") + field(2, field(5, packed))) if old_assets else b"",
        *(field(5, field(1, name) + field(2, value)) for name, value in {**signatures, "__saved_model_init_op": INIT}.items()),
        *(field(6, field(2, name)) for name in assets),
    ]))


def saved_model(extra=b"", **options):
    return field(1, 1) + meta_graph(**options) + extra


def block(pairs, interval=16):
    """A block of a LevelDB table, with its trailer."""
    content, restarts, before = b"", [], b""
    for number, (key, value) in enumerate(pairs):
        shared = 0
        if number % interval:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        else:
            restarts.append(len(content))
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    restarts = restarts or [0]
    content += b"".join(struct.pack("<I", at) for at in [*restarts, len(restarts)]) + b"\0"
    return content + struct.pack("<I", masked_crc32c(content))


def table(pairs, per_block=50):
    """A LevelDB table: what a checkpoint's index is."""
    pairs, content, handles = list(pairs), b"", []
    for start in range(0, len(pairs), per_block):
        part = pairs[start:start + per_block]
        packed = block(part)
        handles.append((part[-1][0], varint(len(content)) + varint(len(packed) - 5)))
        content += packed
    places = b""
    for packed in (block([]), block(handles, 1)):  # of what may be told of the table, and of the blocks
        places += varint(len(content)) + varint(len(packed) - 5)
        content += packed
    return content + places.ljust(40, b"\0") + INDEX_END


def index(tensors, shards=1, dtype=UINT8, **options):
    """variables.index of {name: bytes}, which lie in their shards in this order, by turns."""
    ends, entries = [0] * shards, {b"": field(1, shards)}
    for number, (name, value) in enumerate(tensors.items()):
        shard = number % shards
        entries[name.encode()] = (
            field(1, dtype) + field(2, field(2, field(1, len(value)))) + field(3, shard) + field(4, ends[shard])
            + field(5, len(value)) + varint(6 << 3 | 5) + struct.pack("<I", masked_crc32c(value)))
        ends[shard] += len(value)
    return table(sorted(entries.items()), **options)


INDEX = index({"empty": b""})  # which any content suits


def model_files(content=b"weights", **options):
    return {
        "saved_model.pb": saved_model(**options),
        "variables/variables.index": INDEX,
        "variables/variables.data-00000-of-00001": content,
    }


def under(folder, files):
    return {folder + "/" + path: content for path, content in files.items()}


def tar(files, mode="w:gz", links=()):
    """bytes of a tar, the same each time; files: {path: bytes}, links: [(path, target, type)]"""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for path, target, kind in links:
            info = tarfile.TarInfo(path)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    if mode == "w":
        return buffer.getvalue()
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        file.write(buffer.getvalue())
    return packed.getvalue()


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
