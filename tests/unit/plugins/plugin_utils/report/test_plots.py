"""The plots: every line, box and word of a figure; and its SVG, which has ids of its own and the page's colours.

Whoever changes a plot on purpose changes its lines here: `described_figure` prints them.
"""
from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib
import numpy
import pytest
from described_figure import described
from matplotlib.figure import Figure

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import plots


def shows(draw, *arguments):
    return "\n%s\n" % "\n".join(described(draw, *arguments))


def test_a_rate_and_its_limit():
    rows = [("this check", 10.0, [8.0, 12.5]), ("version 1", 20.0, None), ("version 2", 15.0, None)]
    assert shows(plots.intervals, rows, 15.0) == """
figure 5.4 2.01 at 72 dpi, ConstrainedLayoutEngine
axes line bottom, grid below
  x linear 0 25, grid line 0.6, any '2.5%' '', muted labels of 11, line marks of 3.5
  y linear 2.6 -0.6, this check|version 1|version 2, ink labels of 11, line marks of 0
  box 15 0 10 1 bad alpha 0.08 unlined
  line 8 12.5 to 0 0 good width 7 butt alpha 0.35
  line 10 to 0 good o of 9 edge 1
  line 20 20 to 1 1 bad width 7 butt alpha 0.35
  line 20 to 1 bad o of 9 edge 1
  line 15 15 to 2 2 good width 7 butt alpha 0.35
  line 15 to 2 good o of 9 edge 1
  line 15 15 to 0 1 bad width 1.4 dashed 4 3
  text '10.0%' at 12.5 0 and 8 0 ink of 11 bold, left center
  text '20.0%' at 20 1 and 8 0 ink of 11 bold, left center
  text '15.0%' at 15 2 and 8 0 ink of 11 bold, left center
"""


def test_an_agreement_and_its_limit():
    assert shows(plots.intervals, [("this check", 99.0, [98.0, 100.0]), ("version 1", 98.9, None)], 99.0, True) == """
figure 5.4 1.59 at 72 dpi, ConstrainedLayoutEngine
axes line bottom, grid below
  x linear 0 112, grid line 0.6, any '2.5%' '', muted labels of 11, line marks of 3.5
  y linear 1.6 -0.6, this check|version 1, ink labels of 11, line marks of 0
  box 0 0 99 1 bad alpha 0.08 unlined
  line 98 100 to 0 0 good width 7 butt alpha 0.35
  line 99 to 0 good o of 9 edge 1
  line 98.9 98.9 to 1 1 bad width 7 butt alpha 0.35
  line 98.9 to 1 bad o of 9 edge 1
  line 99 99 to 0 1 bad width 1.4 dashed 4 3
  text '99.0%' at 100 0 and 8 0 ink of 11 bold, left center
  text '98.9%' at 98.9 1 and 8 0 ink of 11 bold, left center
"""


def test_a_rate_without_a_limit():
    assert shows(plots.intervals, [("this check", 0.0, None)], None) == """
figure 5.4 1.17 at 72 dpi, ConstrainedLayoutEngine
axes line bottom, grid below
  x linear 0 2, grid line 0.6, any '2.5%' '', muted labels of 11, line marks of 3.5
  y linear 0.6 -0.6, this check, ink labels of 11, line marks of 0
  line 0 0 to 0 0 accent width 7 butt alpha 0.35
  line 0 to 0 accent o of 9 edge 1
  text '0.0%' at 0 0 and 8 0 ink of 11 bold, left center
"""


def test_a_limit_above_all_rates():
    assert shows(plots.intervals, [("this check", 1.0, None)], 40.0) == """
figure 5.4 1.17 at 72 dpi, ConstrainedLayoutEngine
axes line bottom, grid below
  x linear 0 50, grid line 0.6, any '2.5%' '', muted labels of 11, line marks of 3.5
  y linear 0.6 -0.6, this check, ink labels of 11, line marks of 0
  box 40 0 10 1 bad alpha 0.08 unlined
  line 1 1 to 0 0 good width 7 butt alpha 0.35
  line 1 to 0 good o of 9 edge 1
  line 40 40 to 0 1 bad width 1.4 dashed 4 3
  text '1.0%' at 1 0 and 8 0 ink of 11 bold, left center
"""


