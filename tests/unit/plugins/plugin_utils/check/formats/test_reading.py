"""What files hold, and what is said of those that hold something else."""
from __future__ import annotations

import csv
import gzip
import io
import struct
import zipfile

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ansible_collections.mlops.tf_serving.plugins.module_utils import tfrecord
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats import named_rows, reading, records, source
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import examples


def read(name, content, rows=1000):
    return reading.read(io.BytesIO(content), name, "/data/" + name, rows)


def refused(name, content, rows=1000):
    with pytest.raises(Error) as caught:
        read(name, content, rows)
    assert caught.value.code == "dataset_invalid" and caught.value.message.startswith("/data/%s" % name)
    return caught.value.message


def npy(array, **options):
    file = io.BytesIO()
    numpy.lib.format.write_array(file, array, **options)
    return file.getvalue()


def npz(**columns):
    file = io.BytesIO()
    numpy.savez_compressed(file, **columns)
    return file.getvalue()


def header(kind, shape, version=(1, 0)):
    """The header of an .npy file that claims this."""
    text = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", len(text)) + text


def idx(kind, shape, content):
    return bytes((0, 0, kind, len(shape))) + struct.pack(">%dI" % len(shape), *shape) + content


def same(array, wanted):
    assert array.dtype == numpy.asarray(wanted).dtype and array.shape == numpy.asarray(wanted).shape
    assert array.tolist() == numpy.asarray(wanted).tolist()


def text(*values):
    array = numpy.empty(len(values), object)
    array[:] = values
    return array


# --- names ---

def test_the_column_of_a_file_has_its_name():
    """Without the endings."""
    for name in ("my.data.npy", "my.data.npy.gz", "MY.NPY"):
        content = npy(numpy.arange(2))
        table = read(name, gzip.compress(content) if name.endswith(".gz") else content)
        assert list(table.columns) == [name.partition(".npy")[0].partition(".NPY")[0]]


@pytest.mark.parametrize(("name", "stem"), [
    ("a.npz", "a"), ("a.b.csv.gz", "a.b"), ("t10k-images-idx3-ubyte", "t10k-images"), ("t10k-labels.idx1-ubyte.gz", "t10k-labels"),
    ("x.tfrecords", "x"), ("mnist", "mnist"), (".npz", ".npz"), ("x.gz", "x"), ("x.bin", "x.bin"), ("x.JSON", "x"), ("gz", "gz"),
])
def test_what_a_file_is_called_without_its_endings(name, stem):
    assert reading.stem(name) == stem


# --- IDX ---

@pytest.mark.parametrize(("kind", "letter", "type_name"), [
    (8, "B", "uint8"), (9, "b", "int8"), (11, "h", "int16"), (12, "i", "int32"), (13, "f", "float32"), (14, "d", "float64"),
])
@pytest.mark.parametrize("shape", [(6,), (3, 2), (3, 2, 1), (2, 1, 3, 1), (0, 2)])
def test_idx_of_any_type_and_rank(kind, letter, type_name, shape):
    values = list(range(int(numpy.prod(shape))))
    table = read("x-idx9-any", idx(kind, shape, struct.pack(">%d%s" % (len(values), letter), *values)))
    same(table.columns["x"], numpy.array(values, type_name).reshape(shape))
    assert table.totals == {"x": shape[0]} and table.pictures == ({"x"} if kind == 8 and len(shape) > 2 else set())


@pytest.mark.parametrize(("content", "says"), [
    (b"\0\0\x08", "no IDX file"), (idx(7, (1,), b"x"), "no IDX file"),
    (idx(8, (), b""), "no IDX file"), (idx(8, (2, 2), b"")[:-1], "ends among its sizes"),
    (idx(8, (3,), b"xx"), "should hold 3 values (shape [3]) and holds 2"), (idx(8, (3,), b"xxxx"), "holds more"),
    (idx(14, (2,), bytes(8)), "holds 1"), (idx(8, (1 << 31, 2, 2), b""), "more than 1 GiB"),
    (idx(8, (1,) * 80, b"x"), "holds no uint8 of the shape"),
])
def test_idx_that_is_none(content, says):
    assert says in refused("x-idx1-ubyte", content)


def test_only_the_first_rows_are_kept_and_all_are_counted():
    content = idx(8, (5, 2), bytes(range(10)))
    table = read("x-idx2-ubyte", content, rows=2)
    assert table.columns["x"].tolist() == [[0, 1], [2, 3]] and table.totals == {"x": 5}
    assert "holds 9" in refused("x-idx2-ubyte", content[:-1], rows=2)


