# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people have instead of a file with test data, each with the way to one."""
from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed

AS_ARRAYS = 'save it with numpy.savez("test.npz", images=x, labels=y)'
PICTURE = "a picture, not a table of them: read all of them into an array, and " + AS_ARRAYS
WORKBOOK = "an Excel workbook, whatever its name is: save the sheet as CSV UTF-8"

# (what is at the start, what that is); the first that fits.
MAGICS: tuple[tuple[bytes, str], ...] = (
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras, pandas): " + AS_ARRAYS),
    (rb"\x80[\x02-\x05]", "a Python pickle, which is never opened, for it runs what is in it: " + AS_ARRAYS),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", WORKBOOK + ", or if it is a Word document, its table"),
    (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|BM.{4}\0\0\0\0|RIFF.{4}WEBP|II\*\0|MM\0\*", PICTURE),
    (rb"%PDF-", "a PDF document: the data have to be a file of their own"),
    (rb"ARROW1|FEA1", "an Arrow or Feather file: save it as .csv, .npz or Parquet"),
    (rb"ORC", "an ORC file: save it as .csv, .npz or Parquet"),
    (rb"SQLite format 3\0", "an SQLite database: save its table as .csv"),
    (rb"MATLAB [57]\.", "a MATLAB file: read it with scipy.io.loadmat, and " + AS_ARRAYS),
    (rb"\x28\xb5\x2f\xfd", "packed with Zstandard: unpack it, or use gzip"),
    (rb"7z\xbc\xaf\x27\x1c|Rar!", "a 7z or RAR archive: unpack it"),
    (rb"x[\x01\x9c\xda]", "packed with zlib: write it with gzip, or not packed (TFRecordOptions of TensorFlow: GZIP)"),
    (rb"RD[XA][23]\n", "R's own format: save it with write.csv(x, row.names = FALSE)"),
    (rb"\x1f\x9d|\x04\x22\x4d\x18", "packed with compress or LZ4: unpack it, or use gzip"),
    (rb"(\s|%[^\n]*\n)*@(?i:relation)\b", "an ARFF file (Weka): save it as .csv"),
    (rb".{257}ustar", "a tar archive: unpack it, and name one file of it"),
)
CIFAR_RECORD = 1 + 3 * 32 * 32


def refuse(head: bytes) -> None:
    """Malformed where the first bytes of a file are those of a format that is not read here."""
    for magic, what in MAGICS:
        if re.match(magic, head, re.DOTALL):
            raise Malformed("this is " + what)
    labels = head[::CIFAR_RECORD]
    if len(labels) > 1 and max(labels) < 10 and sum(byte > 0x7E for byte in head) > 300:
        raise Malformed("this looks like CIFAR-10's binary version, records of 3073 bytes: read it into an array, and " + AS_ARRAYS)


def refuse_text(line: str) -> None:
    """line: the first with anything in it."""
    text = line.lstrip("\ufeff \t\r\n")
    if re.match(r"version https://git-lfs\.github\.com/", text):
        raise Malformed("this is a Git LFS pointer, the data are elsewhere: git lfs pull, and use what is there then")
    if re.match(r"<(!doctype|html|head|body|!--|script|meta)\b", text, re.IGNORECASE) or text.startswith("<!--"):
        raise Malformed(
            "this is a web page, which servers give to who is not logged in: use a link to the file itself, or a local copy")
    if re.match(r"<\?xml|<[A-Za-z]\w*[\s/>]", text):
        raise Malformed("this is XML: an answer of a store that has no such file or wants a key, or a document; use CSV or JSON")
    if re.match(r"[+-]?[0-9.]+(\s+[0-9]+:[-+.0-9eE]+)+\s*$", text):
        raise Malformed("this is a LIBSVM file: read it with sklearn.datasets.load_svmlight_file, and " + AS_ARRAYS)


def refuse_zip(names: Sequence[str]) -> None:
    """names: of the files in a zip."""
    if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
        raise Malformed("this is " + WORKBOOK)
    if "mimetype" in names and "content.xml" in names:
        raise Malformed("this is an OpenDocument file, whatever its name is: save the sheet as CSV UTF-8")
    if "saved_model.pb" in {name.rsplit("/", 1)[-1] for name in names} or "model.weights.h5" in names:
        raise Malformed("this is a model, not test data")
