"""The progress of a check is shown while its module runs."""
from __future__ import annotations

import os
import types

import pytest

from ansible_collections.mlops.tf_serving.plugins.action import inference_check


class Action(inference_check.ActionModule):
    """The plugin with a module that appends to its progress file."""

    def __init__(self, transport="local", become=None, async_val=0, **arguments):
        self._task = types.SimpleNamespace(args=arguments, async_val=async_val, check_mode=False, diff=False, delegate_to=None)
        self._connection = types.SimpleNamespace(
            transport=transport, become=become, _shell=types.SimpleNamespace(tmpdir=None))
        self.asked = None

    def _execute_module(self, module_name=None, module_args=None, task_vars=None, wrap_async=False):
        self.asked = module_args
        if "progress" in module_args and os.path.exists(module_args["progress"]):
            for text in ("100 of 600 tests", ", 50 per second\n200 of 600", " tests, 50 per second\n"):
                with open(module_args["progress"], "a", encoding="utf-8") as file:
                    file.write(text)
            if module_args.get("model_name") == "broken":
                raise RuntimeError("killed")
        return {"changed": False}


@pytest.fixture
def shown(monkeypatch):
    lines = []
    monkeypatch.setattr(inference_check, "Display", lambda: types.SimpleNamespace(display=lines.append))
    monkeypatch.setattr(inference_check, "PAUSE", 0.01)
    return lines


def test_lines_are_shown(shown):
    action = Action(model_name="mnist")
    assert action.run(task_vars={"inventory_hostname": "mnist"}) == {"changed": False}
    assert shown == ["mnist: 100 of 600 tests, 50 per second", "mnist: 200 of 600 tests, 50 per second"]
    assert action.asked["model_name"] == "mnist" and not os.path.exists(action.asked["progress"])


def test_the_file_goes_whatever_happens(shown):
    action = Action(model_name="broken")
    with pytest.raises(RuntimeError):
        action.run(task_vars={"inventory_hostname": "mnist"})
    assert len(shown) == 2 and not os.path.exists(action.asked["progress"])


@pytest.mark.parametrize("options", [
    {"transport": "ssh"}, {"become": object()}, {"async_val": 60}, {"progress": "/nowhere/of/mine"},
])
def test_where_there_is_nothing_to_follow(shown, options):
    action = Action(model_name="mnist", **options)
    assert action.run(task_vars={}) == {"changed": False} and shown == []
    assert action.asked.get("progress") == options.get("progress")
