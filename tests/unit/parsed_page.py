"""A page of the report, taken apart."""
from __future__ import annotations

import collections
import html.parser

# A page may only hold these; whatever else shows up came from somebody's label.
VOID = {"meta", "link", "img", "br", "path", "use", "image", "rect"}


class Page(html.parser.HTMLParser):
    """A page's tags, attributes and texts, checked for being well formed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.ids, self.open, self.headings, self.text = collections.Counter(), [], [], [], [], ""
        self.feed(text)
        self.close()
        assert not self.open
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, *attribute) for attribute in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.text += " " + data.strip()
            if {"h1", "h2", "h3"} & set(self.open):
                self.headings[-1] += data

    @property
    def words(self):
        return " ".join(self.text.split())

    def values(self, tag, name):
        return [value for one, attribute, value in self.attributes if (one, attribute) == (tag, name)]
