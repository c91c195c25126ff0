"""Files of test data as people have them, good and bad, each with what has to come of it. Made by rule, the same each time."""
from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import zipfile
import zlib
from typing import NamedTuple

import numpy

from ansible_collections.mlops.tf_serving.plugins.module_utils import tfrecord
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import examples

NAN = float("nan")


class Case(NamedTuple):
    """A file (or a folder of them: content is a mapping) and what comes of it."""

    what: str
    name: str
    content: bytes | dict[str, bytes]
    columns: dict[str, list] | None = None  # name: values, text as bytes; None where the file is refused
    says: str = ""  # a part of the message where it is refused, of a remark or of a reason where it is read
    texts: dict[str, list] | None = None  # what a model that wants text gets


def idx(array, kind=8):
    types = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
    return bytes((0, 0, kind, array.ndim)) + struct.pack(">%dI" % array.ndim, *array.shape) + array.astype(types[kind]).tobytes()


def npy(array, **how):
    file = io.BytesIO()
    numpy.save(file, array, **how)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    numpy.savez(file, **arrays)
    return file.getvalue()


def zipped(**members):
    return zipped_files({name.replace("__", "/").replace("_", "."): content for name, content in members.items()})


def zipped_files(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as folder:
        for name, content in members.items():
            folder.writestr(name, content)
    return file.getvalue()


def records(**columns):
    return b"".join(tfrecord.record(data) for data in examples.build({name: numpy.array(column) for name,
                                                                      column in columns.items()}))


def zlib_packed(data):
    return zlib.compress(data, 6)


IMAGES = numpy.arange(2 * 28 * 28).reshape(2, 28, 28) % 251
X = {"x": [1, 2, 3]}
XY = {"x": [1.5, 2.5], "label": [0, 1]}
CSV = b"x,label\n1.5,0\n2.5,1\n"
TABLE = CSV.decode()
JSONL = b'{"x": 1}\n{"x": 2}\n{"x": 3}\n'
RECORDS = records(x=[1, 2, 3])
RECORDS_COLUMNS = {**X, "examples": [bytes(data) for data in examples.build({"x": numpy.array([1, 2, 3])})]}
IRIS = b"5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n7.0,3.2,4.7,1.4,Iris-versicolor\n\n"
IRIS_COLUMNS = {
    "column_1": [5.1, 4.9, 7.0], "column_2": [3.5, 3.0, 3.2], "column_3": [1.4, 1.4, 4.7], "column_4": [0.2, 0.2, 1.4],
    "column_5": [b"Iris-setosa", b"Iris-setosa", b"Iris-versicolor"],
}
TITANIC = (
    b"PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Ticket,Fare,Cabin,Embarked\r\n"
    b'1,0,3,"Braund, Mr. Owen Harris",male,22,1,A/5 21171,7.25,,S\r\n'
    b'2,1,1,"Cumings, Mrs. John Bradley (Florence Briggs Thayer)",female,38,1,PC 17599,71.2833,C85,C\r\n'
    b'6,0,3,"Moran, Mr. James",male,,0,330877,8.4583,,Q\r\n'
)
TITANIC_COLUMNS = {
    "PassengerId": [1, 2, 6], "Survived": [0, 1, 0], "Pclass": [3, 1, 3],
    "Name": [b"Braund, Mr. Owen Harris", b"Cumings, Mrs. John Bradley (Florence Briggs Thayer)", b"Moran, Mr. James"],
    "Sex": [b"male", b"female", b"male"], "Age": [b"22", b"38", b""], "SibSp": [1, 1, 0],
    "Ticket": [b"A/5 21171", b"PC 17599", b"330877"], "Fare": [7.25, 71.2833, 8.4583], "Cabin": [b"", b"C85", b""],
    "Embarked": [b"S", b"C", b"Q"],
}
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12345\n" % (b"4d7a2146" * 8)
LOGIN = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>a,b,c</body></html>\n"
XLSX = zipped_files({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>", "xl/worksheets/sheet1.xml": b"<x/>"})
GB = "名称,标签\n红色苹果,1\n绿色香蕉,2\n"
PICKLE = pickle.dumps({b"data": [1, 2], b"labels": [0, 1]}, protocol=2)
CIFAR = b"".join(bytes((label,)) + numpy.random.default_rng(label).bytes(3072) for label in (3, 8, 0))
LONG = b"QUJD" * 40000

GZIP = [Case("gzip, %s" % what, name, content, columns, says) for what, name, content, columns, says in (
    ("CSV in .gz", "x.csv.gz", gzip.compress(CSV), XY, ""),
    ("CSV without .gz in its name", "x.csv", gzip.compress(CSV), XY, ""),
    ("CSV that a server has unpacked", "x.csv.gz", CSV, XY, ""),
    ("CSV that a server has packed once more", "x.csv.gz", gzip.compress(gzip.compress(CSV)), XY, ""),
    ("in two members, as cat makes them", "x.csv.gz", gzip.compress(CSV[:12]) + gzip.compress(CSV[12:]), XY, ""),
    ("JSON lines without .gz", "x.jsonl", gzip.compress(JSONL), X, ""),
    ("IDX without .gz", "x-idx1-ubyte", gzip.compress(idx(numpy.array([1, 2, 3]))), X, ""),
    ("IDX that a server has unpacked", "x-idx1-ubyte.gz", idx(numpy.array([1, 2, 3])), X, ""),
    ("IDX packed twice", "x-idx1-ubyte.gz", gzip.compress(gzip.compress(idx(numpy.array([1, 2, 3])))), X, ""),
    (".npy packed", "x.npy", gzip.compress(npy(numpy.array([1, 2, 3]))), X, ""),
    (".npz packed", "data", gzip.compress(npz(x=numpy.array([1, 2, 3]))), X, ""),
    ("a name without any ending", "dataset", gzip.compress(CSV), XY, ""),
    ("a name of another format", "x.npy", CSV, XY, ""),
    ("bzip2", "x.csv.bz2", bz2.compress(CSV), XY, ""), ("xz", "x.csv.xz", lzma.compress(CSV), XY, ""),
    ("packed four times", "x.csv.gz", gzip.compress(gzip.compress(gzip.compress(gzip.compress(CSV)))), None,
     "packed more than 3 times"),
    ("cut off", "x.csv.gz", gzip.compress(CSV)[:-5], None, "cannot be unpacked"),
    ("a wrong check sum", "x.csv.gz", gzip.compress(CSV)[:-8] + bytes(4) + gzip.compress(CSV)[-4:], None, "cannot be unpacked"),
    ("with something behind it", "x.csv.gz", gzip.compress(CSV) + b"<html>", None, "cannot be unpacked"),
    ("of nothing", "x.csv.gz", gzip.compress(b""), None, "is empty: 0 bytes"),
    ("of a web page", "x.csv.gz", gzip.compress(LOGIN), None, "is a web page"),
    ("bzip2 cut off", "x.csv.bz2", bz2.compress(CSV)[:-5], None, "cannot be unpacked"),
    ("xz cut off", "x.csv.xz", lzma.compress(CSV)[:-9], None, "cannot be unpacked"),
    ("xz damaged", "x.csv.xz", lzma.compress(CSV)[:30] + b"\0\1" + lzma.compress(CSV)[32:], None, "cannot be unpacked"),
    ("zlib, as TensorFlow can", "x.tfrecord", zlib_packed(RECORDS), None, "packed with zlib"),
)]

STRANGERS = [Case("no dataset: " + what, name, content, None, says) for what, name, content, says in (
    ("a login page named .csv", "x.csv", LOGIN, "is a web page"), ("a login page named .npz", "x.npz", LOGIN, "is a web page"),
    ("a page behind blank lines", "x.csv", b"\n\n  <html>hello", "is a web page"),
    ("a page with a BOM", "x.csv", b"\xef\xbb\xbf<!doctype HTML><p>", "is a web page"),
    ("an answer of S3", "x.csv", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is XML"),
    ("an answer of Azure", "x.csv", b"<Error><Code>BlobNotFound</Code></Error>", "is XML"),
    ("a Git LFS pointer named .csv", "x.csv", LFS, "is a Git LFS pointer"),
    ("a Git LFS pointer named .npz", "x.npz", LFS, "is a Git LFS pointer"),
    ("a Git LFS pointer, IDX", "t10k-images-idx3-ubyte.gz", LFS, "is a Git LFS pointer"),
    ("an Excel workbook named .csv", "x.csv", XLSX, "is an Excel workbook"),
    ("an Excel workbook", "x.xlsx", XLSX, "is an Excel workbook"),
    ("an old Excel workbook", "x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is an Excel workbook"),
    ("OpenDocument", "x.csv", zipped_files({"mimetype": b"x", "content.xml": b"<x/>"}), "is an OpenDocument file"),
    ("Parquet without pyarrow", "x.csv", b"PAR1" + bytes(20) + b"PAR1", "is a Parquet file"),
    ("HDF5", "x.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file"),
    ("a pickle", "x.pkl", PICKLE, "is a Python pickle"),
    ("a pickle of protocol 4", "x.npy", pickle.dumps([1], protocol=4),
     "is a Python pickle"),
    ("CIFAR-10's Python version", "test_batch", PICKLE, "numpy.savez"),
    ("CIFAR-10's binary version", "test_batch.bin", CIFAR, "CIFAR-10's binary version"),
    ("PNG", "x.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "is a picture"),
    ("JPEG", "x.jpg", b"\xff\xd8\xff\xe0" + bytes(40),
     "is a picture"),
    ("GIF", "x.gif", b"GIF89a" + bytes(40), "is a picture"), ("PDF", "x.csv", b"%PDF-1.4\n%\xe2\xe3", "is a PDF document"),
    ("Feather", "x.feather", b"ARROW1\0\0" + bytes(40), "Arrow or Feather"), ("ORC", "x.orc", b"ORC" + bytes(40), "is an ORC file"),
    ("SQLite", "x.db", b"SQLite format 3\0" + bytes(40), "is an SQLite database"),
    ("MATLAB", "test_32x32.mat", b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(100), "is a MATLAB file"),
    ("Zstandard", "x.csv.zst", b"\x28\xb5\x2f\xfd" + bytes(20), "Zstandard"),
    ("7z", "x.7z", b"7z\xbc\xaf\x27\x1c" + bytes(20),
     "7z or RAR"),
    ("tar", "x.tar", b"a" * 100 + bytes(157) + b"ustar\0" + bytes(300), "is a tar archive"),
    ("tar.gz", "x.tar.gz", gzip.compress(b"a" * 100 + bytes(157) + b"ustar\0" + bytes(300)), "is a tar archive"),
    ("R's own", "x.RData", gzip.compress(b"RDX3\nX\n" + bytes(40)), "is R's own format"),
    ("ARFF", "x.arff", b"% Title\n%\n\n@RELATION iris\n@data\n1,2\n", "is an ARFF file"),
    ("compress", "x.csv.Z", b"\x1f\x9d\x90" + bytes(20), "packed with compress"),
    ("LIBSVM", "a9a.t", b"-1 3:1 6:1 17:0.5\n+1 5:1 7:1\n", "is a LIBSVM file"),
    ("empty", "x.csv", b"", "is empty: 0 bytes"), ("blank lines only", "x.csv", b"\n \r\n\n", "is empty"),
    ("random bytes", "x.csv", numpy.random.default_rng(7).bytes(500), "is no text"),
    ("random bytes named .npz", "x.npz", b"\1" + numpy.random.default_rng(8).bytes(500), "is no text"),
    ("zeros", "x.npy", bytes(1000), "is no text"),
    ("a NUL byte in a text", "x.csv", b"x,label\n1,2\n" * 20 + b"1\0,3\n", "line 41 holds a NUL byte"),
    ("a SavedModel in a zip", "x.zip", zipped_files({"1/saved_model.pb": b"x", "1/variables/variables.index": b"y"}), "is a model"),
    ("a Keras file", "x.keras", zipped_files({"config.json": b"{}", "model.weights.h5": b"x", "metadata.json": b"{}"}),
     "is a model"),
    ("several files in a zip", "x.zip", zipped_files({"train.csv": CSV, "test.csv": CSV}),
     "a zip of 2 files (test.csv, train.csv)"),
    ("an empty zip", "x.zip", zipped_files({}), "a zip of 0 files"),
    ("a zip in a zip in a zip", "x.zip", zipped_files({"a.zip": zipped_files({"b.zip": zipped_files({"x.csv": CSV})})}),
     "is no text"),
    ("a cut zip", "x.npz", npz(x=numpy.arange(100))[:-30], "cannot be unpacked"),
)]

DELIMITERS = [Case("CSV, %s" % what, name, content, columns, says, texts) for what, name, content, columns, says, texts in (
    ("as everybody writes it", "x.csv", CSV, XY, "", {"x": [b"1.5", b"2.5"]}),
    ("; and decimal commas", "x.csv", b"x;label\n1,5;0\n2,5;1\n", XY, "", {"x": [b"1,5", b"2,5"]}),
    ("; and decimal commas of three digits", "x.csv", b"x;label\n1,500;0\n2,500;1\n", XY, "", None),
    ("; and points", "x.csv", b"x;label\n1.5;0\n2.5;1\n", XY, "", None),
    ("; and thousands with points", "x.csv", b"x;y\n1.234,5;2\n-2.500,0;3\n", {"x": [1234.5, -2500.0], "y": [2, 3]}, "", None),
    ("; without a header", "x.csv", b"1,5;7\n2,5;1\n", {"column_1": [1.5, 2.5], "column_2": [7, 1]}, "line 1 names no columns",
     None),
    ("; and points that may be thousands", "x.csv", b"x;y\n1,5;1.234\n2,5;2.500\n", {"x": [1.5, 2.5], "y": [b"1.234", b"2.500"]},
     "which is a thousand times as much", None),
    ("; and text with commas", "x.csv", b"text;label\nhello, world;0\nbye, all;1\n", {"text": [b"hello, world", b"bye, all"],
     "label": [0, 1]}, "", None),
    ("sep= of Excel", "x.csv", b"sep=;\r\nx;label\r\n1,5;0\r\n2,5;1\r\n", XY, "", None),
    ("SEP= of Excel with a comma", "x.csv", b"SEP=,\nx,label\n1.5,0\n2.5,1\n", XY, "", None),
    ("tabs in .csv", "x.csv", b"x\tlabel\n1.5\t0\n2.5\t1\n", XY, "", None),
    ("tabs in .tsv", "x.tsv", b"x\tlabel\n1.5\t0\n2.5\t1\n", XY, "", None),
    ("tabs in .txt, text with blanks", "x.txt", b"label\ttext\nham\tGo until jurong point, crazy..\nspam\tFree entry; win | now\n",
     {"label": [b"ham", b"spam"], "text": [b"Go until jurong point, crazy..", b"Free entry; win | now"]}, "", None),
    ("|", "x.csv", b"x|label\n1.5|0\n2.5|1\n", XY, "", None),
    ("blanks, as numpy.savetxt writes", "x.txt", b"1.5 0\n2.5 1\n3.5 5\n", {"column_1": [1.5, 2.5, 3.5], "column_2": [0, 1, 5]},
     "names no columns", None),
    ("numpy.savetxt with a header", "x.csv", b"# x,label\n1.5,0\n2.5,1\n", XY, "", None),
    ("numpy.savetxt with a header of several lines", "x.csv", b"# made by me\n#\n# x,label\n1.5,0\n2.5,1\n", XY, "", None),
    ("comments above the header", "x.csv", b"# made by me, today, here\n\nx,label\n1.5,0\n2.5,1\n", XY, "", None),
    ("columns of blanks, as UCI's housing.data", "housing.data", b" 0.00632  18.00   2.310  0\n 0.02731   0.00   7.070  0\n",
     {"column_1": [0.00632, 0.02731], "column_2": [18.0, 0.0], "column_3": [2.31, 7.07], "column_4": [0, 0]}, "", None),
    ("blanks, a tab and quotes, as UCI's auto-mpg.data", "auto-mpg.data",
     b'18.0   8   307.0      130.0      1\t"chevrolet malibu"\n15.0   8   350.0      ?          1\t"buick skylark"\n'
     b'14.0   8   455.0      225.0      1\t"pontiac catalina"\n',
     {"column_1": [18.0, 15.0, 14.0], "column_2": [8, 8, 8], "column_3": [307.0, 350.0, 455.0], "column_4": [b"130.0", b"?",
                                                                                                             b"225.0"],
      "column_5": [1, 1, 1], "column_6": [b"chevrolet malibu", b"buick skylark", b"pontiac catalina"]},
     "line 2 has '?', which is no number", None),
    ("a single column of text with commas", "x.csv", b"text\n\"hello, world\"\nbye\n", {"text": [b"hello, world", b"bye"]}, "",
     None),
    ("a single column of text with blanks", "x.csv", b"text\nhello world\ngood bye\n", {"text": [b"hello world", b"good bye"]}, "",
     None),
    ("a single column of numbers", "x.csv", b"x\n1\n2\n3\n", X, "", None),
    ("commas in a single column", "x.csv", b"text\nhello, world\nbye\n", None, "line 2 has 2 values, and line 1 names 1 columns",
     None),
    ("a | within text", "x.csv", b"text,label\na|b,0\nc|d,1\n", {"text": [b"a|b", b"c|d"], "label": [0, 1]}, "", None),
    ("a ; in every row", "x.csv", b"tags,n,label\na;b,3,0\nc;d,4,1\n", {"tags": [b"a;b", b"c;d"], "n": [3, 4], "label": [0, 1]},
     "", None),
    ("blanks behind commas", "x.csv", b"x, label\n1.5, 0\n2.5, 1\n", XY, "", None),
    ("blanks behind commas in the header only", "x.csv", b"x , label \n1.5,0\n2.5,1\n", XY, "", None),
    ("blanks and quotes", "x.csv", b'"x", "label"\n"1.5", "0"\n"2.5", "1"\n', XY, "", None),
    ("a quoted header behind blanks", "x.csv", b'"x", "label"\n1.5,0\n2.5,1\n', XY, "", None),
    ("all in quotes", "x.csv", b'"x","label"\n"1.5","0"\n"2.5","1"\n', XY, "", None),
    ("quotes within quotes, lines within cells", "x.csv", b'text,label\n"say ""hi""",0\n"two\nlines",1\n', {"text": [b'say "hi"',
     b"two\nlines"], "label": [0, 1]}, "", None),
    ("quotes behind backslashes, as Spark writes them", "x.csv", b'label,text\n1,"say \\"hi\\", all"\n0,"bye"\n',
     {"label": [1, 0], "text": [b'say "hi", all', b"bye"]}, "", None),
    ("backslashes that are none of quotes", "x.csv", b'label,text\n1,"C:\\temp\\"\n0,"bye"\n', {"label": [1, 0],
     "text": [b"C:\\temp\\", b"bye"]}, "", None),
    ("an inch sign", "x.csv", b'size,label\n5" pipe,0\n6" pipe,1\n', {"size": [b'5" pipe', b'6" pipe'], "label": [0, 1]}, "", None),
    ("blanks that belong to a text", "x.csv", b"text,label\n hello,0\nworld ,1\n", {"text": [b" hello", b"world "], "label": [0,
     1]}, "", None),
    ("a quote that does not end", "x.csv", b'x,label\n"1,0\n2,1\n', None, "is no CSV", None),
    ("a cell of 160 KB", "x.csv", b"image,label\n%s,0\n%s,1\n" % (LONG, LONG), {"image": [LONG, LONG], "label": [0, 1]}, "", None),
    ("a cell of 160 KB in JSON", "x.jsonl", b'{"image": {"b64": "%s"}, "label": 0}\n' % LONG, {"image": [b"ABC" * 40000],
     "label": [0]}, "", None),
)]

LINES = [Case("lines, " + what, "x.csv", content, columns, says) for what, content, columns, says in (
    ("of Windows", CSV.replace(b"\n", b"\r\n"), XY, ""), ("of an old Mac", CSV.replace(b"\n", b"\r"), XY, ""),
    ("of an old Mac, the last without end", CSV.replace(b"\n", b"\r")[:-1], XY, ""), ("the last without end", CSV[:-1], XY, ""),
    ("mixed", b"x,label\r\n1.5,0\n2.5,1\r\n", XY, ""), ("blank ones between", b"\nx,label\n\n1.5,0\n\n\n2.5,1\n\n", XY, ""),
    ("a last one of blanks", CSV + b"   ", XY, ""), ("a last one of blanks and a tab", CSV + b"  \t \n", XY, ""),
    ("a last one of commas, as Excel leaves it", CSV + b",\n,\n", XY, ""), ("a last one of Ctrl-Z", CSV + b"\x1a", XY, ""),
    ("a comma at each end", b"x,label,\n1.5,0,\n2.5,1,\n", XY, ""),
    ("a comma at each end but the header's",
     b"x,label\n1.5,0,\n2.5,1,\n", XY, ""),
    ("a comma at the header's end", b"x,label,\n1.5,0\n2.5,1\n", XY, ""),
    ("a short one", b"x,y,label\n1,2,3\n4,5\n", None, "line 3 has 2 values, and line 1 names 3 columns"),
    ("a long one", b"x,label\n1,2\n3,4,5\n6,7\n", None, "line 3 has 3 values, and line 1 names 2 columns (x,label)"),
    ("a header alone", b"x,label\n", None, "is empty"), ("a header alone without end", b"x,label", None, "is empty"),
)]

ENCODINGS = [Case("encoding, " + what, "x.csv", content, columns, says) for what, content, columns, says in (
    ("UTF-8", "Größe,label\nklein,0\ngroß,1\n".encode(), {"Größe": [b"klein", "groß".encode()], "label": [0, 1]}, ""),
    ("UTF-8 with BOM", b"\xef\xbb\xbf" + CSV, XY, ""),
    ("UTF-8 with BOM, quoted", b'\xef\xbb\xbf"x","label"\n1.5,0\n2.5,1\n', XY,
     ""),
    ("UTF-16, as Excel's Unicode text", TABLE.replace(",", "\t").encode("utf-16"), XY, ""),
    ("UTF-16 little endian without BOM", TABLE.encode("utf-16-le"), XY, ""),
    ("UTF-16 big endian with BOM",
     b"\xfe\xff" + TABLE.encode("utf-16-be"), XY, ""),
    ("UTF-16 big endian without BOM", TABLE.encode("utf-16-be"), XY, ""), ("UTF-32", TABLE.encode("utf-32"), XY, ""),
    ("UTF-16 cut within a letter", TABLE.encode("utf-16")[:-1], None, "is no UTF-16 text"),
    ("Windows-1252", "Größe,label\nKöln,0\nß 5 €,1\n".encode("cp1252"), {"Größe": ["Köln".encode(), "ß 5 €".encode()], "label": [0,
     1]}, "read as Windows-1252"),
    ("Latin-1", "ville,label\nOrléans,0\nBesançon,1\n".encode("latin-1"), {"ville": ["Orléans".encode(), "Besançon".encode()],
     "label": [0, 1]}, "read as Windows-1252"),
    ("GBK", GB.encode("gbk"), {"名称": ["红色苹果".encode(), "绿色香蕉".encode()], "标签": [1, 2]}, "read as GBK"),
    ("of a column that nobody may need, unclear", b"x,note\n1,\xe5\xe6\xe7 \x81\n2,b\n", {"x": [1, 2]}, "its text is no UTF-8"),
    ("of all columns, unclear", b"note\n\xe5\xe6\xe7 \x81\nb\n", None, "its text is no UTF-8"),
    ("UTF-8 with a damaged letter", "x,note\n1,Köln\n2,".encode() + b"\xc3 \n", {"x": [1, 2]}, "its text is no UTF-8"),
)]

HEADERS = [Case("header, " + what, "x.csv", content, columns, says) for what, content, columns, says in (
    ("none, rows end in a word (iris.data)", IRIS, IRIS_COLUMNS, "holds values (5.1,3.5,1.4,0.2,Iris-setosa)"),
    ("none, rows begin with the class (wine.data)", b"1,14.23,1.71\n1,13.2,1.78\n2,12.37,.94\n", {"column_1": [1, 1, 2],
     "column_2": [14.23, 13.2, 12.37], "column_3": [1.71, 1.78, 0.94]}, "names no columns"),
    ("none, MNIST as pixels", b"7,0,0,84,185\n2,0,0,116,125\n", {"column_1": [7, 2], "column_2": [0, 0], "column_3": [0, 0],
     "column_4": [84, 116], "column_5": [185, 125]}, "names no columns"),
    ("none, blanks and ? (adult.data)", b"39, State-gov, 77516, <=50K\n50, ?, 83311, <=50K\n38, Private, 215646, >50K\n",
     {"column_1": [39, 50, 38], "column_2": [b"State-gov", b"?", b"Private"], "column_3": [77516, 83311, 215646],
      "column_4": [b"<=50K", b"<=50K", b">50K"]}, "names no columns"),
    ("none, a word above numbers is ? (breast-cancer-wisconsin.data)", b"1000025,5,?,2\n1002945,5,10,2\n1015425,3,2,4\n",
     {"column_1": [1000025, 1002945, 1015425], "column_2": [5, 5, 3], "column_3": [b"?", b"10", b"2"], "column_4": [2, 2, 4]},
     "names no columns"),
    ("none, letters only (mushrooms)", b"p,x,s,n\ne,x,s,y\np,x,y,w\n", {"column_1": [b"p", b"e", b"p"], "column_2": [b"x", b"x",
     b"x"], "column_3": [b"s", b"s", b"y"], "column_4": [b"n", b"y", b"w"]}, "names no columns"),
    ("none, a single row", b"5.1,3.5\n", {"column_1": [5.1], "column_2": [3.5]}, "holds values"),
    ("pandas' 0, 1, 2", b"0,1,2\n5,6,7\n8,9,10\n", {"0": [5, 8], "1": [6, 9], "2": [7, 10]}, ""),
    ("pandas' 0, 1 with an index", b",0,1\n0,5,6\n1,8,9\n", {"0": [5, 8], "1": [6, 9]}, "line 1 gives it no name"),
    ("0 and 1, which may be values", b"0,1\n1,0\n1,1\n", None, "line 1 (0,1) may name the columns or hold values"),
    ("a 0 alone", b"0\n5\n7\n", None, "may name the columns or hold values"),
    ("label, 1x1, 1x2 (Kaggle's MNIST)", b"label,1x1,1x2\n7,0,255\n2,0,3\n", {"label": [7, 2], "1x1": [0, 0], "1x2": [255, 3]}, ""),
    ("label, 0, 1", b"label,0,1\n7,0,255\n2,0,3\n", {"label": [7, 2], "0": [0, 0], "1": [255, 3]}, ""),
    ("years", b"country,2019,2020\nDE,5,6\nFR,7,8\n", {"country": [b"DE", b"FR"], "2019": [5, 7], "2020": [6, 8]}, ""),
    ("words over words", b"text,label\nhello,a\nbye,b\n", {"text": [b"hello", b"bye"], "label": [b"a", b"b"]}, ""),
    ("pandas without index=False", b",x,label\n0,1.5,0\n1,2.5,1\n", XY, "line 1 gives it no name"),
    ("pandas without index=False, twice", b",Unnamed: 0,x,label\n0,0,1.5,0\n1,1,2.5,1\n", XY, "pandas' index"),
    ("pandas with an index of words", b",x,label\nfirst,1.5,0\nsecond,2.5,1\n", XY, "line 1 gives it no name"),
    ("R's write.csv", b'"","x","label"\n"1",1.5,0\n"2",2.5,1\n', XY, "line 1 gives it no name"),
    ("R's write.csv of mtcars", b'"","mpg","am"\n"Mazda RX4",21,1\n"Datsun 710",22.8,0\n', {"mpg": [21.0, 22.8], "am": [1, 0]},
     "line 1 gives it no name"),
    ("R's write.table", b'"x" "label"\n"1" 1.5 0\n"2" 2.5 1\n', XY, "line 1 gives it no name"),
    ("a name twice, which nobody needs", b"x,a,a,label\n1.5,1,2,0\n2.5,3,4,1\n", XY, "line 1 has this name 2 times"),
    ("a nameless column in the middle", b"x,,label\n1.5,,0\n2.5,,1\n", XY, "line 1 gives it no name"),
    ("nothing but nameless ones", b",,\nNA,NA,NA\n", None, ""),
    ("Kaggle's titanic", TITANIC, TITANIC_COLUMNS, "line 4 has no value"),
    ("sklearn's iris as a frame", b"sepal length (cm),sepal width (cm),target\n5.1,3.5,0\n4.9,3.0,0\n", {"sepal length (cm)": [5.1,
     4.9], "sepal width (cm)": [3.5, 3.0], "target": [0, 0]}, ""),
    ("# as a name", b"#,Name,Attack\n1,Bulbasaur,49\n2,Ivysaur,62\n", {"#": [1, 2], "Name": [b"Bulbasaur", b"Ivysaur"],
     "Attack": [49, 62]}, ""),
)]

TYPES = [Case("types, " + what, "x.csv", content, columns, says, texts) for what, content, columns, says, texts in (
    ("whole and other numbers", b"a,b\n1,1e3\n-2,0.5\n", {"a": [1, -2], "b": [1000.0, 0.5]}, "", {"a": [b"1", b"-2"]}),
    ("codes with leading zeros", b"zip,label\n01067,0\n99084,1\n", {"zip": [b"01067", b"99084"], "label": [0, 1]}, "",
     {"zip": [b"01067", b"99084"]}),
    ("numbers with blanks", b"a,b\n 1 ,2\n3,4\n", {"a": [1, 3], "b": [2, 4]}, "", None),
    ("above int64", b"id,label\n18446744073709551615,0\n2,1\n", {"id": [18446744073709551615, 2], "label": [0, 1]}, "",
     {"id": [b"18446744073709551615", b"2"]}),
    ("above any", b"id,label\n99999999999999999999999,0\n2,1\n", {"id": [1e23, 2.0], "label": [0, 1]}, "",
     {"id": [b"99999999999999999999999", b"2"]}),
    ("of 5000 digits", b"id,label\n%s,0\n2,1\n" % (b"9" * 5000), {"id": [float("inf"), 2.0], "label": [0, 1]}, "", None),
    ("True and False", b"x,label\n1.5,True\n2.5,False\n", {"x": [1.5, 2.5], "label": [True, False]}, "", {"label": [b"True",
     b"False"]}),
    ("R's TRUE and FALSE", b"x,label\n1.5,TRUE\n2.5,FALSE\n", {"x": [1.5, 2.5], "label": [True, False]}, "", None),
    ("yes and no stay words", b"x,label\n1.5,yes\n2.5,no\n", {"x": [1.5, 2.5], "label": [b"yes", b"no"]}, "", None),
    ("nan and inf", b"x,label\nnan,0\ninf,1\n", {"x": [NAN, float("inf")], "label": [0, 1]}, "", None),
    ("a hole among numbers", b"x,label\n1.5,0\n,1\n2.5,1\n", {"x": [b"1.5", b"", b"2.5"], "label": [0, 1, 1]},
     "line 3 has no value", None),
    ("? among numbers", b"x,label\n1.5,0\n?,1\n", {"x": [b"1.5", b"?"], "label": [0, 1]}, "line 3 has '?', which is no number",
     None),
    ("NA among numbers", b"x,label\n1.5,0\nNA,1\n", {"x": [b"1.5", b"NA"], "label": [0, 1]}, "line 3 has 'NA', which is no number",
     None),
    ("thousands in quotes", b'x,label\n"1,234",0\n"5,678",1\n', {"x": [b"1,234", b"5,678"], "label": [0, 1]},
     "may be a thousand times as much", None),
    ("decimal commas in quotes", b'x,label\n"1,5",0\n"2,25",1\n', {"x": [1.5, 2.25], "label": [0, 1]}, "", None),
    ("thousands with blanks", b"x;label\n1 234,5;0\n2\xc2\xa0500,0;1\n", {"x": [1234.5, 2500.0], "label": [0, 1]}, "", None),
    ("three decimals", b"x;label\n0,125;0\n0,250;1\n", {"x": [0.125, 0.25], "label": [0, 1]}, "", None),
    ("three decimals with a point, and text", b"x,t\n1.125,\"a,b\"\n2.250,\"c,d\"\n", {"x": [1.125, 2.25], "t": [b"a,b", b"c,d"]},
     "", None),
    ("money", b"x,label\n$5.00,0\n$6.50,1\n", {"x": [b"$5.00", b"$6.50"], "label": [0, 1]}, "", None),
    ("dates", b"day,label\n2020-01-31,0\n2021-02-28,1\n", {"day": [b"2020-01-31", b"2021-02-28"], "label": [0, 1]}, "", None),
    ("underlines within numbers", b"x,label\n1_0,0\n2_0,1\n", {"x": [b"1_0", b"2_0"], "label": [0, 1]}, "", None),
    ("words and empty ones", b"x,label\na,0\n,1\n", {"x": [b"a", b""], "label": [0, 1]}, "", None),
    ("a control letter beside a decimal comma", b"a long name of a column;label\n\x1d,3;0\n1,5;1\n",
     {"a long name of a column": [b"\x1d,3", b"1,5"], "label": [0, 1]}, "which is no number", None),
    ("hexadecimal", b"x,label\n0x1F,0\n0x2A,1\n", {"x": [b"0x1F", b"0x2A"], "label": [0, 1]}, "", None),
)]

JSON = [Case("JSON, " + what, name, content if isinstance(content, bytes) else json.dumps(content).encode(), columns, says)
        for what, name, content, columns, says in (
    ("lines", "x.jsonl", JSONL, X, ""), ("lines named .json", "x.json", JSONL, X, ""), ("lines named .txt", "x.txt", JSONL, X, ""),
    ("lines with a BOM", "x.jsonl", b"\xef\xbb\xbf" + JSONL, X, ""),
    ("lines in UTF-16", "x.jsonl",
     JSONL.decode().encode("utf-16"), X, ""),
    ("lines of Windows, blank ones between", "x.jsonl", JSONL.replace(b"\n", b"\r\n\r\n"), X, ""),
    ("a line alone in .jsonl", "x.jsonl", {"x": [1, 2], "label": 3}, {"x": [[1, 2]], "label": [3]}, ""),
    ("pandas, orient records", "x.json", [{"x": 1.5, "label": 0}, {"x": 2.5, "label": 1}], XY, ""),
    ("pandas, orient records, indented", "x.json", json.dumps([{"x": 1.5, "label": 0}, {"x": 2.5, "label": 1}], indent=2).encode(),
     XY, ""),
    ("pandas, orient columns", "x.json", {"x": {"0": 1.5, "1": 2.5}, "label": {"0": 0, "1": 1}}, XY, ""),
    ("pandas, orient index", "x.json", {"0": {"x": 1.5, "label": 0}, "1": {"x": 2.5, "label": 1}}, XY, ""),
    ("pandas, orient split", "x.json", {"columns": ["x", "label"], "index": [0, 1], "data": [[1.5, 0], [2.5, 1]]}, XY, ""),
    ("pandas, orient table", "x.json", {"schema": {"fields": [], "primaryKey": ["index"]}, "data": [{"index": 0, "x": 1.5,
     "label": 0}, {"index": 1, "x": 2.5, "label": 1}]}, XY, ""),
    ("pandas, orient values", "x.json", [[1.5, 0], [2.5, 1]], {"column_1": [1.5, 2.5], "column_2": [0, 1]}, ""),
    ("a list for each column", "x.json", {"x": [1.5, 2.5], "label": [0, 1]}, XY, ""),
    ("a request to the REST API, rows", "x.json", {"signature_name": "serving_default", "instances": [{"x": 1.5, "label": 0},
     {"x": 2.5, "label": 1}]}, XY, ""),
    ("a request to the REST API, columns", "x.json", {"inputs": {"x": [1.5, 2.5], "label": [0, 1]}}, XY, ""),
    ("null in a column that nobody may need", "x.json", [{"x": 1, "age": None}, {"x": 2, "age": 3}, {"x": 3, "age": 4}], X,
     "row 1 has no value"),
    ("an object in a column", "x.jsonl", b'{"x": 1, "o": {}}\n{"x": 2, "o": {}}\n{"x": 3, "o": {}}', X,
     "neither numbers nor strings"),
    ("a key that some lines lack", "x.jsonl", b'{"x": 1, "y": 1}\n{"x": 2}\n{"x": 3, "y": 2}', X, "line 2 lacks it"),
    ("a key that some lines have more", "x.jsonl", b'{"x": 1}\n{"x": 2, "y": 2}\n{"x": 3}', X, "line 1 lacks it, which line 2 has"),
    ("lists of varying length", "x.jsonl", b'{"x": 1, "l": [1]}\n{"x": 2, "l": [1, 2]}\n{"x": 3, "l": []}', X, "has the shape [2]"),
    ("numbers as strings", "x.jsonl", b'{"x": "1"}\n{"x": "2"}\n', {"x": [b"1", b"2"]}, ""),
    ("a line that is cut off", "x.jsonl", JSONL + b'{"x": 4', None, "line 4 is no JSON"),
    ("a document that is cut off", "x.json", b'[{"x": 1},\n {"x": 2', None, "line 2 is no JSON"),
    ("columns of unlike length", "x.json", {"x": [1, 2], "y": [1]}, {"x": [[1, 2]], "y": [[1]]}, ""),
    ("numbers alone", "x.json", [1, 2, 3], {"column_1": [1, 2, 3]}, ""),
    ("pictures as lists", "x.json", [[[0, 1], [2, 3]], [[4, 5], [6, 7]]], {"column_1": [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]}, ""),
    ("rows of a web service", "x.json", {"data": [{"x": 1.5, "label": 0}, {"x": 2.5, "label": 1}]}, XY, ""),
    ("rows of unlike length", "x.json", [[1, 2], [3]], None, "is no table"),
    ("words and numbers in one list", "x.json", [1, "a"], None, "row 2 holds strings, and row 1 numbers"),
    ("an empty list",
     "x.json", [], None, "is no table"),
    ("an empty object", "x.json", {}, None, "line 1 is no object"),
    ("deep nesting", "x.json", b"[" * 100000, None,
     "line 1 is no JSON"),
    ("a number of 5000 digits", "x.jsonl", b'{"x": %s}\n{"x": 1}' % (b"9" * 5000), None, "line 1 is no JSON"),
    ("a web page in braces", "x.json", b"{html}", None, "line 1 is no JSON"),
)]

ARRAYS = [Case("arrays, " + what, name, content, columns, says) for what, name, content, columns, says in (
    (".npy", "x.npy", npy(numpy.array([1, 2, 3])), X, ""),
    (".npy in Fortran's order", "x.npy", npy(numpy.asfortranarray([[1, 2],
     [3, 4]])), {"x": [[1, 2], [3, 4]]}, ""),
    (".npy in big endian", "x.npy", npy(numpy.array([1, 2, 3], ">f8")), {"x": [1.0, 2.0, 3.0]}, ""),
    (".npy of text", "x.npy", npy(numpy.array(["a", "ü"])), {"x": [b"a", "ü".encode()]}, ""),
    (".npy of bool", "x.npy",
     npy(numpy.array([True, False])), {"x": [True, False]}, ""),
    (".npy of objects", "x.npy", npy(numpy.array([{}, 1], object), allow_pickle=True), None, "holds Python objects"),
    (".npy of dates", "x.npy", npy(numpy.array(["2020"], "M8[s]")), None, "type datetime64"),
    (".npy of one value", "x.npy",
     npy(numpy.array(3)), None, "single value"),
    (".npy that is cut off", "x.npy", npy(numpy.arange(9))[:-1], None, "should hold 9 values"),
    (".npy of no rows", "x.npy",
     npy(numpy.empty((0, 3))), None, "is empty"),
    (".npz", "x.npz", npz(x=numpy.array([1.5, 2.5]), label=numpy.array([0, 1])), XY, ""),
    (".npz named .zip", "x.zip", npz(x=numpy.array([1.5, 2.5]), label=numpy.array([0, 1])), XY, ""),
    (".npz with objects that nobody may need", "x.npz", npz(x=numpy.array([1, 2, 3]), meta=numpy.array([{}, None, 1], object)), X,
     "holds Python objects"),
    (".npz with a single value", "x.npz", npz(x=numpy.array([1, 2, 3]), version=numpy.array(7)), X, "single value"),
    (".npz with a short array", "x.npz", npz(x=numpy.arange(6), y=numpy.arange(6), mean=numpy.array([0.5, 0.5])),
     {"x": list(range(6)), "y": list(range(6))}, "it has 2 rows, others have 6"),
    (".npz with dates", "x.npz", npz(x=numpy.array([1, 2, 3]), day=numpy.array(["2020"] * 3, "M8[D]")), X, "type datetime64"),
    (".npz with a readme", "x.npz", zipped_files({"x.npy": npy(numpy.array([1, 2, 3])), "README.txt": b"hello"}), X, ""),
    (".npz of objects only", "x.npz", npz(x=numpy.array([None])), None, "x: this holds Python objects"),
    (".npz of arrays that do not belong together", "x.npz", npz(x=numpy.arange(6), y=numpy.arange(5)), None, "6 x and 5 y"),
    ("one-hot labels", "x.npz", npz(x=numpy.array([1, 2]), y=numpy.eye(2)), {"x": [1, 2], "y": [[1.0, 0.0], [0.0, 1.0]]}, ""),
    ("a CSV in a zip, as Kaggle has it", "titanic.csv.zip", zipped_files({"x.csv": CSV, "__MACOSX/._x.csv": b"\0",
     ".DS_Store": b"\0"}), XY, ""),
    ("IDX of bytes", "x-idx1-ubyte", idx(numpy.array([1, 2, 3])), X, ""),
    ("IDX of floats", "x.idx1-float", idx(numpy.array([1.5,
     2]), 13), {"x": [1.5, 2]}, ""),
    ("IDX of int32", "x.bin", idx(numpy.array([[70000, 2]]), 12), {"x.bin": [[70000, 2]]}, ""),
    ("IDX named .gz",
     "x-idx3-ubyte.gz", idx(IMAGES), {"x": IMAGES.tolist()}, ""),
    ("IDX that is cut off", "x-idx1-ubyte", idx(numpy.arange(9))[:-1], None, "should hold 9 values"),
    ("IDX with something behind it", "x-idx1-ubyte", idx(numpy.arange(9)) + b"x", None, "holds more"),
    ("IDX of an unknown type", "x-idx1-ubyte", b"\0\0\7\1\0\0\0\1a", None, "is no IDX file"),
    ("IDX that claims a lot",
     "x-idx3-ubyte", b"\0\0\x08\3" + b"\xff" * 12, None, "more than 1 GiB"),
    ("IDX without its sizes", "x-idx3-ubyte", b"\0\0\x08\3\0\0", None, "is no IDX file"),
)]

RECORD_FILES = [Case("TFRecord, %s" % what, name, content, columns, says) for what, name, content, columns, says in (
    *(("named " + name, name, content, RECORDS_COLUMNS, "") for name, content in (
        ("x.tfrecord", RECORDS), ("x.tfrecords", RECORDS), ("x.tfrec", RECORDS), ("mnist-test.tfrecord-00000-of-00001", RECORDS),
        ("data_tfrecord-00000-of-00001.gz", gzip.compress(RECORDS)), ("x.tfrecord.gz", gzip.compress(RECORDS)),
        ("test-00000-of-00001", RECORDS),
        ("x.record", RECORDS), ("x.tfrecords-of-a-server", gzip.compress(gzip.compress(RECORDS))), ("x.gz", RECORDS))),
    ("a record that lacks a feature", "x.tfrecord", RECORDS + records(y=[1]),
     {"examples": RECORDS_COLUMNS["examples"] + list(examples.build({"y": numpy.array([1])}))}, "lacks it"),
    ("cut off", "x.tfrecord", RECORDS[:-1], None, "record 3: the file is cut off"),
    ("a damaged record", "x.tfrecord",
     RECORDS[:-6] + b"\7\7" + RECORDS[-4:], None, "record 3: its content has a wrong check sum"),
    ("a damaged first length", "x.tfrecord", b"\xff" + RECORDS[1:], None, "record 1: its length has a wrong check sum"),
    ("of something else than tf.Examples", "x.tfrecord", tfrecord.record(b"hello"), None, "record 1 is no tf.Example"),
)]

MNIST = {"images": IMAGES.tolist(), "labels": [7, 2]}
IMAGES_FILE, LABELS_FILE = idx(IMAGES), idx(numpy.array([7, 2]))
OTHERS = {"train-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES[:1])),
          "train-labels-idx1-ubyte.gz": gzip.compress(idx(numpy.array([5])))}
PACKED = {"t10k-images-idx3-ubyte.gz": gzip.compress(IMAGES_FILE), "t10k-labels-idx1-ubyte.gz": gzip.compress(LABELS_FILE)}
FOLDERS = [Case("folder, " + what, "folder", content, columns, says) for what, content, columns, says in (
    ("MNIST", PACKED, MNIST, ""), ("MNIST with training data", {**PACKED, **OTHERS}, MNIST, ""),
    ("MNIST unpacked", {"t10k-images-idx3-ubyte": IMAGES_FILE, "t10k-labels-idx1-ubyte": LABELS_FILE}, MNIST, ""),
    ("MNIST unpacked, names with a point, as Kaggle has it", {"t10k-images.idx3-ubyte": IMAGES_FILE,
     "t10k-labels.idx1-ubyte": LABELS_FILE, "train-images.idx3-ubyte": IMAGES_FILE, "train-labels.idx1-ubyte": LABELS_FILE}, MNIST,
     ""),
    ("MNIST packed and unpacked", {**PACKED, "t10k-images-idx3-ubyte": IMAGES_FILE, "t10k-labels-idx1-ubyte": LABELS_FILE}, MNIST,
     ""),
    ("MNIST as torchvision keeps it", {"MNIST/raw/" + name: content for name, content in {**PACKED, **OTHERS}.items()}, MNIST, ""),
    ("EMNIST", {"emnist-digits-test-images-idx3-ubyte.gz": PACKED["t10k-images-idx3-ubyte.gz"],
     "emnist-digits-test-labels-idx1-ubyte.gz": PACKED["t10k-labels-idx1-ubyte.gz"],
                "emnist-digits-train-images-idx3-ubyte.gz": b"x", "emnist-digits-train-labels-idx1-ubyte.gz": b"x"}, MNIST, ""),
    ("what Macs and Windows leave", {**PACKED, ".DS_Store": b"\0", "._t10k-images-idx3-ubyte.gz": b"\0", "Thumbs.db": b"\0",
     "__MACOSX/x": b"\0"}, MNIST, ""),
    ("a readme and one file", {"README.md": b"# hello", "LICENSE": b"MIT", "x.csv": CSV}, XY, ""),
    ("a folder in a folder", {"data/test/x.csv": CSV, ".DS_Store": b"\0"}, XY, ""),
    ("X_test and y_test", {"X_test.npy": npy(numpy.array([[1, 2], [3, 4]])), "y_test.npy": npy(numpy.array([0, 1])),
     "X_train.npy": b"x", "y_train.npy": b"x"}, {"x": [[1, 2], [3, 4]], "y": [0, 1]}, ""),
    ("X_test and y_test as CSV", {"X_test.csv": b",a,b\n0,1,2\n1,3,4\n", "y_test.csv": b",target\n0,5\n1,6\n"}, {"x": [[1, 2], [3,
     4]], "y": [5, 6]}, ""),
    ("images.npy and labels.npy", {"images.npy": npy(numpy.array([[1], [2]])), "labels.npy": npy(numpy.array([0, 1]))}, {"x": [[1],
     [2]], "y": [0, 1]}, ""),
    ("labels only", {"t10k-labels-idx1-ubyte.gz": PACKED["t10k-labels-idx1-ubyte.gz"]}, None,
     "t10k-images-idx3-ubyte.gz cannot be read"),
    ("nothing", {}, None, "t10k-images-idx3-ubyte.gz cannot be read"),
    ("a .DS_Store only", {".DS_Store": b"\0"}, None,
     "t10k-images-idx3-ubyte.gz cannot be read"),
    ("train and test", {"train.csv": CSV, "test.csv": CSV, "sample_submission.csv": CSV}, None,
     "sample_submission.csv, test.csv, train.csv: name one of them"),
    ("two shards", {"x.tfrecord-00000-of-00002": RECORDS, "x.tfrecord-00001-of-00002": RECORDS}, None, "name one of them"),
    ("pictures by classes", {"cats/1.jpg": b"\xff\xd8", "cats/2.jpg": b"\xff\xd8", "dogs/1.png": b"\x89PNG"}, None,
     "a folder for each class (cats, dogs)"),
    ("pictures by classes in a folder", {"test/cats/1.jpg": b"\xff\xd8", "test/dogs/1.png": b"\x89PNG"}, None,
     "a folder for each class (cats, dogs)"),
    ("pictures", {"1.png": b"\x89PNG", "2.PNG": b"\x89PNG"}, None, "which holds pictures: read them"),
    ("too deep", {"a/b/c/d/e/x.csv": CSV}, None, "t10k-images-idx3-ubyte.gz cannot be read"),
)]

ALL = [*GZIP, *STRANGERS, *DELIMITERS, *LINES, *ENCODINGS, *HEADERS, *TYPES, *JSON, *ARRAYS, *RECORD_FILES, *FOLDERS]