def test_confusions():
    assert shows(plots.confusion, [[3, 1, 0], [0, 0, 0], [2, 0, 2]]) == """
figure 6.4 6 at 72 dpi, ConstrainedLayoutEngine
axes line left, line right, line bottom, line top, grid below
  x linear -0.5 2.5 given (place in the list of classes) muted of 11, whole, muted labels of 11, line marks of 3.5
  y linear 2.5 -0.5 expected muted of 11, whole, muted labels of 11, line marks of 3.5
  image nearest
    0.25 0.56 0.42 0.8125 | 0.87 0.3 0.24 0.4375 | 0.87 0.3 0.24 0
    0.87 0.3 0.24 0 | 0.25 0.56 0.42 0 | 0.87 0.3 0.24 0
    0.87 0.3 0.24 0.625 | 0.87 0.3 0.24 0 | 0.25 0.56 0.42 0.625
"""


def test_latencies():
    assert shows(plots.histogram, [("a", [0.001, 0.002, 0.003, 0.01])]) == """
figure 5.4 3.4 at 72 dpi, ConstrainedLayoutEngine
axes line left, line bottom, grid below
  x linear 0.55 10.45 ms, one test at a time muted of 11, any '2.5' '150', muted labels of 11, line marks of 3.5
  y linear 0 1.281 requests muted of 11, grid line 0.6, whole, muted labels of 11, line marks of 3.5
  box 1 0 1 1 accent
  box 2 0 1 1 accent
  box 3 0 1 1 accent
  box 9 0 1 1 accent
  line 2.5 2.5 to 0 1 ink width 1 dashed 2 2
  line 7.9 7.9 to 0 1 ink width 1 dashed 2 2
  line 9.79 9.79 to 0 1 ink width 1 dashed 2 2
  text ' p50 2.5' at 2.5 1.26 ink of 9.5 normal, left top
  text ' p90 7.9' at 7.9 1.181 ink of 9.5 normal, right top
  text ' p99 9.79' at 9.79 1.103 ink of 9.5 normal, right top
"""


def test_latencies_of_two_servers_far_apart():
    assert shows(plots.histogram, [("a", [0.001, 0.05]), ("b", [0.002])]) == """
figure 5.4 3.4 at 72 dpi, ConstrainedLayoutEngine
axes line left, line bottom, grid below
  x log 0.8223 60.8 ms, one test at a time muted of 11, any '2.5' '150', muted labels of 11, line marks of 3.5
  y linear 0 1.281 requests muted of 11, grid line 0.6, whole, muted labels of 11, line marks of 3.5
  box 1 0 0.5445 1 s1
  box 32.37 0 17.63 1 s1
  box 1.544 0 0.8409 1 s2
  line 2 2 to 0 1 ink width 1 dashed 2 2
  line 40.4 40.4 to 0 1 ink width 1 dashed 2 2
  line 49.04 49.04 to 0 1 ink width 1 dashed 2 2
  text ' p50 2' at 2 1.26 ink of 9.5 normal, left top
  text ' p90 40.4' at 40.4 1.181 ink of 9.5 normal, right top
  text ' p99 49' at 49.04 1.103 ink of 9.5 normal, right top
legend outside lower left: a, b of 9, 2 columns
"""


def test_latencies_of_more_servers_than_there_are_colours():
    assert shows(plots.histogram, [(str(number), [0.001]) for number in range(7)]) == """
figure 5.4 3.4 at 72 dpi, ConstrainedLayoutEngine
axes line left, line bottom, grid below
  x linear 0.995 1.105 ms, one test at a time muted of 11, any '2.5' '150', muted labels of 11, line marks of 3.5
  y linear 0 8.967 requests muted of 11, grid line 0.6, whole, muted labels of 11, line marks of 3.5
  box 1 0 0.01111 7 accent
  line 1 1 to 0 1 ink width 1 dashed 2 2
  line 1 1 to 0 1 ink width 1 dashed 2 2
  line 1 1 to 0 1 ink width 1 dashed 2 2
  text ' p50 1' at 1 8.82 ink of 9.5 normal, right top
  text ' p90 1' at 1 8.269 ink of 9.5 normal, right top
  text ' p99 1' at 1 7.718 ink of 9.5 normal, right top
"""


