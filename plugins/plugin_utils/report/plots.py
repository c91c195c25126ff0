# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report's plots: drawn by matplotlib, as SVG that takes its colours and its font from the page around it.

matplotlib takes its time, so a check without a report imports nothing of this room.
"""
from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree

IMPORT_ERROR: ImportError | None = None
try:
    import matplotlib
    import numpy
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator
except ImportError as error:
    IMPORT_ERROR = error

# Colours that stand for the page's own: the page has two sets of them, light and dark.
INK, MUTED, LINE, ACCENT, GOOD, BAD = ("#01fe0%d" % number for number in range(1, 7))
SERIES = tuple("#01fe1%d" % number for number in range(6))
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", GOOD: "good", BAD: "bad"}
VARIABLES.update((colour, "s%d" % number) for number, colour in enumerate(SERIES, 1))
MARKERS = "os^Dvp"  # told apart without colour as well
# An image has one set of colours: its shades lie over whatever the page is. These two can be seen on both.
SHADES = {"right": (0.25, 0.56, 0.42), "wrong": (0.87, 0.30, 0.24)}

STYLE: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "inference check", "text.parse_math": False, "font.size": 11,
    "axes.edgecolor": LINE, "axes.labelcolor": MUTED, "text.color": INK,
    "xtick.color": LINE, "ytick.color": LINE, "xtick.labelcolor": MUTED, "ytick.labelcolor": MUTED,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": LINE, "grid.linewidth": 0.6, "legend.frameon": False, "figure.constrained_layout.use": True,
    "axes.unicode_minus": False,
}
NAMES = ("rate", "confusion", "scatter", "latency", "time", "servers", "others")  # of the plots on the page
SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
POINTS, SLICES = 1500, 400  # more points than that are thinned out, to the extremes of so many slices


Rows = Sequence[tuple[Any, ...]]


def drawn(name: str, draw: Callable[..., Any], *arguments: Any) -> str | None:
    """The SVG of what draw(*arguments) makes, None where it makes nothing. name: unlike every other's on the page."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # not what the account's matplotlibrc says
        matplotlib.rcParams.update(STYLE)
        figure = draw(*arguments)
        if figure is None:
            return None
        file = io.BytesIO()
        figure.savefig(file, format="svg", transparent=True)
    return _inlined(file.getvalue(), name)


def _inlined(svg: bytes, name: str) -> str:
    """An SVG file as part of a page: without what only a file needs, ids of its own, and the page's colours."""
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == SVG + "style" or child.tag.endswith("}metadata") or child.tag.endswith("}RDF"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.replace(SVG, "")
        for key, value in list(element.attrib.items()):
            if key == "id":
                value = name + "-" + value
            elif key in ("href", XLINK + "href") and value.startswith("#"):
                del element.attrib[key]
                key, value = "href", "#%s-%s" % (name, value[1:])
            elif key == XLINK + "href":  # the picture in an image
                del element.attrib[key]
                key = "href"
            elif "url(#" in value:
                value = value.replace("url(#", "url(#%s-" % name)
            elif key == "style":
                for colour, variable in VARIABLES.items():
                    value = value.replace(colour, "var(--%s)" % variable)
            element.set(key, value)
    width = float(root.attrib.pop("width")[:-2])
    del root.attrib["height"]
    root.set("style", "max-width: %dpx" % (1.2 * width))  # its text stays near the size of the page's
    root.set("aria-hidden", "true")  # the figure around it says in words what it shows
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _axes(width: float, height: float, **options: Any) -> tuple[Any, Any]:
    figure = Figure(figsize=(width, height), dpi=72)
    return figure, figure.subplots(**options)


def intervals(rows: Rows, bound: float | None, least: bool = False) -> Any:
    """Rates, one below the other, against a limit. rows: [(name, rate, its interval or None)]; least: more is better."""
    figure, axes = _axes(5.4, 0.75 + 0.42 * len(rows))
    highest = max([(row[2] or row[1:2])[-1] for row in rows] + [bound or 0])
    for y, (dummy, rate, interval) in enumerate(rows):
        colour = ACCENT if bound is None else GOOD if rate == bound or (rate > bound) == least else BAD
        low, high = interval or (rate, rate)
        axes.plot((low, high), (y, y), color=colour, linewidth=7, alpha=0.35, solid_capstyle="butt")
        axes.plot(rate, y, "o", color=colour, markersize=9)
        axes.annotate("%.1f%%" % rate, (high, y), (8, 0), textcoords="offset points", va="center", fontweight="bold")
    right = min(max(highest * 1.25, 2), 112)
    if bound is not None:
        axes.axvspan(*((0, bound) if least else (bound, right)), color=BAD, alpha=0.08, linewidth=0)
        axes.axvline(bound, color=BAD, linewidth=1.4, linestyle=(0, (4, 3)))
    axes.set_xlim(0, right)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, dummy: "%g%%" % value if value <= 100 else ""))
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    return figure


