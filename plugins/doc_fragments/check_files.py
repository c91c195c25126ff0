# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    """One to one with FILES in plugin_utils/check/options.py."""

    DOCUMENTATION = """
options:
  dataset:
    description:
      - Path on this host or http(s) URL of a folder with the files C(t10k-images-idx3-ubyte.gz) and
        C(t10k-labels-idx1-ubyte.gz), or others like them, which become the columns C(images) and C(labels).
      - Or of one file, npz, npy, CSV, JSON lines, JSON, TFRecord (of tf.Example), IDX or Parquet (which takes pyarrow), each maybe
        packed with gzip. What the file holds counts, not its name.
      - Or a mapping of columns to files with one array each, or with columns of numbers, which are put side by side.
    type: raw
    required: true
  dataset_checksum:
    description: Checksums of the files as they are on the server, as C(sha256:HEX) by file name.
    type: dict
    default: {}
  dataset_timeout:
    description: Seconds for the download of each file.
    type: int
    default: 60
  tests:
    description:
      - Number of tests that every replica is asked, from the start of the dataset. Left out, 1000, or all if there are fewer.
    type: int
  golden:
    description:
      - Path on this host or http(s) URL of a golden file, made with O(record). The answers are compared with those of the
        version that was trusted then.
    type: str
  record:
    description:
      - Path (.npz) of a golden file to write, from the answers of one server, instead of judging them.
      - A file that holds the same answers already is not changed.
    type: path
  record_missing:
    description:
      - Whether O(golden), where that file is not there yet, is recorded from what answers now, instead of a failure. Where the
        dataset has labels, the answers are judged by those, and recorded if they pass; without labels nothing is compared.
      - A file that is there is compared with, and never written over.
    type: bool
    default: false
  report:
    description:
      - Path of a report for people on this host, one HTML file that needs nothing else.
      - A path that ends in C(/) is a folder, which gets C(MODEL.html) and an index of all reports in it.
    type: str
notes:
  - Relative paths begin at the folder of the playbook that is run; that of O(dataset) has to be absolute.
"""
