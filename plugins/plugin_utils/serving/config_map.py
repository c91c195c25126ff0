# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ConfigMap with the model config, which servers read when they start, and what else is kept beside a release."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object, explained, send
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import Item, sync
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import model_config
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import CHART, object_names

ANNOTATION = "mlops.tf-serving/model-config"


class ConfigMap:
    """The file that servers read when they start."""

    def __init__(self, api_client: Any, namespace: str, release: str) -> None:
        self.namespace, self.release = namespace, release
        self.item = Item(api_client, "v1", "ConfigMap", object_names(release)["model_config"], namespace)
        self._version: str | None = None

    def __str__(self) -> str:
        return str(self.item)

    def read(self) -> str | None:
        """Its text, None where it does not exist."""
        there = self.item.read()
        self._version = None if there is None else there["metadata"]["resourceVersion"]
        return None if there is None else model_config.text_of(there)

    def fields(self, text: str) -> Object:
        labels = {"app.kubernetes.io/name": CHART, "app.kubernetes.io/instance": self.release}
        return {"metadata": {"labels": labels}, "data": {model_config.KEY: text}}

    def write(self, text: str) -> None:
        """Refused if somebody else wrote it since it was read: two promotions at once would undo each other."""
        try:
            if self._version is None:
                written = self.item.create(self.fields(text))
            else:
                written = self.item.patch({
                    "metadata": {"resourceVersion": self._version}, "data": {model_config.KEY: text},
                })
        except Error as error:
            if error.code != "conflict":
                raise
            raise Error(
                "%s (somebody else changed it meanwhile: run again)" % error.message, error.code, **error.details
            ) from error
        self._version = written["metadata"]["resourceVersion"]

    def freshen(self, pods: Mapping[str, Object], text: str, written: bool) -> None:
        """Have kubelet renew the file in the pods now, which it does when their annotations change, else within minutes."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        for name, pod in pods.items():
            noted = (pod["metadata"].get("annotations") or {}).get(ANNOTATION)
            if noted == digest or not (noted or written):
                continue
            try:
                with explained("annotate the pod %s" % name):
                    send(
                        self.item.api_client, "PATCH", "/api/v1/namespaces/%s/pods/%s" % (self.namespace, name),
                        {"metadata": {"annotations": {ANNOTATION: digest}}},
                    )
            except Error as error:
                if error.code != "not_found":
                    raise

    def pinned(self, model_name: str) -> dict[str, Any] | None:
        """{stable, canary, versions, problem}; None where there is no ConfigMap: servers take the highest version."""
        text = self.read()
        if text is None:
            return None
        try:
            config = model_config.from_text(text, model_config.Model(model_name, None))
        except Error as error:
            return {"stable": None, "canary": None, "versions": [], "problem": error.message}
        return {"stable": config.stable, "canary": config.canary, "versions": list(config.versions), "problem": None}

    def forget(self, checks: bool, check_mode: bool) -> dict[str, Any]:
        """The module's answer to state absent: the ConfigMap goes, with `checks` also the results of the inference check."""
        items = [self.item]
        if checks:
            items.append(Item(
                self.item.api_client, "v1", "ConfigMap", object_names(self.release)["check"], self.namespace,
            ))
        gone = [(item, sync(item, lambda there: (there or {}, {}), check_mode)) for item in items]
        return {
            "changed": any(outcome.changed for _item, outcome in gone),
            "diff": [
                text_diff("%s %s" % (item, key), text, "")
                for item, outcome in gone for key, text in sorted((outcome.before.get("data") or {}).items())
            ],
        }


def text_diff(title: str, before: str, after: str) -> dict[str, str]:
    return {"before": before, "after": after, "before_header": title, "after_header": title}
