"""Coverage-guided fuzzing of what reads other people's files: `fuzz.py TARGET SECONDS [MEGABYTES]`; `make fuzz` runs all targets.

A reader may refuse with one of our own errors and nothing else, within its memory and within five seconds. It runs under atheris
(`make fuzz` puts that into an environment of its own), and begins with good files, which it changes where that leads to lines that
were not run before. What makes a reader fail is kept as fuzz-TARGET-crash-... in the folder for temporary files.
"""
from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import types
from pathlib import Path

import fuzz_datasets

ROOT = Path(__file__).resolve().parents[1]
SLOWEST = 5  # seconds for one input
LONGEST = 1 << 16  # bytes of one input


def _savedmodel(folder):
    from saved_models import saved_model

    from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import savedmodel

    def read(data):
        savedmodel.check_callable(savedmodel.parse(data)["signatures"], (1, 4))

    return read, [saved_model(), saved_model(assets=["a"], function_ops=["Const"]), saved_model(old_assets=["a"])]


def _index(folder):
    from saved_models import index

    from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import checkpoint

    checkpoint.SUMMED = 0  # no change would come behind the sums

    def read(data):
        with contextlib.suppress(checkpoint.Compressed):
            checkpoint.read(data)

    return read, [index({}), index({"w": b"weights", "b": b"x" * 400}), index({"w%d" % number: b"12" for number in range(99)}, shards=2)]


def _version(folder):
    """A whole version: the length of the model in two bytes, the model, and its index."""
    from saved_models import index, saved_model

    from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import savedmodel

    (folder / "variables").mkdir()
    (folder / "variables/variables.data-00000-of-00001").write_bytes(b"weights")

    def read(data):
        end = 2 + int.from_bytes(data[:2], "little")
        (folder / "saved_model.pb").write_bytes(data[2:end])
        (folder / "variables/variables.index").write_bytes(data[end:])
        savedmodel.inspect(str(folder))

    model = saved_model()
    return read, [len(model).to_bytes(2, "little") + model + index({"w": b"weights"})]


def _foreign(folder):
    """Whatever is packed in place of a model: the first byte chooses its name."""
    from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import foreign

    names = ["model.json", "model.h5", "model.pb", "model.index", "saved_model.pbtxt", "data.pkl", "model.onnx"]

    def read(data):
        place = folder / names[data[0] % len(names) if data else 0]
        place.write_bytes(data[1:])
        foreign.way_out(str(place), place.name)
        place.unlink()

    return read, [b'\0{"modelTopology": {}, "weightsManifest": []}', b"\1\x89HDF\r\n\x1a\n", b"\2\x0a\x10\x0a\1x\x12\x0bPlaceholder"]


def _warmup(folder):
    """What is in one record."""
    from saved_models import field

    from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import warmup

    return warmup.signature_names, [
        field(6, field(1, field(1, field(1, "m") + field(3, "s")))), field(4, field(1, field(1, field(1, field(3, "s")))))]


# Each makes (a function of bytes, good inputs); the folder is for its files. It imports what it reads with itself, under atheris.
TARGETS = {
    "savedmodel": _savedmodel,
    "index": _index,
    "version": _version,
    "foreign": _foreign,
    "warmup": _warmup,
    **fuzz_datasets.TARGETS,
}


def _be_importable():
    """This tree as ansible_collections.mlops.tf_serving, without ansible."""
    for name, paths in (("", []), (".mlops", []), (".mlops.tf_serving", [str(ROOT)])):
        package = types.ModuleType("ansible_collections" + name)
        package.__path__ = paths
        sys.modules[package.__name__] = package
    sys.path.insert(0, str(ROOT / "tests" / "unit"))


def fuzz(name, seconds, limit, folder):
    import atheris

    _be_importable()
    work, corpus = folder / "work", folder / "corpus"
    work.mkdir()
    corpus.mkdir()
    with atheris.instrument_imports(include=["ansible_collections"]):
        from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
        from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed

        read, seeds = TARGETS[name](work)

    def once(data):
        with contextlib.suppress(Error, Malformed):
            read(data)

    for number, seed in enumerate(seeds):
        read(seed)  # what is good is taken
        (corpus / str(number)).write_bytes(seed)
    atheris.Setup([
        sys.argv[0], str(corpus), "-max_total_time=%d" % seconds, "-rss_limit_mb=%d" % limit, "-timeout=%d" % SLOWEST,
        "-max_len=%d" % LONGEST, "-print_final_stats=1", "-verbosity=0",
        "-artifact_prefix=%s" % os.path.join(tempfile.gettempdir(), "fuzz-%s-" % name),
    ], once)
    atheris.Fuzz()


def main(name, seconds, limit=512):
    """In a child, for atheris ends the process."""
    with tempfile.TemporaryDirectory() as folder:
        child = os.fork()
        if not child:
            fuzz(name, int(seconds), int(limit), Path(folder))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("%s\nTargets: %s" % (__doc__, " ".join(TARGETS)))
    sys.exit(main(*sys.argv[1:]))