def confusion(counts: Any) -> Any:
    """Many classes: a shade for each pair, by its share of the expected class."""
    counts = numpy.asarray(counts, float)
    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)
    shades = numpy.zeros(shares.shape + (4,))
    shades[..., :3] = SHADES["wrong"]
    shades[numpy.eye(len(shades), dtype=bool), :3] = SHADES["right"]
    shades[..., 3] = numpy.where(shares > 0, 0.25 + 0.75 * shares, 0)
    figure, axes = _axes(6.4, 6)
    axes.imshow(shades, interpolation="nearest")
    axes.set_xlabel("given (place in the list of classes)")
    axes.set_ylabel("expected")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(True)
    axes.grid(False)
    return figure


def histogram(groups: Rows) -> Any:
    """Latency of single requests. groups: [(server, [seconds])]"""
    everything = numpy.concatenate([numpy.asarray(seconds, float) for dummy, seconds in groups]) * 1000
    if not everything.size:
        return None
    figure, axes = _axes(5.4, 3.4)
    edges = _edges(axes, everything)
    if 1 < len(groups) <= len(SERIES):
        axes.hist(
            [numpy.asarray(seconds) * 1000 for dummy, seconds in groups], edges, stacked=True,
            color=SERIES[:len(groups)], label=[name for name, dummy in groups],
        )
        figure.legend(fontsize=9, loc="outside lower left", ncols=2)
    else:
        axes.hist(everything, edges, color=ACCENT)
    _mark_percentiles(axes, everything)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, dummy: "%g" % value))
    axes.set_xlabel("ms, one test at a time")
    axes.set_ylabel("requests")
    axes.grid(False, axis="x")
    return figure


def _edges(axes: Any, everything: Any) -> Any:
    """Of the boxes: the more of them the more there is; far apart on a logarithmic scale."""
    low, high = everything.min(), everything.max()
    count = int(min(40, max(10, 2 * everything.size ** 0.5)))
    if low > 0 and high > 30 * low:
        axes.set_xscale("log")
        return numpy.geomspace(low, high, count)
    return numpy.linspace(low, high if high > low else low + 0.1, count)


def _mark_percentiles(axes: Any, everything: Any) -> None:
    low, high, top = everything.min(), everything.max(), axes.get_ylim()[1]
    axes.set_ylim(0, top * 1.22)
    marks = numpy.percentile(everything, (50, 90, 99))
    for place, (name, value) in enumerate(zip(("p50", "p90", "p99"), marks)):
        axes.axvline(value, color=INK, linewidth=1, linestyle=(0, (2, 2)))
        axes.annotate(
            " %s %.3g" % (name, value), (value, top * (1.2 - 0.075 * place)), fontsize=9.5, va="top",
            ha="left" if value < low + 0.75 * (high - low) else "right",
        )


