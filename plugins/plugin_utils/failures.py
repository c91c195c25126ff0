# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of a failed task is printed, and what is only kept.

Ansible prints all of a failed task's result but its `invocation`, which needs -vvv. A person wants the sentence, programs want
everything: so the sentence, the code and the report's path are left where they are, and the rest is put there. It is in what is
registered and in ansible_failed_result, which whole() reads, and the task shows it with -v.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Answer = dict[str, Any]

PRINTED = ("failed", "changed", "msg", "report", "warnings", "deprecations", "exception")
PLACE = "measured"  # in the invocation


def brief(answer: Mapping[str, Any]) -> Answer:
    """A failed task's answer, printed in a few lines. What is no answer of ours is left as it is."""
    if "failure" not in answer:
        return dict(answer)
    invocation = answer.get("invocation") or {}
    printed = {key: value for key, value in answer.items() if (key in PRINTED and value is not None) or key.startswith("_")}
    rest = {key: value for key, value in answer.items() if key not in printed and key != "invocation"}
    return {**printed, "failure": {"code": answer["failure"]["code"]}, "invocation": {**invocation, PLACE: rest}}


def whole(result: Mapping[str, Any]) -> Answer:
    """A failed task's result as a program wants it: with all that was measured."""
    return {**result, **more(result)}


def more(result: Mapping[str, Any]) -> Answer:
    """What is not printed."""
    return dict((result.get("invocation") or {}).get(PLACE) or {})