def test_a_file_is_read_piece_by_piece(monkeypatch):
    monkeypatch.setattr(source, "CHUNK", 3)
    content = idx(8, (5, 2), bytes(range(10)))
    table = read("x-idx2-ubyte", content, rows=4)
    assert table.columns["x"].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]] and table.totals == {"x": 5}


# --- .npy and .npz ---

@settings(max_examples=40)
@given(arrays.arrays(
    st.one_of(
        arrays.boolean_dtypes(), arrays.integer_dtypes(), arrays.unsigned_integer_dtypes(), arrays.floating_dtypes(),
        arrays.complex_number_dtypes(sizes=(64, 128)),
    ),
    arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4),
), st.integers(1, 5), st.booleans())
def test_npy_of_numbers(array, rows, fortran):
    table = read("x.npy", npy(numpy.asfortranarray(array) if fortran else array), rows)
    column = table.columns["x"]
    assert column.dtype == array.dtype.newbyteorder("=") and column.dtype.isnative and table.totals == {"x": len(array)}
    assert column.shape == array[:rows].shape and column.tobytes() == array[:rows].astype(column.dtype).tobytes()


def test_npy_of_text():
    same(read("x.npy", npy(numpy.array(["Zürich", "", "a"]))).columns["x"], text("Zürich".encode(), b"", b"a"))
    same(read("x.npy", npy(numpy.array([b"\xff\x00\x01", b""]))).columns["x"], text(b"\xff\x00\x01", b""))


def test_an_npy_of_version_2():
    assert read("x.npy", npy(numpy.arange(3), version=(2, 0))).columns["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("content", "says"), [
    (npy(numpy.arange(3))[:50], "no .npy file"),
    (npy(numpy.arange(3, dtype="i8"))[:-1], "should hold 3 values (shape [3]) and holds 2"),
    (npy(numpy.arange(3)) + b"x", "holds more"),
    (npy(numpy.array([{}], object), allow_pickle=True), "type object"), (npy(numpy.array(3)), "single value"),
    (npy(numpy.array([(1, 2)], "i4,i4")), "cannot be read"), (npy(numpy.array(["2020"], "M8[s]")), "type datetime64"),
    (header("<f4", (1 << 28, 2)), "claims the shape [268435456, 2] of float32, more than 1 GiB"),
    (header("<f4", (1 << 80,)), "more than 1 GiB"), (header("<f4", (-1, -4)), "more than 1 GiB"),
    (header("<f4", ("a",)), "no .npy file"),
    (header("<f4", 3), "no .npy file"), (header("no type", (3,)), "no .npy file"), (header("<U0", (3,)), "holds no"),
    (header("|V2", (3,)) + bytes(6), "type |V2"), (header("<f4", (1,), (3, 0)), "version 3.0"),
    (b"\x93NUMPY\1\0" + struct.pack("<H", 9000) + b"(" * 9000, "no .npy file"),
    (b"\x93NUMPY\2\0" + struct.pack("<I", 1 << 31), "no .npy file"),
    (header("<U1", (1,)) + struct.pack("<I", 0x110000), "holds no"),
])
def test_npy_that_is_none(content, says):
    assert says in refused("x.npy", content)


def test_npz():
    content = npz(images=numpy.zeros((3, 2, 2), "u1"), labels=numpy.arange(3), names=numpy.array(["a", "b", "c"]))
    table = read("x.npz", content, rows=2)
    assert {name: column.shape for name, column in table.columns.items()} == {"images": (2, 2, 2), "labels": (2,), "names": (2,)}
    same(table.columns["names"], text(b"a", b"b"))
    assert table.totals == {"images": 3, "labels": 3, "names": 3} and not table.pictures


def test_an_array_that_python_2_wrote(recwarn):
    content = header("<i8", (3,)).replace(b" (3,)", b"(3L,)") + struct.pack("<3q", 1, 2, 3)
    assert read("x.npy", content).columns["x"].tolist() == [1, 2, 3] and not recwarn.list


def test_npz_that_is_packed_twice():
    assert read("x.npz.gz", gzip.compress(npz(x=numpy.arange(3)))).columns["x"].tolist() == [0, 1, 2]


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as folder:
        for name, content in members.items():
            folder.writestr(name.replace("_", "."), content)
    return file.getvalue()


