"""Runs an action plugin as a worker of ansible-playbook would, without a playbook."""
from __future__ import annotations

import types

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible.template import Templar

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.failures import PLACE, whole


def run_action(plugin, /, task_vars=None, check_mode=False, diff=False, environment=None, async_val=0, **options):
    """What the task answers, all of it. plugin: an action plugin's module. options: the task's."""
    task = types.SimpleNamespace(
        action="mlops.tf_serving." + plugin.__name__.rpartition(".")[2], args=options, async_val=async_val,
        check_mode=check_mode, diff=diff, environment=environment, delegate_to=None, no_log=False, _uuid="0",
    )
    task_vars = {"inventory_hostname": "mnist", **(task_vars or {})}
    loader = DataLoader()
    context = PlayContext()
    connection = connection_loader.get("local", context, "/dev/null")
    action = plugin.ActionModule(task, connection, context, loader, Templar(loader, variables=task_vars), None)
    return everything(action.run(task_vars=task_vars))


def everything(answer):
    """With what of a failure is kept and not printed, as a program would read it."""
    seen = whole(answer)
    if PLACE in seen.get("invocation", {}):
        del seen["invocation"]
    return seen
