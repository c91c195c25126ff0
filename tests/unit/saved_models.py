"""Small SavedModels and archives, made by hand: what the unit tests publish."""
import gzip
import io
import tarfile
import zipfile

INDEX_END = bytes.fromhex("57fb808b247547db")


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


def signature(inputs, outputs, method="tensorflow/serving/predict"):
    def entries(number, tensors):
        return b"".join(field(number, field(1, name) + field(2, value)) for name, value in tensors.items())
    return entries(1, inputs) + entries(2, outputs) + field(3, method)


def saved_model(ops=("Placeholder", "VariableV2"), function_ops=(), tags=("serve",), assets=(), extra=b""):
    nodes = b"".join(field(1, field(1, "n%d" % at) + field(2, op)) for at, op in enumerate(ops))
    functions = b"".join(field(1, field(3, field(2, op))) for op in function_ops)
    predict = signature({"images": tensor(1, -1, 784)}, {"scores": tensor(1, -1, 10)})
    init = signature({}, {}, method="")
    graph = (
        field(1, b"".join(field(4, tag) for tag in tags))
        + field(2, nodes + field(2, functions))
        + field(5, field(1, "predict_images") + field(2, predict))
        + field(5, field(1, "__saved_model_init_op") + field(2, init))
        + b"".join(field(6, field(2, name)) for name in assets)
    )
    return field(1, 1) + field(2, graph) + extra


def model_files(content=b"weights", **options):
    return {
        "saved_model.pb": saved_model(**options),
        "variables/variables.index": b"index" + INDEX_END,
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
