"""A figure of matplotlib as lines of text: what a person would see in it."""
from __future__ import annotations

import numpy
from matplotlib.colors import to_hex
from matplotlib.legend import Legend
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, FuncFormatter

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import plots

LOCATIONS = {number: name for name, number in Legend.codes.items()}
COLOURS = {**plots.VARIABLES, "none": "none"}


def described(draw, *arguments):
    """What draw(*arguments) makes, drawn with the report's own style."""
    lines = []

    def look():
        figure = draw(*arguments)
        figure.draw_without_rendering()
        lines.extend(_figure(figure))
        return figure

    plots.drawn("name", look)
    return lines


def _figure(figure):
    yield "figure %s at %g dpi, %s" % (_numbers(figure.get_size_inches()), figure.dpi, type(figure.get_layout_engine()).__name__)
    for axes in figure.axes:
        sides = ["%s %s" % (_colour(spine.get_edgecolor()), side) for side, spine in axes.spines.items() if spine.get_visible()]
        yield "axes %s%s" % (", ".join(sides), ", grid below" if axes.get_axisbelow() is True else "")
        yield "  x %s %s%s" % (axes.get_xscale(), _numbers(axes.get_xlim()), _axis(axes.xaxis))
        yield "  y %s %s%s" % (axes.get_yscale(), _numbers(axes.get_ylim()), _axis(axes.yaxis))
        yield from ("  " + line.rstrip() for line in _artists(axes))
    for legend in figure.legends:
        texts = legend.get_texts()
        yield "legend %s%s: %s of %g, %d columns%s" % (
            "outside " if getattr(legend, "_outside_loc", None) else "", LOCATIONS[legend._loc],
            ", ".join(text.get_text() for text in texts), texts[0].get_size(), legend._ncols,
            ", framed" if legend.get_frame_on() else "")


def _axis(axis):
    tick, grid, label = axis.get_major_ticks()[0], axis.get_gridlines()[0], axis.label
    return "%s%s, %s, %s labels of %g, %s marks of %g%s" % (
        " %s %s of %g" % (label.get_text(), _colour(label.get_color()), label.get_size()) if label.get_text() else "",
        ", grid %s %g" % (_colour(grid.get_color()), grid.get_linewidth()) if grid.get_visible() else "", _ticks(axis),
        _colour(tick.label1.get_color()), tick.label1.get_size(), _colour(tick.tick1line.get_color()),
        tick.tick1line.get_markersize(), " shared" if not tick.label1.get_visible() else "",
    )


def _ticks(axis):
    """Those that were asked for; of others, which depend on the space there is, what they are like."""
    locator, formatter = axis.get_major_locator(), axis.get_major_formatter()
    if isinstance(locator, FixedLocator):
        return "|".join(text.get_text() for text in axis.get_ticklabels())
    words = ["whole" if getattr(locator, "_integer", False) else "any"]
    if isinstance(formatter, FuncFormatter):
        words += [repr(formatter(2.5, 0)), repr(formatter(150.0, 0))]
    elif "\N{MINUS SIGN}" in formatter(-1.0, 0):
        words.append("true minus")
    return " ".join(words)


def _artists(axes):
    for image in axes.images:
        yield "image %s" % image.get_interpolation()
        yield from ("  " + " | ".join(_numbers(shade) for shade in row) for row in image.get_array())
    for patch in axes.patches:
        if isinstance(patch, Rectangle):
            shape = [*patch.get_xy(), patch.get_width(), patch.get_height()]
        else:
            shape = patch.get_xy().ravel() if isinstance(patch, Polygon) else []
        if shape and shape[-1]:
            yield "box %s %s%s%s" % (
                _numbers(shape), _colour(patch.get_facecolor()), _alpha(patch), "" if patch.get_linewidth() else " unlined")
    for line in axes.lines:
        yield "line %s to %s %s%s%s%s" % (
            _numbers(numpy.ravel(line.get_xdata())), _numbers(numpy.ravel(line.get_ydata())), _colour(line.get_color()),
            _stroke(line), _alpha(line), "" if line.get_label().startswith("_") else " is %r" % line.get_label())
    for text in axes.texts:
        point = text.xy if isinstance(text, Annotation) else text.get_position()
        offset = text.xyann if isinstance(text, Annotation) and text.anncoords == "offset points" else ()
        yield "text %r at %s%s %s of %g %s, %s %s" % (
            text.get_text(), _numbers(point), " and %s" % _numbers(offset) if offset else "", _colour(text.get_color()),
            text.get_size(), text.get_weight(), text.get_ha(), text.get_va())


def _stroke(line):
    if line.get_marker() not in ("None", None, ""):
        return " %s of %g edge %g" % (line.get_marker(), line.get_markersize(), line.get_markeredgewidth())
    dashes = line._unscaled_dash_pattern
    return " width %g%s %s" % (
        line.get_linewidth(), "" if dashes[1] is None else " dashed %s" % _numbers(dashes[1]),
        line.get_solid_capstyle() if dashes[1] is None else "")


def _alpha(artist):
    return "" if artist.get_alpha() is None else " alpha %g" % artist.get_alpha()


def _colour(colour):
    text = colour if isinstance(colour, str) else to_hex(colour)
    return COLOURS.get(text, text)


def _numbers(values):
    return " ".join("%.4g" % value for value in values)