def encrypted():
    content = bytearray(npz(x=numpy.arange(3)))
    content[content.rindex(b"PK\1\2") + 8] |= 1
    content[6] |= 1
    return bytes(content)


@pytest.mark.parametrize(("content", "says"), [
    (npz(x=numpy.arange(300))[:-40], "cannot be unpacked"),
    (encrypted(), "password"),
    (npz(x=numpy.array([None])), "x: this holds Python objects"),
    (zipped(x_npy=header("<f8", (1 << 28,))), "x: this claims"),
    (zipped(x_npy=b"hello"), "x: this is no .npy file"),
])
def test_npz_that_is_none(content, says):
    assert says in refused("x.npz", content)


def test_an_npz_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(source, "MAX_BYTES", 1 << 20)
    bomb = npz(x=numpy.zeros((1 << 19, 1), "u1"), y=numpy.zeros((1 << 19) + 1, "u1"))
    assert len(bomb) < 1 << 14 and "unpacks to more than 1 GiB" in refused("x.npz", bomb, rows=1)
    whole = npz(x=numpy.zeros(1000, "u1"), y=numpy.zeros(1000, "u1"))
    monkeypatch.setattr(source, "MAX_BYTES", 2 * len(npy(numpy.zeros(1000, "u1"))))
    assert read("x.npz", whole).totals == {"x": 1000, "y": 1000}
    monkeypatch.setattr(source, "MAX_BYTES", 2 * len(npy(numpy.zeros(1000, "u1"))) - 1)
    assert "unpacks to more than 1 GiB" in refused("x.npz", whole)


def test_damage_in_an_npz_is_found_behind_the_rows_that_are_kept():
    file = io.BytesIO()
    numpy.savez(file, x=numpy.zeros((1 << 16, 4), "u1"))
    content = bytearray(file.getvalue())
    content[1 << 17] ^= 1
    assert "Bad CRC-32" in refused("x.npz", bytes(content), rows=1)


def test_all_arrays_of_an_npz():
    found = reading.arrays(npz(answers=numpy.arange(6).reshape(3, 2), meta=numpy.array('{"ä": 1}')), "/data/g.npz")
    assert found["answers"].tolist() == [[0, 1], [2, 3], [4, 5]] and found["meta"].item() == '{"ä": 1}'.encode()
    with pytest.raises(Error, match=r"/data/g\.npz: this .npz file cannot be unpacked") as caught:
        reading.arrays(b"hello", "/data/g.npz")
    assert caught.value.code == "dataset_invalid"


# --- .csv ---

def test_csv():
    columns = read("x.csv", b'n,x,name,"two, words"\n1,0.5,a,"say ""hi"""\n-2,3,"two\nlines",\n').columns
    same(columns["n"], numpy.array([1, -2], "i8"))
    same(columns["x"], numpy.array([0.5, 3], "f8"))
    same(columns["name"], text(b"a", b"two\nlines"))
    same(columns["two, words"], text(b'say "hi"', b""))


def test_csv_from_a_spreadsheet():
    columns = read("x.csv", "\ufeffn,Größe\r\n1,2\r\n\r\n3,4\r\n\r\n".encode()).columns
    assert {name: column.tolist() for name, column in columns.items()} == {"n": [1, 3], "Größe": [2, 4]}


@pytest.mark.parametrize(("cells", "type_name"), [
    (("1", " 2 "), "int64"), (("1", "9223372036854775807"), "int64"), (("1", "9223372036854775808"), "uint64"),
    (("1", "1e3"), "float64"),
    (("nan", "inf"), "float64"), (("1_0", "2"), "object"), (("1", "x"), "object"), (("true", "False"), "bool"),
    (("true", "maybe"), "object"), (("1,5".join('""'), "2"), "float64"), (("007", "1"), "object"),
])
def test_types_of_csv_columns(cells, type_name):
    assert read("x.csv", ("n\n%s\n%s\n" % cells).encode()).columns["n"].dtype == type_name


def test_csv_is_not_read_further_than_needed():
    assert read("x.csv", b"x,y\n1,2\n3,4\n5\n", rows=2).totals == {"x": 2, "y": 2}