def over_time(groups: Rows) -> Any:
    """Latency of the counted requests. groups: [(server, [(start, seconds, tests, ok)])]"""
    groups = [(name, numpy.array([entry[:2] + (entry[3],) for entry in entries], float)) for name, entries in groups if entries]
    if not groups:
        return None
    figure, axes = _axes(5.4, 3.4)
    axes.margins(x=0.03)
    single = not 1 < len(groups) <= len(SERIES)
    share = max(2, SLICES // len(groups))
    failed = False
    for number, (name, entries) in enumerate(groups):
        good, bad = entries[entries[:, 2] > 0], entries[entries[:, 2] == 0]
        failed = failed or len(bad) > 0
        good, bad = thinned(good, POINTS // len(groups), share), thinned(bad, POINTS // len(groups), share)
        axes.plot(
            good[:, 0], good[:, 1] * 1000, MARKERS[0 if single else number], markersize=4, markeredgewidth=0, alpha=0.8,
            color=ACCENT if single else SERIES[number], label=None if single else name,
        )
        axes.plot(bad[:, 0], bad[:, 1] * 1000, "X", markersize=8, color=BAD, markeredgewidth=0)
    if failed:
        axes.plot([], [], "X", markersize=8, color=BAD, markeredgewidth=0, label="failed")
    if failed or not single:
        figure.legend(fontsize=9, loc="outside lower left", ncols=2)
    axes.set_ylim(0, axes.get_ylim()[1])
    axes.set_xlabel("seconds since the first request")
    axes.set_ylabel("ms")
    return figure


def thinned(entries: Any, most: int, slices: int) -> Any:
    """Rows (x, y, ...) ordered by x; where they are too many, only the lowest and the highest of every slice."""
    entries = entries[numpy.argsort(entries[:, 0], kind="stable")]
    if len(entries) <= most:
        return entries
    kept = []
    for part in numpy.array_split(entries, slices):
        if len(part):
            kept.append(part[part[:, 1].argmin()])
            kept.append(part[part[:, 1].argmax()])
    return numpy.array(kept)


def side_by_side(rows: Rows, bound: float | None) -> Any:
    """Servers compared. rows: [(name, error rate or None, latency_ms or None)]"""
    figure, (rates, latency) = _axes(6.4, 0.9 + 0.26 * len(rows), ncols=2, sharey=True)
    for y, (dummy, rate, times) in enumerate(rows):
        if rate is not None:
            rates.plot(rate, y, "o", color=BAD if bound is not None and rate > bound else ACCENT, markersize=6)
        if times:
            latency.plot((times["p50"], times["p99"]), (y, y), color=ACCENT, linewidth=3, alpha=0.4)
            latency.plot(times["p50"], y, "o", color=ACCENT, markersize=6)
            latency.plot(times["p99"], y, "|", color=ACCENT, markersize=9, markeredgewidth=2)
    if bound is not None:
        rates.axvline(bound, color=BAD, linewidth=1.2, linestyle=(0, (4, 3)))
    rates.set_yticks(range(len(rows)), [row[0] for row in rows])
    rates.set_ylim(len(rows) - 0.4, -0.6)
    rates.set_xlim(left=0)
    latency.set_xlim(left=0)
    rates.set_xlabel("error rate, %")
    latency.set_xlabel("p50 to p99, ms")
    for axes in (rates, latency):
        axes.tick_params(axis="y", length=0, labelcolor=INK)
    return figure


def values(expected: Any, given: Any, right: Any) -> Any:
    """Values: expected against given, and how far they are apart. Three arrays of one length."""
    if not len(expected):
        return None
    figure, (left, residuals) = _axes(9, 3.6, ncols=2)
    ends = min(expected.min(), given.min()), max(expected.max(), given.max())
    left.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    step = -(-len(expected) // POINTS)
    for which, colour, marker in ((right, ACCENT, "o"), (~right, BAD, "X")):
        left.plot(
            expected[which][::step], given[which][::step], marker, markersize=4 if marker == "o" else 6,
            markeredgewidth=0, alpha=0.7, color=colour,
        )
    left.set_xlabel("expected")
    left.set_ylabel("given")
    far = given - expected
    edges = numpy.linspace(far.min(), far.max() if far.max() > far.min() else far.min() + 0.1, 31)
    residuals.hist([far[right], far[~right]], edges, stacked=True, color=[ACCENT, BAD])
    residuals.axvline(0, color=MUTED, linewidth=1)
    residuals.set_xlabel("given minus expected")
    residuals.set_ylabel("tests")
    residuals.yaxis.set_major_locator(MaxNLocator(integer=True))
    residuals.grid(False, axis="x")
    return figure
