# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages, from the templates beside this file."""
from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.words import shown

TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, **values: Any) -> str:
    return _environment().get_template(template + ".html.j2").render(**values)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
    )
    environment.filters["shown"] = shown
    return environment


def markup(text: str) -> Markup:
    """Text that needs no escaping: it was made by us or, escaped, by matplotlib."""
    return Markup(text)
