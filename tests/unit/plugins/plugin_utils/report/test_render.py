"""The templates: nothing of a value is taken for markup, and a name that is missing is an error."""
from __future__ import annotations

import jinja2
import pytest
from parsed_page import Page

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import render

ROW = {
    "link": "a.html", "model": "<b>", "where": None, "passed": True, "failure": "", "version": 1, "error_rate": "1.0%",
    "interval": "-", "agreement": "-", "at": "2026", "when": "now", "p50": "1", "p99": "2",
}


def test_values_are_escaped_and_markup_is_not():
    text = render.render("index", title="<i>", summary=None, rows=[ROW], failed=0)
    assert "&lt;i&gt;" in text and "<b>" not in text and "<i>" not in text and str(render.markup("<i>")) == "<i>"
    page = Page(text)
    assert page.headings == ["✓ <i>"] and "meta" in page.tags and not page.values("meta", "inference-check")
    assert "\n\n\n" not in text, "tags of the template leave no empty lines"


def test_the_style_is_in_the_page_and_the_page_is_whole():
    text = render.render("index", title="t", summary='{"a": 1}', rows=[], failed=0)
    assert text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>") and "--accent: #2a6db0" in text
    assert 'name="inference-check" content="{&#34;a&#34;: 1}"' in text


def test_what_is_not_given_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        render.render("index", title="t", summary=None, rows=[{**ROW, "failure": 1} | {}, {}], failed=0)


def test_templates_are_read_once():
    assert render._environment() is render._environment()
    assert {path.name for path in render.TEMPLATES.iterdir()} == {
        "layout.html.j2", "macros.html.j2", "report.html.j2", "index.html.j2", "style.css"}


def test_templates_have_classes_in_short():
    assert render._environment().from_string("{{ value | shown }}").render(value=70 * "<") == 59 * "&lt;" + "…"
