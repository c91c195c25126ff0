# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import clusters, json_file, snapshot, status, status_table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.wanted import Fleet


class ActionModule(ControllerAction):
    SPEC = {**specs.API, "file": {"type": "path"}}
    NEEDS = ("kubernetes", "google.protobuf", "yaml")
    OF_ONE_MODEL = False

    def act(self, options: Options) -> Answer:
        fleet = Fleet(self.task_vars["ansible_play_hosts_all"], self.task_vars["hostvars"], self._loader)
        rows: list[status.Row] = []
        now = datetime.now(timezone.utc)
        for found in clusters.reached(fleet, fleet.hosts, options):
            seen = snapshot.remember(found.api_client) if found.api_client else None
            rows += [_row(found, fleet, model) for model in found.models]
            now = _now(seen) if seen else now
        answer = {
            "models": {row.model: {key: value for key, value in vars(row).items() if key != "model"} for row in rows},
            "sick": [row.model for row in rows if row.sick],
            "summary": status_table.summary(rows),
            "table": status_table.table(rows, now),
        }
        if options["file"]:
            json_file.write(options["file"], "status", {key: answer[key] for key in ("models", "sick", "summary")}, self.warn)
        return answer


def _row(found: clusters.Found, fleet: Fleet, model: str) -> status.Row:
    try:
        values = fleet.named(model, status.NAMES)
    except Error as error:
        return status.Row(model, sick=[error.message])
    return status.Row(model, sick=[found.error.message]) if found.error else status.row(found.api_client, model, values)


def _now(seen: snapshot.Snapshot) -> datetime:
    """By the API server's clock, so that a wrong one on the controller does not matter."""
    date = seen.date.get("Date")
    return parsedate_to_datetime(date) if date else datetime.now(timezone.utc)
