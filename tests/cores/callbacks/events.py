"""Writes what each task said to the file $EVENTS, a line of JSON each."""
from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: events
type: notification
short_description: What each task said
description: A line of JSON for each result, in the file that the environment variable EVENTS names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "events"

    def note(self, kind, result, ignored=False):
        # 2.19 made these public and will take the old names away.
        said, host, task = (getattr(result, name, None) or getattr(result, "_" + name) for name in ("result", "host", "task"))
        with open(os.environ["EVENTS"], "a", encoding="utf-8") as events:
            print(json.dumps({"kind": kind, "host": host.get_name(), "task": task.get_name().strip(), "ignored": ignored, "said": said},
                             default=str), file=events)

    def v2_runner_on_ok(self, result):
        self.note("ok", result)

    def v2_runner_on_skipped(self, result):
        self.note("skipped", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.note("failed", result, ignore_errors)

    def v2_runner_on_unreachable(self, result):
        self.note("unreachable", result)
