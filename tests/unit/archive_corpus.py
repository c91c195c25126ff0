"""Archives as people have them, good and bad, and what becomes of each: CASES. Made here, the same each time.

A case is (its kind, the archive, what becomes of it). That is the version's files, or (code, words of the message).
"""
from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import random
import struct
import tarfile
import zipfile

from saved_models import model_files, tar, under, zipped

WEIGHTS = bytes(range(256)) * 40
FILES = model_files(WEIGHTS)
MODEL = under("mnist/1", FILES)
ARRIVES = dict(FILES)
DATA = "variables/variables.data-00000-of-00001"
ASSET = "assets/vocab.txt"
REG, SYM, HARD, FOLDER = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


def member(name, content=b"", kind=REG, target="", **more):
    """A member of a tar: (its header, its content). name: bytes, in any encoding."""
    info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name)
    info.type, info.linkname, info.size = kind, target, len(content)
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def files(mapping, **more):
    return [member(path, content, **more) for path, content in mapping.items()]


def plain(members, form=tarfile.GNU_FORMAT):
    """The bytes of a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def gz(data):
    return gzip.compress(data, mtime=0)


def packed(*members, form=tarfile.GNU_FORMAT):
    return gz(plain([*files(MODEL), *members], form))


def sparse():
    """A file with a hole, as GNU tar -S --format=posix writes it (1.0)."""
    content = b"a" * 512 + bytes(4096) + b"b" * 512
    pieces = b"2\n0\n512\n4608\n512\n".ljust(512, b"\0") + b"a" * 512 + b"b" * 512
    info, dummy = member("mnist/1/GNUSparseFile.0/" + ASSET, pieces)
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "mnist/1/" + ASSET,
                        "GNU.sparse.realsize": str(len(content))}
    return packed((info, pieces), form=tarfile.PAX_FORMAT), {**ARRIVES, ASSET: content}


def zip_of(entries, **more):
    """entries: [(name, content, {attribute of the entry: value})]"""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **more) as archive:
        for name, content, attributes in entries:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.writestr(info, content)
    return buffer.getvalue()


def zip_model(*more):
    return zip_of([*((name, content, {}) for name, content in MODEL.items()), *more])


def zip_with_raw_name(raw, flag=0):
    """A name in bytes of its packer's own, which the flag for UTF-8 may belie."""
    data = zip_model(("mnist/1/assets/" + "q" * len(raw), b"words", {})).replace(b"q" * len(raw), raw)
    return data


def flagged(data, offset, value):
    """Both headers of every member changed: at `offset` of the local one."""
    changed = bytearray(data)
    for magic, further in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        at = data.find(magic)
        while at >= 0:
            struct.pack_into("<H", changed, at + offset + further, value)
            at = data.find(magic, at + 4)
    return bytes(changed)


def damaged(data, at):
    changed = bytearray(data)
    changed[at] ^= 0x55
    return bytes(changed)


def pax_global():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "c0ffee" * 6}) as archive:
        for info, content in files(MODEL):
            archive.addfile(info, io.BytesIO(content))
    return gz(buffer.getvalue())


def zip64():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, content in MODEL.items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(content)
    return buffer.getvalue()


NAMES = ["測試.txt", "файл.txt", "a#b", "a?b", "a b", " a ", "100%", "%41", "a&b=c", "ä ö", "naïve", "e\u0301", "😀", "quote'\"", "-rf",
         "a\\b", "tab\tname", "x" * 255, "a:b", "~", "con", "שלום"]
LONG = "/".join(["folder" * 15] * 4) + "/x"
FORMATS = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
BAD_NAMES = {"gbk": "词表.txt".encode("gbk"), "latin-1": "vocabulário.txt".encode("latin-1"), "cp437": "Wörter.txt".encode("cp437"),
             "shift-jis": "単語.txt".encode("shift-jis")}
PLAIN = plain(files(MODEL))
UNSAFE, DAMAGED, NOT, NONE = "archive_unsafe", "archive_damaged", "not_an_archive", "no_saved_model"