@pytest.mark.parametrize(("content", "says"), [
    (b"\n \n", "is empty"), (b"0,1\n3,4\n", "line 1 (0,1) may name the columns or hold values"),
    (b"x,x\n1,2\n", "x: line 1 has this name 2 times"),
    (b"x,y\n1,2\n3\n", "line 3 has 1 values, and line 1 names 2 columns"), (b'x,y\n"1\n",2\n3,4,5\n', "line 4 has 3 values"),
    (b'x\n"1\n', "is no CSV"), (b'x\n"a"b\n', "line 2 is no CSV"), (b"x,y\n1,2\n\0,1\n" + b"3,4\n" * 9, "line 3 holds a NUL byte"),
])
def test_csv_that_is_none(content, says):
    assert says in refused("x.csv", content)


def test_strings_of_which_some_are_empty():
    assert read("x.csv", b"x,y\na,1\n,2\n").columns["x"].tolist() == [b"a", b""]
    assert read("x.csv", b"x,y\n,1\n,2\n").columns["x"].tolist() == [b"", b""]
    table = read("x.csv", b"n,y\n,1\n0.5,2\n")
    assert table.columns["n"].tolist() == [b"", b"0.5"] and table.odd == {"n": "line 2 has no value"}


def test_how_long_a_cell_may_be_elsewhere_is_left_alone():
    before = csv.field_size_limit(1000)
    read("x.csv", b"n\n1\n")
    refused("x.csv", b'n\n"1\n')
    assert csv.field_size_limit(before) == 1000


def test_a_csv_with_a_header_alone_has_no_rows():
    assert read("x.csv", b"x,y").totals == {"x": 0, "y": 0}


# --- .jsonl ---

def test_jsonl():
    columns = read("x.jsonl", (
        b'{"image": [[0.5, 1]], "label": 3, "name": "Z\xc3\xbcrich", "raw": {"b64": "/wA="}, "tags": ["a", {"b64": ""}],'
        b' "ok": true}\n'
        b"\n"
        b'{"label": 4, "image": [[1, 2]], "name": "", "raw": {"b64": ""}, "tags": ["", "c"], "ok": false}'
    )).columns
    same(columns["image"], numpy.array([[[0.5, 1]], [[1, 2]]]))
    same(columns["label"], numpy.array([3, 4], "i8"))
    same(columns["ok"], numpy.array([True, False]))
    same(columns["name"], text("Zürich".encode(), b""))
    same(columns["raw"], text(b"\xff\0", b""))
    assert columns["tags"].tolist() == [[b"a", b""], [b"", b"c"]] and columns["tags"].dtype == object


def test_jsonl_is_not_read_further_than_needed():
    assert read("x.jsonl", b'{"x": 1}\n{"x": 2}\n{', rows=2).totals == {"x": 2}


@pytest.mark.parametrize(("content", "says"), [
    (b'{"x": 1}\n{"x": 2', "line 2 is no JSON"), (b"[[1, 2], [3]]", 'JSON lines such as {"images": [0.1'),
    (b"{}", "line 1 is no object"),
    (b'{"b64": "AA=="}', "is no table"), (b'{"x": 1}\n[1]', 'line 2 is no object such as {"images"'),
    (b'{"x": {"b64": "?"}}', "line 1 is no JSON"),
    (b'{"x": {"b64": 3}}', "x: line 1 holds neither"),
    (b'{"x": [1, 2]}\n{"x": [1]}', "x: line 2 has the shape [1], and line 1 [2]"),
    (b'{"x": 1}\n{"x": "1"}', "x: line 2 holds strings, and line 1 numbers"),
    (b'{"x": [[1], [2, 3]]}', "x: line 1 holds neither"), (b'{"x": [["a"], ["b", "c"]]}', "x: line 1 holds neither"),
    (b'{"x": [1, "a"]}', "x: line 1 holds neither"),
    (b'{"x": ["a", 1]}', "x: line 1 holds neither"), (b'{"x": null}', "x: line 1 has no value"),
    (b'{"x": {"y": 1}}', "x: line 1 holds neither"),
    (b'{"y": %s}' % (b"9" * 30), "y: line 1 holds neither"), (b'{"x": %s}' % (b"[" * 100000), "line 1 is no JSON"),
    (b'{"x": %s1%s}' % (b"[" * 70, b"]" * 70), "x: line 1 holds neither"), (b'{"x": "\\ud800"}', "x: line 1 holds neither"),
    (b"\xff\xfe{", "line 1 is no UTF-16"),
    (b'{"x": %s}' % (b"9" * 5000), "line 1"),
])
def test_jsonl_that_is_none(content, says):
    assert says in refused("x.jsonl", content)