def test_latencies_over_time():
    assert shows(plots.over_time, [("a", [(0.5, 0.002, 10, True), (0.0, 0.001, 10, True)])]) == """
figure 5.4 3.4 at 72 dpi, ConstrainedLayoutEngine
axes line left, line bottom, grid below
  x linear -0.015 0.515 seconds since the first request muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  y linear 0 2.05 ms muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  line 0 0.5 to 1 2 accent o of 4 edge 0 alpha 0.8
  line  to  bad X of 8 edge 0
"""


def test_latencies_of_servers_over_time():
    rows = [("a", [(0.0, 0.001, 10, True), (1.0, 0.2, 10, False)]), ("b", [(0.0, 0.003, 10, True)]), ("c", [])]
    assert shows(plots.over_time, rows) == """
figure 5.4 3.4 at 72 dpi, ConstrainedLayoutEngine
axes line left, line bottom, grid below
  x linear -0.03 1.03 seconds since the first request muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  y linear 0 209.9 ms muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  line 0 to 1 s1 o of 4 edge 0 alpha 0.8 is 'a'
  line 1 to 200 bad X of 8 edge 0
  line 0 to 3 s2 s of 4 edge 0 alpha 0.8 is 'b'
  line  to  bad X of 8 edge 0
  line  to  bad X of 8 edge 0 is 'failed'
legend outside lower left: a, b, failed of 9, 2 columns
"""


def test_failures_of_one_server_over_time():
    assert shows(plots.over_time, [("a", [(0.0, 0.001, 10, True), (1.0, 0.2, 10, False)])]) == """
figure 5.4 3.4 at 72 dpi, ConstrainedLayoutEngine
axes line left, line bottom, grid below
  x linear -0.03 1.03 seconds since the first request muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  y linear 0 209.9 ms muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  line 0 to 1 accent o of 4 edge 0 alpha 0.8
  line 1 to 200 bad X of 8 edge 0
  line  to  bad X of 8 edge 0 is 'failed'
legend outside lower left: failed of 9, 1 columns
"""


def test_servers_side_by_side():
    rows = [("a", 10.0, {"p50": 1.0, "p99": 2.0}), ("b", 20.0, None), ("c", None, {"p50": 3.0, "p99": 4.0})]
    assert shows(plots.side_by_side, rows, 15.0) == """
figure 6.4 1.68 at 72 dpi, ConstrainedLayoutEngine
axes line left, line bottom, grid below
  x linear 0 20.5 error rate, % muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  y linear 2.6 -0.6, grid line 0.6, a|b|c, ink labels of 11, line marks of 0
  line 10 to 0 accent o of 6 edge 1
  line 20 to 1 bad o of 6 edge 1
  line 15 15 to 0 1 bad width 1.2 dashed 4 3
axes line left, line bottom, grid below
  x linear 0 4.15 p50 to p99, ms muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  y linear 2.6 -0.6, grid line 0.6, , ink labels of 11, line marks of 0 shared
  line 1 2 to 0 0 accent width 3 projecting alpha 0.4
  line 1 to 0 accent o of 6 edge 1
  line 2 to 0 accent | of 9 edge 2
  line 3 4 to 2 2 accent width 3 projecting alpha 0.4
  line 3 to 2 accent o of 6 edge 1
  line 4 to 2 accent | of 9 edge 2
"""