def formats():
    for name, pack in {"tar": bytes, "gz": gz, "bz2": bz2.compress, "xz": lzma.compress,
                       "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE)}.items():
        yield "format " + name, pack(PLAIN), ARRIVES
        yield "format %s.gz" % name, gz(pack(PLAIN)), ARRIVES
        yield "format %s cut off" % name, pack(PLAIN)[:len(pack(PLAIN)) // 2], (DAMAGED, "damaged or cut off")
    for name, form in (("ustar", tarfile.USTAR_FORMAT), *FORMATS.items()):
        yield "tar as " + name, plain(files(MODEL), form), ARRIVES
    yield "packed four times", gz(gz(gz(gz(PLAIN)))), (NOT, "is a gzip and gzip and gzip file without a tar")
    yield "gzip in several members", gz(PLAIN[:2000]) + gz(PLAIN[2000:7000]) + gz(PLAIN[7000:]), ARRIVES
    yield "bzip2 in several streams", bz2.compress(PLAIN[:9000]) + bz2.compress(PLAIN[9000:]), ARRIVES
    yield "xz in several streams", lzma.compress(PLAIN[:9000]) + lzma.compress(PLAIN[9000:]), ARRIVES
    for name, pack in (("gzip", gz), ("bzip2", bz2.compress), ("xz", lzma.compress)):
        yield "rubbish after " + name, pack(PLAIN) + b"-- \nsigned by somebody\n", ARRIVES
        yield "zeros after " + name, pack(PLAIN) + bytes(5000), ARRIVES
    yield "rubbish after tar", PLAIN + b"rubbish" * 99, ARRIVES
    yield "rubbish after zip", zip_model() + b"rubbish" * 99, ARRIVES
    yield "gzip with its file's name", gzip_named(PLAIN), ARRIVES
    yield "gzip stored", gzip.compress(PLAIN, 0), ARRIVES
    yield "bytes of gzip's sum changed", damaged(gz(PLAIN), -6), (DAMAGED, "damaged")
    yield "bytes of xz's middle changed", damaged(lzma.compress(PLAIN), 200), (DAMAGED, "damaged")
    yield "bytes of bzip2's middle changed", damaged(bz2.compress(PLAIN), 200), (DAMAGED, "damaged")
    yield "xz that wants a gigabyte", xz_of_a_gigabyte(), (DAMAGED, "emory")
    yield "tar without its end", PLAIN[:len(PLAIN.rstrip(b"\0"))], (DAMAGED, "no end mark")
    yield "zip", zip_model(), ARRIVES
    yield "zip64", zip64(), ARRIVES
    yield "zip with a comment", commented(zip_model()), ARRIVES
    yield "zip with bzip2", zip_of([(name, content, {"compress_type": 12}) for name, content in MODEL.items()]), ARRIVES
    yield "zip cut off", zip_model()[:-30], (DAMAGED, "not a zip file")
    yield "zip without its beginning", zip_model()[50:], (NOT, "begins with")
    yield "zip packed with gzip", gz(zip_model()), (NOT, "packed once more, packed with gzip. Give the zip itself.")
    yield "zip by deflate64", flagged(zip_model(), 8, 9), (UNSAFE, "by method 9, which Python cannot unpack. Pack it again as")
    yield "zip under a password", flagged(zip_model(), 6, 1), (UNSAFE, "is a file under a password. Pack it again without one")
    yield "zip in volumes", b"PK\x07\x08" + zip_model(), (NOT, "first part of a zip in several volumes. Join them")


def gzip_named(data):
    buffer = io.BytesIO()
    with gzip.GzipFile("C:\\Users\\me\\模型.tar", "wb", fileobj=buffer, mtime=0) as file:
        file.write(data)
    return buffer.getvalue()


def xz_of_a_gigabyte():
    data = bytearray(lzma.compress(PLAIN, lzma.FORMAT_ALONE))
    struct.pack_into("<I", data, 1, 1 << 30)
    return bytes(data[:1] + b"\0\0" + data[3:]) if data[1:3] != b"\0\0" else bytes(data)


def commented(data):
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"made by hand" * 100
    return buffer.getvalue()


def others():
    """What comes by the name of an archive and is none."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 31400\n" % (b"ab" * 32)
    for name, data, words in (
            ("nothing", b"", "is empty"), ("7z", b"7z\xbc\xaf\x27\x1c\0\4" + WEIGHTS, "is a 7-Zip archive. Unpack it and pack it again"),
            ("rar", b"Rar!\x1a\x07\x01\0" + WEIGHTS, "is a RAR archive"),
            ("Git LFS pointer", pointer, "is a Git LFS pointer, not the file that it stands for. Run git lfs pull"),
            ("Git LFS pointer, gzipped", gz(pointer), "is a Git LFS pointer, not the file that it stands for, packed with gzip"),
            ("login page", b"\n<!DOCTYPE html><html><title>Sign in</title>", "is a web page, such as a login"),
            ("login page with a mark", b"\xef\xbb\xbf<html>", "is a web page"), ("login page, gzipped", gz(b"<HTML>"), "is a web page"),
            ("error of an object store", b"<?xml version='1.0'?><Error><Code>AccessDenied", "is an XML document"),
            ("error of a server", b'{"message": "Not Found"}', "is a JSON document"), ("Keras", b"\x89HDF\r\n\x1a\n" + WEIGHTS, "HDF5"),
            ("TensorFlow Lite", b"\x1c\0\0\0TFL3" + WEIGHTS, "is a TensorFlow Lite model"), ("program", b"MZ" + WEIGHTS, "is a program"),
            ("package", b"!<arch>\ndebian-binary", "Debian package"), ("text", b"hello", "begins with 'hello'"),
            ("graph alone", FILES["saved_model.pb"], "is not an archive"), ("graph, gzipped", gz(FILES["saved_model.pb"]), "a gzip file"),
            ("graph in xz", lzma.compress(FILES["saved_model.pb"]), "is a xz file without a tar in it")):
        yield "no archive: " + name, data, (NOT, words)
    yield "only zeros", bytes(10240), (NONE, "it holds: nothing")
    yield "empty tar", tar({}), (NONE, "it holds: nothing")
    yield "empty zip", zipped({}), (NONE, "it holds: nothing")
    yield "empty folders", gz(plain([member("mnist/1/", kind=FOLDER)])), (NONE, "it holds: nothing")
    yield "archive in a tar", tar({"dist/mnist.tar.gz": tar(MODEL)}), (NONE, "but another archive (dist/mnist.tar.gz). Take that out")
    yield "archive in a zip", zipped({"README": b"x", "a.zip": zipped(MODEL)}), (NONE, "another archive (a.zip)")
    yield "plain tar in a zip", zipped({"mnist.bin": PLAIN}), (NONE, "another archive (mnist.bin)")
    yield "gzipped graph in a zip", zipped({"1/saved_model.pb.gz": gz(FILES["saved_model.pb"])}), (NONE, "(1/saved_model.pb.gz)")
    yield "two versions", tar({**MODEL, **under("mnist/2", FILES)}), ("several_models", "2 models (mnist/1, mnist/2)")
    yield "three versions in a zip", zipped({**MODEL, **under("2", FILES), **FILES}), ("several_models", "3 models (., 2, mnist/1)")


def names():
    for name in NAMES:
        for form, pack in FORMATS.items():
            yield "name %.9r in %s" % (name, form), packed(member("mnist/1/assets/" + name, b"words"), form=pack), {
                **ARRIVES, "assets/" + name: b"words"}
    for name in ("測試.txt", "a b", "100%#?"):
        yield "name %r in zip" % name, zip_model(("mnist/1/assets/" + name, b"words", {})), {**ARRIVES, "assets/" + name: b"words"}
    yield "UTF-8 without its flag in zip", zip_with_raw_name("測試.txt".encode()), {**ARRIVES, "assets/測試.txt": b"words"}
    for form, pack in FORMATS.items():
        yield "long name in " + form, packed(member("mnist/1/" + LONG, b"x"), form=pack), {**ARRIVES, LONG: b"x"}
    for code, raw in BAD_NAMES.items():
        wrong = ("archive_name_invalid", "has a name that is not UTF-8 (1 such; what cannot be read is shown as \ufffd)")
        for form, pack in FORMATS.items():
            yield "name in %s in %s" % (code, form), packed(member(b"mnist/1/assets/" + raw, b"words"), form=pack), wrong
            yield "name in %s in %s, beside the version" % (code, form), packed(member(b"mnist/" + raw, b"x"), form=pack), ARRIVES
        yield "name in %s in zip" % code, zip_with_raw_name(raw), wrong
    yield "folder in GBK above the version", gz(plain(files({"模型".encode("gbk") + b"/" + path.encode(): content
                                                             for path, content in MODEL.items()}))), (
        "archive_name_invalid", "/mnist/1/saved_model.pb' has a name that is not UTF-8")
    yield "name too long", packed(member("mnist/1/" + "x" * 256)), (UNSAFE, "a name that is too long for a file")
    yield "path too long", packed(member("mnist/1/" + "/".join(["x" * 200] * 11))), (UNSAFE, "too long")
    yield "folders without end", packed(member("a/" * 1000 + "x")), (UNSAFE, "in more than 100 folders")
    yield "names that differ in case", packed(member("mnist/1/assets/A"), member("mnist/1/assets/a", b"x")), {
        **ARRIVES, "assets/A": b"", "assets/a": b"x"}
    yield "the same file twice", packed(member("mnist/1/" + DATA, b"later")), (UNSAFE, "twice")
    yield "a file that is a folder", packed(member("mnist/1/variables", b"x")), (UNSAFE, "twice")
    yield "a folder twice", packed(member("mnist/1/", kind=FOLDER), member("./mnist/1", kind=FOLDER)), ARRIVES
    yield "backslashes", zip_of([(name.replace("/", "\\"), content, {}) for name, content in MODEL.items()]), ARRIVES
    yield "a drive", zip_of([("C:\\x\\" + name.replace("/", "\\"), content, {}) for name, content in MODEL.items()]), ARRIVES
    for name in ("/mnist/1/x", "../x", "mnist/../../x", "mnist/1/.."):
        yield "path %s" % name, packed(member(name)), (UNSAFE, "leads out of the folder")
        yield "path %s in zip" % name, zip_model((name, b"", {})), (UNSAFE, "leads out of the folder")
    yield "a share", zip_model(("\\\\host\\x", b"", {})), (UNSAFE, "leads out")
    yield "dots", gz(plain(files(under(".//mnist/./1", FILES)))), ARRIVES


def links():
    for kind, target in ((SYM, "b.txt"), (SYM, "./../assets/b.txt"), (HARD, "mnist/1/assets/b.txt"), (HARD, "./mnist/1/assets/b.txt")):
        link = member("mnist/1/" + ASSET, kind=kind, target=target)
        yield "link %s" % target, packed(member("mnist/1/assets/b.txt", b"words"), link), {
            **ARRIVES, ASSET: b"words", "assets/b.txt": b"words"}
    yield "link before its file", packed(member("mnist/1/" + ASSET, kind=SYM, target="b"), member("mnist/1/assets/b", b"w")), {
        **ARRIVES, ASSET: b"w", "assets/b": b"w"}
    yield "link to a link", packed(
        member("mnist/1/" + ASSET, kind=SYM, target="b"), member("mnist/1/assets/b", kind=SYM, target="../c"),
        member("mnist/1/c", b"w")), {**ARRIVES, ASSET: b"w", "assets/b": b"w", "c": b"w"}
    weights = "mnist/1/" + DATA
    others = [item for item in files(MODEL) if item[0].name != weights]
    yield "hard link to a file beside the version", gz(plain([member("store/w", WEIGHTS), *others, member(
        weights, kind=HARD, target="store/w")])), ARRIVES
    blobs = [member("blobs/%d" % at, content) for at, content in enumerate(FILES.values())]
    snapshot = [member("snapshots/1/" + path, kind=SYM, target="../" * (path.count("/") + 2) + "blobs/%d" % at)
                for at, path in enumerate(FILES)]
    yield "a hub's cache", gz(plain([*blobs, *snapshot])), ARRIVES
    yield "linked folder", gz(plain([
        *[item for item in files(MODEL) if "variables" not in item[0].name], *files(under("v", {
            path.split("/")[1]: content for path, content in FILES.items() if "/" in path})),
        member("mnist/1/variables", kind=SYM, target="../../v")])), ARRIVES
    for name, target in (("latest", "1"), ("mnist/latest", "1"), ("mnist/x", "/etc/passwd"), ("x", "../.."), ("y", "y"), ("z", "gone")):
        yield "link %s -> %s beside the version" % (name, target), packed(member(name, kind=SYM, target=target)), ARRIVES
    for kind, target, words in (
            (SYM, "/etc/passwd", "is a link that leads out of the archive"), (SYM, "../../../x", "that leads out"), (SYM, "x", "leads out"),
            (HARD, "/etc/passwd", "leads out"), (SYM, "gone", "to 'mnist/1/gone', which is not in the archive"),
            (HARD, "mnist/1/gone", "not in the archive"), (SYM, ".", "to the folder that it lies in"), (SYM, "..", "that it lies in")):
        yield "link to %s (%s)" % (target, kind.decode()), packed(member("mnist/1/x", kind=kind, target=target)), (UNSAFE, words)
    yield "the way out", packed(member("mnist/1/x", kind=HARD, target="y")), (UNSAFE, "(tar --dereference --hard-dereference; zip")
    yield "links in a circle", packed(
        member("mnist/1/x", kind=SYM, target="y"), member("mnist/1/y", kind=SYM, target="x")), (UNSAFE, "leads out of the archive")
    yield "a file through a link", packed(member("out", kind=SYM, target="/tmp"), member("out/x", b"x")), (UNSAFE, "twice")
    yield "a link over a file", packed(member("mnist/1/" + DATA, kind=SYM, target="x")), (UNSAFE, "twice")
    yield "a link twice", packed(*[member("mnist/y", kind=SYM, target="x")] * 2), (UNSAFE, "twice")
    for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
        yield "device %s" % kind, packed(member("mnist/1/x", kind=kind)), (UNSAFE, "is a device or pipe")
    link = {"external_attr": 0o120777 << 16}
    yield "link in zip", zip_model(("mnist/1/b", b"words", {}), ("mnist/1/a", b"b", link)), {**ARRIVES, "a": b"words", "b": b"words"}
    yield "link in zip, beside the version", zip_model(("mnist/latest", b"1", link)), ARRIVES
    yield "link in zip that leads out", zip_model(("mnist/1/a", b"/etc/passwd", link)), (UNSAFE, "that leads out of the archive")
    yield "pipe in zip", zip_model(("mnist/1/a", b"", {"external_attr": 0o010644 << 16})), (UNSAFE, "is a device or pipe")


def packers():
    yield "of macOS", packed(member("._mnist", b"x"), member("mnist/._1", b"x"), member("mnist/1/._saved_model.pb", b"x"),
                             member("mnist/1/.DS_Store", b"x")), ARRIVES
    yield "of macOS, zip", zip_model(("__MACOSX/mnist/1/._saved_model.pb", b"x", {}), ("mnist/.DS_Store", b"x", {})), ARRIVES
    yield "of git archive", pax_global(), ARRIVES
    yield "sparse", *sparse()
    yield "with a label", gz(plain([member("nightly", kind=b"V"), *files(MODEL)])), ARRIVES
    yield "incremental", gz(plain([member("mnist/", b"Ymnist\0\0", b"D"), *files(MODEL)])), ARRIVES
    yield "a further volume", gz(plain([member("mnist/1/" + DATA, WEIGHTS, b"M")])), (UNSAFE, "begins in another volume. Pack it")
    yield "contiguous", gz(plain(files(MODEL, kind=tarfile.CONTTYPE))), ARRIVES
    for mode in (0o600, 0o000, 0o4755, 0o2777, 0o444):
        yield "mode %o" % mode, gz(plain([member("mnist/1", kind=FOLDER, mode=mode & 0o700), *files(MODEL, mode=mode)])), ARRIVES
    yield "of another owner", gz(plain(files(MODEL, uid=4711, gid=0o7777777, uname="nobody", gname="测试"))), ARRIVES
    yield "of the year 1901", gz(plain(files(MODEL, mtime=-(1 << 31)))), ARRIVES
    yield "folders first", gz(plain([*(member(name, kind=FOLDER) for name in ("mnist", "mnist/1/", "mnist/1/variables/")),
                                     *files(MODEL)])), ARRIVES
    yield "folders last", packed(*(member(name, kind=FOLDER) for name in ("mnist/1/variables/", "mnist"))), ARRIVES
    yield "zip with folders", zip_of([("mnist/", b"", {}), ("mnist/1/", b"", {"external_attr": 0o40700 << 16 | 16}),
                                      *((name, content, {}) for name, content in MODEL.items())]), ARRIVES
    yield "an empty file", packed(member("mnist/1/" + ASSET)), {**ARRIVES, ASSET: b""}
    yield "a file of whole blocks", packed(member("mnist/1/" + ASSET, b"x" * 1024)), {**ARRIVES, ASSET: b"x" * 1024}
    yield "many files", packed(*(member("mnist/1/assets/%d" % at, b"%d" % at) for at in range(300))), {
        **ARRIVES, **{"assets/%d" % at: b"%d" % at for at in range(300)}}
    yield "a hole of a terabyte", hole(), ("archive_too_large", "model_max_size")
    yield "a bomb", gz(plain([*files(MODEL), member("mnist/1/x", bytes(3 << 20))])), ("archive_too_large", "model_max_size")
    yield "a bomb of links", packed(member("mnist/1/x", bytes(900 << 10)), *(
        member("mnist/1/x%d" % at, kind=HARD, target="mnist/1/x") for at in range(9))), ("archive_too_large", "model_max_size")


def hole():
    info, content = member("mnist/1/x", b"1\n0\n0\n".ljust(512, b"\0"))
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "mnist/1/x",
                        "GNU.sparse.realsize": str(1 << 40)}
    return packed((info, content), form=tarfile.PAX_FORMAT)


def spoiled():
    """Bytes that are changed anywhere: refused, or nothing was changed that counts."""
    chance = random.Random(11)
    for name, data in (("gz", gz(PLAIN)), ("tar", PLAIN), ("zip", zip_model()), ("xz", lzma.compress(PLAIN)), ("bz2", bz2.compress(PLAIN))):
        for number in range(6):
            changed = bytearray(data)
            for dummy in range(chance.randint(1, 12)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            yield "%s spoiled, %d" % (name, number), bytes(changed), None


CASES = list(itertools.chain(formats(), others(), names(), links(), packers(), spoiled()))
