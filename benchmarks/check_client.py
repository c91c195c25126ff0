"""The module inference_check again and again in one process: check_client.py FEW MANY REQUESTS, two files of arguments.

What lies between the two runs is what their difference in requests costs, all that the check does for one counted in: making
it, sending it, reading and judging the answer. Prints {"requests", "seconds", "cpu"} of that difference as JSON, and "rate",
the requests a second that the second run's result tells: of the time in which it was asking. REQUESTS is how many more the
second run sends.
"""
from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from pathlib import Path

from ansible.module_utils import basic

from ansible_collections.mlops.tf_serving.plugins.modules import inference_check


def run(file):
    """(seconds, CPU seconds, result) of the module's main()."""
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = Path(file).read_bytes(), "legacy"  # as Ansible hands them over
    start, cpu = time.perf_counter(), time.process_time()
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        inference_check.main()
    spent = time.perf_counter() - start, time.process_time() - cpu
    result = json.loads(output.getvalue())
    if result.get("failed") or result["unanswered"]:
        sys.exit(output.getvalue())
    return *spent, result


def main(few, many, requests):
    run(few)  # what only the first run does
    less, more = run(few), run(many)
    print(json.dumps({
        "requests": int(requests), "seconds": more[0] - less[0], "cpu": more[1] - less[1], "rate": more[2]["rate"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