def test_servers_without_a_limit():
    assert shows(plots.side_by_side, [("a", 10.0, {"p50": 1.0, "p99": 2.0})], None) == """
figure 6.4 1.16 at 72 dpi, ConstrainedLayoutEngine
axes line left, line bottom, grid below
  x linear 0 10.55 error rate, % muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  y linear 0.6 -0.6, grid line 0.6, a, ink labels of 11, line marks of 0
  line 10 to 0 accent o of 6 edge 1
axes line left, line bottom, grid below
  x linear 0 2.05 p50 to p99, ms muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  y linear 0.6 -0.6, grid line 0.6, , ink labels of 11, line marks of 0 shared
  line 1 2 to 0 0 accent width 3 projecting alpha 0.4
  line 1 to 0 accent o of 6 edge 1
  line 2 to 0 accent | of 9 edge 2
"""


def test_values_expected_and_given():
    expected, given = numpy.array([0.0, 1.0, 2.0]), numpy.array([0.0, 1.5, 1.0])
    assert shows(plots.values, expected, given, numpy.array([True, True, False])) == """
figure 9 3.6 at 72 dpi, ConstrainedLayoutEngine
axes line left, line bottom, grid below
  x linear -0.1 2.1 expected muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  y linear -0.1 2.1 given muted of 11, grid line 0.6, any, muted labels of 11, line marks of 3.5
  line 0 2 to 0 2 muted width 1 dashed 4 3
  line 0 1 to 0 1.5 accent o of 4 edge 0 alpha 0.7
  line 2 to 1 bad X of 6 edge 0 alpha 0.7
axes line left, line bottom, grid below
  x linear -1.075 0.575 given minus expected muted of 11, any, muted labels of 11, line marks of 3.5
  y linear 0 1.05 tests muted of 11, grid line 0.6, whole, muted labels of 11, line marks of 3.5
  box 0 0 0.05 1 accent
  box 0.45 0 0.05 1 accent
  box -1 0 0.05 1 bad
  line 0 0 to 0 1 muted width 1 projecting
"""


@pytest.mark.parametrize("empty", [
    (plots.histogram, [("a", [])]), (plots.over_time, []), (plots.over_time, [("a", [])]),
    (plots.values, numpy.array([]), numpy.array([]), numpy.array([], bool)),
])
def test_nothing_is_drawn_of_nothing(empty):
    draw, *arguments = empty
    assert draw(*arguments) is None and plots.drawn("name", draw, *arguments) is None


def edges(seconds):
    """Of a histogram's boxes."""
    axes = plots.histogram([("a", seconds)]).axes[0]
    return axes.get_xscale(), [patch.get_x() for patch in axes.patches] + [axes.patches[-1].get_x() + axes.patches[-1].get_width()]


@pytest.mark.parametrize(("number", "boxes"), [(4, 10), (49, 14), (400, 40), (900, 40)])
def test_the_more_requests_the_more_boxes(number, boxes):
    scale, found = edges(numpy.linspace(0.001, 0.01, number))
    assert scale == "linear" and len(found) == boxes and found[0] == pytest.approx(1) and found[-1] == pytest.approx(10)


@pytest.mark.parametrize(("seconds", "scale"), [
    ([0.001, 0.03], "linear"), ([0.001, 0.0301], "log"), ([0.0, 0.9], "linear"),
])
def test_latencies_far_apart_are_seen_on_a_logarithmic_scale(seconds, scale):
    found, places = edges(seconds)
    assert found == scale and places[0] == pytest.approx(1000 * seconds[0]) and places[-1] == pytest.approx(1000 * seconds[1])


def test_latencies_that_are_all_the_same():
    assert edges([0.002] * 5)[1] == pytest.approx(numpy.linspace(2, 2.1, 10).tolist())


def test_marks_on_the_right_have_their_text_on_the_left():
    texts = plots.histogram([("a", [0.001] + [0.002] * 9 + [0.011])]).axes[0].texts
    assert [(text.get_text(), text.get_ha()) for text in texts] == [
        (" p50 2", "left"), (" p90 2", "left"), (" p99 10.1", "right")]