def test_a_document_has_to_fit_into_memory(monkeypatch):
    content = b'[{"x": 1},\n{"x": 2}]'
    monkeypatch.setattr(named_rows, "MAX_DOCUMENT", len(content))
    assert read("x.json", content).totals == {"x": 2}
    monkeypatch.setattr(named_rows, "MAX_DOCUMENT", len(content) - 1)
    assert "this JSON document is larger than 0 MiB: write JSON lines" in refused("x.json", content)


def test_a_line_without_end(monkeypatch):
    monkeypatch.setattr(source, "MAX_LINE", 1 << 20)
    line = b'{"x": 1}'
    assert read("x.jsonl", line + b"\n" + b" " * (1 << 20)).totals == {"x": 1}
    assert "line 2 is longer than 1 MiB" in refused("x.jsonl", line + b"\n" + b" " * ((1 << 20) + 1))


def test_limits():
    """What fits into a controller's memory: a line of 64 MiB, a file of 1 GiB."""
    assert (source.MAX_LINE, source.MAX_BYTES) == (64 << 20, 1 << 30)


# --- .tfrecord ---

EXAMPLES = examples.build({"x": numpy.arange(6, dtype="f4").reshape(3, 2), "label": numpy.array([3, 1, 2])})
RECORDS = b"".join(tfrecord.record(data) for data in EXAMPLES)


def test_tfrecord():
    table = read("x.tfrecord", RECORDS, rows=2)
    same(table.columns["x"], numpy.array([[0, 1], [2, 3]], "f4"))
    same(table.columns["label"], numpy.array([3, 1], "i8"))
    same(table.columns["examples"], text(*EXAMPLES[:2]))


def test_tfrecord_with_features_of_varying_length():
    longer, = examples.build({"x": numpy.arange(3.0)[None], "label": numpy.array([7])})
    table = read("x.tfrecord", tfrecord.record(EXAMPLES[0]) + tfrecord.record(longer))
    assert table.columns.keys() == {"label", "examples"} and "length 3" in table.left_out["x"]


def changed(content, at):
    return content[:at] + bytes((content[at] ^ 1,)) + content[at + 1:]


SECOND = len(tfrecord.record(EXAMPLES[0]))


@pytest.mark.parametrize(("content", "says"), [
    (RECORDS[:-1], "record 3: the file is cut off"), (RECORDS[:SECOND + 5], "record 2: the file is cut off"),
    (changed(RECORDS, SECOND), "record 2: its length has a wrong check sum"),
    (changed(RECORDS, SECOND + 13), "record 2: its content has a wrong check sum"),
    (tfrecord.record(b"hello"), "record 1 is no tf.Example"),
    (struct.pack("<QI", 1 << 29, tfrecord.masked(tfrecord.crc32c(struct.pack("<Q", 1 << 29)))), "record 1: the file is cut off"),
    (struct.pack("<QI", 1 << 60, tfrecord.masked(tfrecord.crc32c(struct.pack("<Q", 1 << 60)))), "record 1: the file is cut off"),
])
def test_tfrecord_that_is_none(content, says):
    assert says in refused("x.tfrecord", content)


@settings(max_examples=40)
@given(st.one_of(st.binary(max_size=600), st.integers(0, 5000).map(lambda size: bytes(size % 256 for size in range(size)))))
def test_the_fast_sum_is_the_slow_one(data):
    assert records.crc32c(data) == tfrecord.crc32c(data)


@pytest.mark.parametrize("size", [255, 256, 1023, 1024, 1025, 2048, (256 << 10) - 1, 256 << 10, (256 << 10) + 1])
def test_the_fast_sum_at_the_edges_of_its_blocks(size):
    data = numpy.random.default_rng(size).bytes(size)
    assert records.crc32c(data) == tfrecord.crc32c(data)


# --- packed ---

@pytest.mark.parametrize(("name", "content", "column"), [
    ("x.npy.gz", npy(numpy.arange(3)), "x"), ("x.csv.gz", b"x\n0\n1\n2\n", "x"),
    ("x.jsonl.gz", b'{"x": 0}\n{"x": 1}\n{"x": 2}\n', "x"),
    ("x-idx1-ubyte.gz", idx(8, (3,), b"\0\1\2"), "x"),
    ("x.tfrecord.gz", b"".join(tfrecord.record(data) for data in examples.build({"x": numpy.arange(3)})), "x"),
])
def test_packed_files_are_read_to_their_check_sum(name, content, column):
    packed = gzip.compress(content)
    assert read(name, packed).columns[column].tolist() == [0, 1, 2]
    assert "cannot be unpacked" in refused(name, packed[:-1], rows=1)
    assert "cannot be unpacked" in refused(name, changed(packed, len(packed) - 6), rows=1)
    assert read(name, content).columns[column].tolist() == [0, 1, 2], "unpacked on the way"


