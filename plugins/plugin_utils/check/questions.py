# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One dataset, put to several servers: the requests and the answers that are expected, which all of them share."""
from __future__ import annotations

import datetime
import threading
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import answers, request_plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.dataset import Dataset
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.history import AT
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.request_plan import Plan

Options = dict[str, Any]


class Questions:
    """golden: the recorded answers or None. expected: None where answers are recorded, not judged. at: when it began."""

    def __init__(self, options: Options, dataset: Dataset):
        self.options, self.dataset, self.tests = options, dataset, dataset.tests
        self.golden = answers.read_golden(options, dataset)
        labels = request_plan.labels_column(options, dataset)
        if labels is None and self.golden is None and not options["record"]:
            raise Error(
                "The dataset %s has no labels (columns: %s)%s, so there is nothing to compare with: name a column with"
                " check_labels; or set check_golden to a path, and check_record: true, and the first check records there what the"
                " version that serves answers, for the later ones to compare with."
                % (dataset.location, ", ".join(sorted(dataset.columns)), _hints(dataset)), "labels_missing",
            )
        only_recorded = options["record"] and (labels is None or not options["record_missing"])
        self.expected = None if only_recorded else answers.Expected(
            None if labels is None else dataset.as_numbers(labels), self.golden, options["tolerance"],
            None if labels is None else dataset.as_text(labels),
        )
        self.remarks = [*dataset.remarks, *_said_of_labels(dataset, labels, options["tolerance"])]
        self.at = datetime.datetime.now(datetime.timezone.utc).strftime(AT)
        self._requests: dict[tuple[Any, int, int | None], list[Any]] = {}
        self._lock = threading.Lock()

    def fit(self, plan: Plan) -> None:
        """Error where what is expected is nothing that is answered to such a plan."""
        answers.fits(self.golden, plan)
        if self.expected:
            self.expected.fit(plan)

    def requests(self, plan: Any, batch: int, most: int | None = None) -> list[Any]:
        """Serialised once, for servers that want the same (as a rule all of them)."""
        with self._lock:
            key = plan, batch, most
            if key not in self._requests:
                self._requests[key] = request_plan.requests(plan, self.dataset, batch, most)
            return self._requests[key]


def _hints(dataset: Dataset) -> str:
    """What may help to find the labels."""
    hot = answers.one_hot_columns(dataset.columns)
    one_hot = "%s and %s are one-hot: make one column of class numbers of them" % (", ".join(hot[:-1]), hot[-1]) if hot else ""
    return "".join("; " + hint for hint in (*dataset.remarks, one_hot) if hint)


def _said_of_labels(dataset: Dataset, labels: str | None, tolerance: float | None) -> list[str]:
    column = None if labels is None else dataset.columns[labels]
    if column is None or tolerance is not None or column.ndim != 2 or column.shape[1] < 2:
        return []
    return ["the labels in the column %s are one-hot %s: the place of the 1, from 0, is the class" % (labels, list(column.shape))]