def test_too_many_points_are_thinned_to_their_extremes(monkeypatch):
    entries = numpy.array([(x, (x * 7) % 10, x) for x in range(20, 0, -1)], float)
    assert plots.thinned(entries, 20, 4).tolist() == entries[::-1].tolist(), "in their order"
    thin = plots.thinned(entries, 19, 4)
    for part, (low, high) in zip(numpy.array_split(entries[::-1], 4), thin.reshape(4, 2, 3)):
        assert low[1] == part[:, 1].min() and high[1] == part[:, 1].max()
    assert len(plots.thinned(entries[:2], 1, 5)) == 4, "slices without a point are left out"
    monkeypatch.setattr(plots, "POINTS", 8)
    monkeypatch.setattr(plots, "SLICES", 4)
    rows = [(float(number), 0.001, 1, number % 2 == 0) for number in range(40)]
    lines = plots.over_time([("a", rows), ("b", rows)]).axes[0].lines
    assert [len(line.get_xdata()) for line in lines[:4]] == [4] * 4, "two slices for each of two servers"
    assert [len(line.get_xdata()) for line in plots.over_time([("a", rows)]).axes[0].lines[:2]] == [8, 8]


def test_how_many_are_too_many():
    rows = [(float(number), 0.001 * (number % 7), 1, True) for number in range(1501)]
    assert [len(plots.over_time([("a", few)]).axes[0].lines[0].get_xdata()) for few in (rows[:-1], rows)] == [1500, 800]


def test_many_values_are_thinned(monkeypatch):
    monkeypatch.setattr(plots, "POINTS", 4)
    right = numpy.arange(9) % 2 == 0
    lines = plots.values(numpy.arange(9.0), numpy.arange(9.0), right).axes[0].lines
    assert [line.get_xdata().tolist() for line in lines] == [[0.0, 8.0], [0.0, 6.0], [1.0, 7.0]]


def test_values_that_are_all_off_by_the_same():
    axes = plots.values(numpy.array([1.0, 2.0]), numpy.array([2.0, 3.0]), numpy.array([True, True])).axes[1]
    places = [patch.get_x() for patch in axes.patches]
    assert len(places) == 60 and places[0] == pytest.approx(1) and places[29] + axes.patches[29].get_width() == pytest.approx(1.1)


# --- SVG ---

def svg(draw=plots.intervals, *arguments):
    text = plots.drawn("rate", draw, *(arguments or ([("this check", 10.0, [8.0, 12.5])], 15.0)))
    return text, ElementTree.fromstring(text)


def test_a_plot_has_ids_of_its_own_and_nothing_that_only_a_file_needs():
    text, root = svg()
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert ids and all(name.startswith("rate-") for name in ids) and root.tag == "svg"
    assert not re.search(r"xmlns:|<style|metadata|RDF|ns0:", text) and "<defs" in text
    links = re.findall(r'(?:href="|url\()#([^")]+)', text)
    assert links and set(links) <= set(ids)
    assert not [name for element in root.iter() for name in element.attrib if "}" in name]


def test_a_plot_takes_the_pages_colours_and_font():
    text, root = svg()
    assert not re.search("#01fe", text) and {"var(--good)", "var(--bad)", "var(--line)", "var(--muted)"} <= set(
        re.findall(r"var\(--\w+\)", text))
    words = [element for element in root.iter() if element.tag == "text"]
    assert "this check" in [word.text for word in words] and all("11px" in word.get("style") for word in words)
    assert root.get("style") == "max-width: 466px" and root.get("aria-hidden") == "true" and root.get("viewBox")
    assert root.get("width") is None and root.get("height") is None


def test_a_picture_in_a_plot_is_in_it():
    _text, root = svg(plots.confusion, numpy.eye(3))
    image, = (element for element in root.iter() if element.tag == "image")
    assert image.get("href").startswith("data:image/png;base64,")


def test_the_account_s_own_style_does_not_count_and_comes_back():
    plain = svg()[0]
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert svg()[0] == plain and matplotlib.rcParams["font.size"] == 30
    assert svg()[0] == plain, "the same in every run"


def test_formulas_are_texts():
    def draw():
        figure = Figure()
        figure.text(0, 0, "$x^2$ <b>")
        return figure

    assert "$x^2$ &lt;b&gt;" in plots.drawn("name", draw)
