"""The engine of inference_check again and again in one process: check_client.py FEW MANY REQUESTS, two files of options.

What lies between the two runs is what their difference in requests costs, all that the check does for one counted in: making
it, sending it, reading and judging the answer. Prints {"requests", "seconds", "cpu"} of that difference as JSON, and "rate",
the requests a second that the second run's result tells: of the time in which it was asking. REQUESTS is how many more the
second run sends.
"""
from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mlops.tf_serving.plugins.action.inference_check import ActionModule, write_report
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.run import check
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect


def run(file):
    """(seconds, CPU seconds, result) of a check."""
    start, cpu = time.perf_counter(), time.process_time()
    options = ArgumentSpecValidator(ActionModule.SPEC).validate(json.loads(Path(file).read_text())).validated_parameters
    result = check(options, lambda: connect(options), lambda sentence: None, write_report)
    spent = time.perf_counter() - start, time.process_time() - cpu
    if result["unanswered"]:
        sys.exit(json.dumps(result))
    return *spent, result


def main(few, many, requests):
    run(few)  # what only the first run does
    less, more = run(few), run(many)
    print(json.dumps({
        "requests": int(requests), "seconds": more[0] - less[0], "cpu": more[1] - less[1], "rate": more[2]["rate"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
