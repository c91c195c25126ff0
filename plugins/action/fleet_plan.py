# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import dataclasses
from pathlib import Path

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_chart
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import clusters, json_file, plan, snapshot, table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.wanted import Fleet


class ActionModule(ControllerAction):
    SPEC = {
        **specs.API,
        "chart": {"type": "path", "required": True},
        "published": {"type": "dict"},
        "file": {"type": "path"},
    }
    NEEDS = ("kubernetes", "google.protobuf", "yaml")
    OF_ONE_MODEL = False

    def act(self, options: Options) -> Answer:
        hostvars = self.task_vars["hostvars"]
        fleet = Fleet(self.task_vars["ansible_play_hosts_all"], hostvars, self._loader)
        others = Fleet(sorted(set(self.task_vars["groups"].get("models", ())) - set(fleet.hosts)), hostvars, self._loader)
        records, wrong = fleet.records()
        chart = helm_chart.read(Path(options["chart"]))
        published = options["published"] or {}
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
        answer = {
            "models": {row.model: {key: value for key, value in dataclasses.asdict(row).items() if key != "model"} for row in rows},
            "unmanaged": unmanaged,
            "differing": [row.model for row in rows if row.action != plan.NONE],
            "summary": table.summary(rows, unmanaged),
            "table": table.table(rows, unmanaged),
        }
        if options["file"]:
            json_file.write(options["file"], "plan", {key: answer[key] for key in ("models", "unmanaged", "summary")})
        return answer
