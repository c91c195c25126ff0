# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one base of every error that this collection raises on purpose."""

from typing import Any, Dict

from ansible_collections.mlops.tf_serving.plugins.module_utils.sentences import stopped_once


class Error(Exception):
    """Something a person can act on.

    message: one sentence that names the variable or object, the value found, and the way out.
    code: a stable snake_case word for programs (rescue blocks, tests).
    details: what was measured or read, as plain data.
    """

    def __init__(self, message: str, code: str = "error", **details: Any) -> None:
        self.message = stopped_once(message)
        super().__init__(self.message)
        self.code = code
        self.details = details

    def as_dict(self) -> Dict[str, Any]:
        return {"message": self.message, "code": self.code, "details": self.details}