@pytest.mark.parametrize(("name", "line"), [("x.csv", b"1,2\n"), ("x.jsonl", b'{"n": 1}\n')])
def test_damage_behind_the_rows_that_are_kept_is_found(name, line):
    packed = gzip.compress(line * 100000)
    assert set(read(name, packed, rows=1).totals.values()) == {1}
    assert "cannot be unpacked" in refused(name, changed(packed, len(packed) - 6), rows=1)


@pytest.mark.parametrize("name", ["x.csv.gz", "x.jsonl.gz", "x.npz.gz"])
def test_a_bomb_of_gzip(name, monkeypatch):
    monkeypatch.setattr(source, "MAX_BYTES", 1 << 16)
    monkeypatch.setattr(source, "CHUNK", 1 << 12)
    assert "more than 1 GiB" in refused(name, gzip.compress(b'{"x": 1}\n' + b"\n" * (1 << 17)), rows=1)


def test_the_largest_file(monkeypatch):
    content = b"x\n1\n2\n3\n"
    monkeypatch.setattr(source, "MAX_BYTES", len(content))
    for name, written in (("x.csv", content), ("x.csv.gz", gzip.compress(content))):
        assert read(name, written).columns["x"].tolist() == [1, 2, 3]
    monkeypatch.setattr(source, "MAX_BYTES", len(content) - 1)
    assert "this is more than 1 GiB" in refused("x.csv", content)
    assert "this is more than 1 GiB" in refused("x.csv.gz", gzip.compress(content), rows=1), "behind the rows that are kept too"


def test_the_largest_array(monkeypatch):
    monkeypatch.setattr(source, "MAX_BYTES", len(npy(numpy.arange(3))))
    assert read("x.npy", npy(numpy.arange(3))).columns["x"].tolist() == [0, 1, 2]
    monkeypatch.setattr(source, "MAX_BYTES", 24)
    assert read("x-idx1-ubyte", idx(8, (16,), bytes(16))).totals == {"x": 16}
    assert "claims the shape [25] of uint8, more than 1 GiB" in refused("x-idx1-ubyte", idx(8, (25,), b""))


# --- whatever comes ---

CONTENTS = {
    "x.npz": npz(x=numpy.arange(3), y=numpy.array(["a", "b", "c"])), "x.npy": npy(numpy.arange(6.0).reshape(3, 2)),
    "x.csv": b'x,y\n1,"a"\n2,b\n',
    "x.jsonl": b'{"x": [1, 2], "y": {"b64": "AA=="}}\n{"x": [3, 4], "y": "a"}\n',
    "x.tfrecord": RECORDS, "x-idx1-ubyte": idx(8, (3,), b"abc"),
    "x.csv.gz": gzip.compress(b"x,y\n1,2\n"),
}


@settings(max_examples=120)
@given(st.sampled_from(sorted(CONTENTS)), st.data())
def test_damaged_files_give_columns_or_an_error(name, data):
    content = bytearray(CONTENTS[name])
    for dummy in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at:at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not content:
            break
    try:
        table = read(name, bytes(content))
    except Error as error:
        assert error.code == "dataset_invalid"
    else:
        assert all(isinstance(column, numpy.ndarray) and len(column) <= 1000 for column in table.columns.values())


def test_pictures_with_dark_edges_are_not_taken_for_records_of_another_format():
    """As MNIST's: many bright pixels, and a dark one where CIFAR-10's second record would begin."""
    pictures = numpy.full((10, 28, 28), 255, "u1")
    pictures[:, :3] = pictures[:, -3:] = pictures[:, :, :3] = pictures[:, :, -3:] = 0
    content = idx(8, (10, 28, 28), pictures.tobytes())
    assert max(content[:4096:3073]) < 10 and sum(byte > 0x7E for byte in content[:4096]) > 300
    (column,) = read("t10k-images-idx3-ubyte", content).columns.values()
    same(column, pictures)
