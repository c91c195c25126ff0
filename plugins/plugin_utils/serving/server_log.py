# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the log of tensorflow_model_server says, from 1.4 to 2.x. Line numbers differ by release: only text is matched."""
from __future__ import annotations

import re
from typing import Any, NamedTuple

LOADED = re.compile(r"Successfully loaded servable version \{name: (.+?) version: (\d+)\}")
UNLOADED = re.compile(r"(?<!Done )\b[Uu]nloading servable version \{name: (.+?) version: (\d+)\}")
LOADING = re.compile(r"\bLoading servable version \{name: (.+?) version: \d+\}")
# In the words of several releases. A server tries again, by default five times, each a minute later.
FAILED = re.compile(
    r"(?:Loading servable: |Servable:? |Encountered an error for servable version )\{name: (.+?) version: (\d+)\}"
    r"(?: failed| load failure| cannot be loaded)?: (.+)"
)
# A base path that is there and empty, or not there at all: said at every look, each second.
NO_VERSION = re.compile(r"(?:No versions of servable .+? found under|Could not find) base path .+")
RUNNING = re.compile(r"Running (?:gRPC )?ModelServer at ")
UNKNOWN_ARGUMENT = re.compile(r"^\s*unknown argument:?\s*(\S+)", re.IGNORECASE)
# 1.4: Creating TensorFlow device (/device:GPU:0) -> (device: 0, name: Tesla K80, pci bus id: ...
# later: Created TensorFlow device (/job:localhost/.../device:GPU:0 with 10 MB memory) -> physical GPU (device: 0, name: ...
# 2.x: Created device /job:localhost/.../device:GPU:0 with 10 MB memory:  -> device: 0, name: ...
GPU_DEVICE = re.compile(r"Creat(?:ing|ed) (?:TensorFlow )?device \(?/\S*gpu:\d+.*?\bname: ([^,)]+)", re.IGNORECASE)
# Why there is no GPU: the server says one of these and goes on, on the CPU (or, with 1.x and no driver, does not start).
NO_GPU = re.compile(
    r"failed call to cuInit|CUDA_ERROR_NO_DEVICE|libcuda\.so\.1|CUDA driver version is insufficient"
    r"|Could not find cuda drivers|Cannot dlopen some GPU libraries|no NVIDIA GPU device is present"
)

# Errors of a load that another attempt does not cure: what is in the version's folder is not what this server can load.
FINAL = ("NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "DATA_LOSS", "UNIMPLEMENTED", "PERMISSION_DENIED")

# What a log line means for a person: (pattern, sentence with the way out).
MEANINGS = (
    (
        re.compile(r"libcuda\.so\.1"),
        "This is a GPU image on a node without the NVIDIA driver: set gpu to false, which picks serving_image and"
        " asks for no GPU, or let serving_node_selector choose GPU nodes.",
    ),
    (
        UNKNOWN_ARGUMENT,
        "The server does not know this argument: correct serving_args, or use an image that has it.",
    ),
    (
        re.compile(r"Could not find base path|No versions of servable"),
        "The server sees no version of the model: look at serving_mount_path, at the volume's path and at what is"
        " published on the NAS.",
    ),
    (
        re.compile(r"Permission denied", re.IGNORECASE),
        "The server's user may not read this: look at serving_run_as_user (1000 in restricted pods) and at the modes of the published"
        " files, or set serving_pod_security to baseline for the image's own user.",
    ),
    (
        re.compile(r"Read-only file system", re.IGNORECASE),
        "Restricted pods write only to /tmp: have the server write there (serving_args), or set serving_pod_security to baseline.",
    ),
    (
        FAILED,
        "Publish a version that it can load under a new number (playbooks/publish.yml).",
    ),
)


def parse(text: str) -> dict[str, Any]:
    """The facts in a server's log, with the lines that say them."""
    loaded: set[tuple[str, int]] = set()
    lines: list[str] = []
    unknown_arguments: list[str] = []
    gpu_device = gpu_reason = None
    running = seen_load = False
    for line in text.splitlines():
        if match := LOADED.search(line):
            loaded.add((match.group(1), int(match.group(2))))
            seen_load = True
        elif match := UNLOADED.search(line):
            loaded.discard((match.group(1), int(match.group(2))))
        elif match := GPU_DEVICE.search(line):
            gpu_device = gpu_device or match.group(1).strip()
        elif match := UNKNOWN_ARGUMENT.search(line):
            unknown_arguments.append(match.group(1))
        else:
            if NO_GPU.search(line):
                gpu_reason = gpu_reason or line.strip()
            elif RUNNING.search(line):
                running = True
            continue
        lines.append(line.strip())
    return {
        "loaded": [{"name": name, "version": version} for name, version in sorted(loaded)],
        "gpu_device": gpu_device,
        "gpu_reason": gpu_reason,
        "unknown_arguments": unknown_arguments,
        # A log that tells of the open port reaches back to the start, where the GPU lines stand: what it lacks, was not.
        "from_start": running,
        "telling": running or seen_load,
        "lines": lines,
    }


class Standing(NamedTuple):
    """How far a server that does not serve yet has come, by what its log said last."""

    failed: list[tuple[str, int, str]]  # (model, version, error) of each model whose last load did not succeed
    no_version: str  # what it says of a base path without a version, or ''


def standing(text: str) -> Standing:
    failed: dict[str, tuple[int, str]] = {}
    no_version = ""
    for line in text.splitlines():
        if match := LOADING.search(line) or LOADED.search(line):
            failed.pop(match.group(1), None)
            no_version = ""
        elif match := FAILED.search(line):
            failed[match.group(1)] = int(match.group(2)), match.group(3).strip()
        elif match := NO_VERSION.search(line):
            no_version = match.group(0)
    return Standing([(name, *failure) for name, failure in sorted(failed.items())], no_version)


def final(error: str) -> bool:
    """Is it an error of FINAL?"""
    return _code(error) in FINAL


def of_version(error: str) -> bool:
    """Does it say that the version is not what a server can load? Who may read its files is the server's matter."""
    return final(error) and _code(error) != "PERMISSION_DENIED"


def _code(error: str) -> str:
    """A status begins with its code: "Not found: ..." until 2.10 or so, NOT_FOUND: ... since."""
    return error.partition(":")[0].strip().upper().replace(" ", "_")


def meaning(text: str) -> str:
    """The way out that a log points to, or ''."""
    for pattern, sentence in MEANINGS:
        if any(pattern.search(line) for line in text.splitlines()):
            return sentence
    return ""


def tail(text: str, lines: int = 12) -> str:
    """The last lines, for an error message. Of a line that is said again and again, only the last time."""
    kept: list[str] = []
    for line in (line.rstrip() for line in text.splitlines() if line.strip()):
        if kept and _without_numbers(kept[-1]) == _without_numbers(line):
            kept.pop()
        kept.append(line)
    return "\n".join(kept[-lines:])


def _without_numbers(line: str) -> str:
    return re.sub(r"\d+", "", line)
