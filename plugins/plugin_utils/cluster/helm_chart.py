# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is the chart in a folder the one that a release was made of? Helm's own record has all of that chart.

Its name and version do not tell: a chart that is worked on would never get to the cluster.
"""
from __future__ import annotations

import base64
import fnmatch
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a tenth of the CPU
Chart = dict[str, Any]  # name, version, templates ({name: bytes}), values, schema (bytes)


def differences(chart: Chart, recorded: dict[str, Any]) -> list[str]:
    """What is another one in Helm's record, as words: chart_name, chart_version, chart_templates, chart_values, chart_schema."""
    there = of_record(recorded)
    return ["chart_" + part for part in chart if chart[part] != there[part]]


def read(folder: Path) -> Chart:
    try:
        metadata = _yaml(folder / "Chart.yaml")
        schema = folder / "values.schema.json"
        return {
            "name": metadata.get("name"),
            "version": metadata.get("version"),
            "templates": _templates(folder),
            "values": _yaml(folder / "values.yaml") if (folder / "values.yaml").exists() else {},
            "schema": schema.read_bytes() if schema.exists() else b"",
        }
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise Error("%s cannot be read as a Helm chart: %s." % (folder, error), "chart_unreadable") from error


def of_record(recorded: dict[str, Any]) -> Chart:
    """The same of a release's chart, as Helm writes it."""
    metadata = recorded.get("metadata") or {}
    return {
        "name": metadata.get("name"),
        "version": metadata.get("version"),
        "templates": {
            template["name"]: base64.b64decode(template.get("data") or "") for template in recorded.get("templates") or ()
        },
        "values": recorded.get("values") or {},
        "schema": base64.b64decode(recorded.get("schema") or ""),
    }


def merged(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """What the templates get: the chart's values, and over them those of the release."""
    both = {**defaults, **values}
    return {
        key: merged(defaults[key], value) if isinstance(value, dict) and isinstance(defaults.get(key), dict) else value
        for key, value in both.items()
    }


def _yaml(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.load(path.read_bytes(), Loader=LOADER) or {}
    return data


def _templates(folder: Path) -> dict[str, bytes]:
    ignored = [".*", *_ignored(folder / ".helmignore")]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / "templates").rglob("*"))
        if path.is_file() and not any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored)
    }


def _ignored(path: Path) -> list[str]:
    """Patterns of file names. Of what else may stand there, the worst is that Helm runs once more than it has to."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith(("#", "!"))]
