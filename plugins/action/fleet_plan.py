# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_chart
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import clusters, json_file, nas, plan, snapshot, table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.wanted import Fleet
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.values import Unfit, Whole, blank


class ActionModule(ControllerAction):
    SPEC = {
        **specs.API,
        "chart": {"type": "path", "required": True},
        "looks": {"type": "list", "elements": "dict"},
        "file": {"type": "path"},
        "first": {"type": "raw"},
        "max_failures": {"type": "raw"},
    }
    NEEDS = ("kubernetes", "google.protobuf", "yaml")
    OF_ONE_MODEL = False

    def act(self, options: Options) -> Answer:
        first = _whole("fleet_first", options["first"], 1)
        max_failures = _whole("fleet_max_failures", options["max_failures"], 0)
        hostvars = self.task_vars["hostvars"]
        models = self.task_vars["groups"].get("models", ())
        # Without the nodes that were made known in this play, which then count as hosts of it.
        fleet = Fleet([host for host in self.task_vars["ansible_play_hosts_all"] if host in models], hostvars, self._loader)
        others = Fleet(sorted(set(models) - set(fleet.hosts)), hostvars, self._loader)
        records, wrong = fleet.records()
        chart = helm_chart.read(Path(options["chart"]))
        published = nas.answers(options["looks"] or ())
        rows = [plan.Row(model, action=plan.WRONG, changes=[error.message]) for model, error in wrong.items()]
        unmanaged: list[str] = []
        elsewhere = clusters.by_cluster(others, others.hosts)
        for found in clusters.reached(fleet, records, options):
            if found.error:
                rows += [plan.Row(model, action=plan.WRONG, changes=[found.error.message]) for model in found.models]
                continue
            seen = snapshot.remember(found.api_client)
            its = [plan.row(found.api_client, model, records[model], chart, published.get(model)) for model in found.models]
            rows += its
            known = others.releases(elsewhere.get(found.cluster, ())) | fleet.releases(wrong)
            unmanaged += plan.unmanaged(seen.seen("deployments"), its, known)
        place = {host: number for number, host in enumerate(fleet.hosts)}
        rows.sort(key=lambda row: place[row.model])
        run, check = plan.chosen(rows, self.task_vars.get("ansible_limit") or "", self.task_vars.get("ansible_run_tags") or ("all",))
        one = [row.model for row in rows if row.model not in run] if len(rows) == 1 else []  # which is shown, also if nothing is asked
        answer = {
            "models": {row.model: _shown(row) for row in rows},
            "known": {row.model: row.known for row in rows if row.known},
            "unmanaged": unmanaged,
            "differing": [row.model for row in rows if row.action != plan.NONE],
            "to_run": run,
            "to_check": check + [model for model in one if model not in check],
            "due": check,
            "shown": one,
            "serial": ["100%"] if first is None else [first, "100%"],
            "max_failures": len(rows) if max_failures is None else max_failures,
            "summary": table.summary(rows, unmanaged),
            "table": table.table(rows, unmanaged),
            "differences": table.table(rows, unmanaged, with_unchanged=False),
        }
        if options["file"]:
            json_file.write(options["file"], "plan", {key: answer[key] for key in ("models", "unmanaged", "summary")}, self.warn)
        return answer


def _whole(name: str, value: Any, least: int) -> int | None:
    """A variable of the play that nobody has to set."""
    if blank(value):
        return None
    try:
        return Whole(least).read(value)
    except Unfit as error:
        raise Error("%s is %r: %s." % (name, value, error), "number_invalid", variable=name) from error


def _shown(row: plan.Row) -> Answer:
    return {key: value for key, value in vars(row).items() if key not in ("model", "known")}
