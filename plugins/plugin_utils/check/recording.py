# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The answers of a version that is trusted, kept as a golden file."""
from __future__ import annotations

import os
from typing import Any, cast

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import answers
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.marks import Recording
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.questions import Questions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.server import Server


def record(questions: Questions, server: Server, check_mode: bool) -> dict[str, Any]:
    """What the task answers."""
    if server.problem:
        raise Error("Nothing was recorded: %s: %s." % (server.title, server.problem.message), server.problem.code)
    if server.answered < questions.tests:
        raise Error(
            "Nothing was recorded: %s left %d of %d tests without an answer (the first: %s)."
            % (server.title, questions.tests - server.answered, questions.tests, server.errors[0].message),
            "requests_failed",
        )
    raw, path, version = cast(Recording, server.recording).whole(), questions.options["record"], max(server.versions, default=None)
    first = questions.options["record_missing"]
    meta = {
        "model": questions.options["model_name"], "version": version, "signature": server.plan.signature,
        "output": server.plan.output, "dataset": questions.dataset.digest, "tests": questions.tests, "recorded": questions.at,
    }
    changed = not answers.same_golden(path, raw, meta)
    after = "%d answers of %s version %s, output %s %s\n" % (
        questions.tests, meta["model"], "unknown" if version is None else version, server.plan.output, list(raw.shape[1:]))
    before = after if not changed else "other answers\n" if os.path.exists(path) else ""
    if changed and not check_mode:
        answers.write_golden(path, raw, meta, new=first)
    answer = {
        "changed": changed, "message": after.rstrip(), "golden": path, "version": version, "tests": questions.tests,
        "diff": {"before": before, "after": after, "before_header": path, "after_header": path},
    }
    return {**answer, **_said(questions, answer, check_mode)} if first else answer


def _said(questions: Questions, answer: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """What takes the place of a verdict, or follows it."""
    judged = "" if questions.expected else ", nothing was compared"
    message = "%s%s: %s" % ("Would be recorded" if check_mode else "Recorded", judged, answer["message"])
    line = "%s, in %s. The next check compares with them." % (message, answer["golden"])
    return {"recorded": True, "message": message, "summary": [line]}
