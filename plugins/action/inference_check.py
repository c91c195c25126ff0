# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows how far a long check is while its module runs.

A module can say nothing before it ends. This one also appends lines to a file; here they are read and shown.
"""
from __future__ import annotations

import os
import tempfile
import threading

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

MODULE = "mlops.tf_serving.inference_check"
PAUSE = 0.5  # seconds between two looks at the file


class ActionModule(ActionBase):
    _supports_async = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        options = dict(self._task.args)
        # The file lies on this host and is this user's; an async task outlives it.
        if (
            self._connection.transport != "local" or self._connection.become or self._task.async_val
            or options.get("progress")
        ):
            return self._module(options, task_vars)
        handle, path = tempfile.mkstemp(prefix="inference_check_")
        os.close(handle)
        try:
            with Follower(path, "%s: " % (task_vars or {}).get("inventory_hostname", "check")):
                result = self._module({**options, "progress": path}, task_vars)
        finally:
            os.unlink(path)
        result.get("invocation", {}).get("module_args", {}).pop("progress", None)
        return result

    def _module(self, options, task_vars):
        return self._execute_module(
            module_name=MODULE, module_args=options, task_vars=task_vars, wrap_async=self._task.async_val,
        )


class Follower:
    """Context manager: shows the lines that are appended to a file meanwhile."""

    def __init__(self, path, prefix):
        self.path, self.prefix = path, prefix
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        self.thread.join()

    def _follow(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            rest = ""
            while True:
                last = self.over.wait(PAUSE)
                *lines, rest = (rest + file.read()).split("\n")
                for line in lines:
                    Display().display(self.prefix + line)
                if last:
                    return
