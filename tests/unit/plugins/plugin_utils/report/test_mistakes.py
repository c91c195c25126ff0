"""Which wrong answers the page lists, in which order, and with which pictures."""
from __future__ import annotations

import base64
import io

import check_results
import numpy
import pytest
from PIL import Image

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import mistakes as _mistakes
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.mistakes import mistakes, picture


def of(given, expected, pictures=None, score=None, golden=None, **changes):
    kind = changes.pop("kind", "classes")
    server = check_results.server("pod a", expected, given, score, **changes)
    return mistakes(check_results.measured([server], expected, pictures, golden=golden, kind=kind), server)


def numbers(made):
    return [entry["index"] for entry in made["entries"]]


def test_nothing_to_list():
    measured = check_results.measured([], [0])
    assert mistakes(measured, None) is None
    assert of([0, 1], [0, 1]) is None and of([0, 1], None) is None
    server = check_results.server("pod a", [0], [1])
    assert mistakes(measured, {**server, "given": None}) is None


def test_classes_without_scores_in_their_order():
    made = of([1, 1, 0], [0, 1, 1])
    assert made == {
        "title": "Wrong answers", "wanted": "expected", "text": "Of pod a.", "pictures": False, "scored": False,
        "entries": [
            {"index": 0, "expected": "0", "given": "1", "score": ""}, {"index": 2, "expected": "1", "given": "0", "score": ""},
        ],
    }


def test_the_surest_come_first():
    made = of([1, 1, 1, 1, 1], [0, 0, 1, 0, 0], score=numpy.array([0.5, 0.9, 0.1, 0.9, numpy.nan]))
    assert numbers(made) == [4, 1, 3, 0] and made["scored"] is True
    assert [entry["score"] for entry in made["entries"]] == ["", "0.9", "0.9", "0.5"]
    assert made["text"] == "Of pod a, those it was surest of first."


def test_values_that_are_farthest_off_come_first():
    made = of([1.5, 9.0, float("nan"), 2.0], [1.0, 2.0, 3.0, 2.0], kind="values", score=numpy.array([9.0, 1, 1, 1]))
    assert numbers(made) == [2, 1, 0] and made["text"] == "Of pod a, the farthest off first."
    rows = of([[0.0, 5.0], [3.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]], kind="values")
    assert numbers(rows) == [0, 1] and rows["entries"][0]["given"] == "0, 5"


def test_values_that_differ_from_golden_ones_are_in_their_order():
    golden = {"location": "/g.npz", "version": 1, "recorded": None, "answers": [1.0, 2.0]}
    made = of([1.5, 9.0], None, kind="values", golden=golden, agrees=[0, 0])
    assert numbers(made) == [0, 1] and made["text"] == "Of pod a."


def test_answers_unlike_golden_ones():
    golden = {"location": "/g.npz", "version": 1, "recorded": None, "answers": [7, 8]}
    made = of([7, 9], None, golden=golden, agrees=numpy.array([1, 0]))
    assert (made["title"], made["wanted"]) == ("Answers unlike the golden ones", "recorded")
    assert made["entries"] == [{"index": 1, "expected": "8", "given": "9", "score": ""}]
    assert of([7, 9], None, golden=None, agrees=numpy.array([1, 0]))["entries"][0]["expected"] == ""
    both = of([1, 1], [0, 1], golden=golden, agrees=numpy.array([1, 0]))
    assert both["title"] == "Wrong answers" and numbers(both) == [0], "labels come first"


def test_unanswered_tests_are_no_mistakes():
    assert numbers(of([1] * 32, [0] * 32, failed=(0,))) == list(range(16, 32))


def test_the_list_ends(monkeypatch):
    monkeypatch.setattr(_mistakes, "LISTED", 3)
    made = of([1] * 5, [0] * 5)
    assert numbers(made) == [0, 1, 2] and made["text"] == "Of pod a. 2 more are left out."


def test_pictures_end_where_they_are_too_large_together(monkeypatch):
    pictures = numpy.zeros((5, 8, 8), "u1")
    size = len(picture(pictures[0])["picture"])
    for space, fit in ((3 * size, 3), (3 * size - 1, 2)):
        monkeypatch.setattr(_mistakes, "PICTURE_BYTES", space)
        made = of([1] * 5, [0] * 5, pictures)
        assert made["pictures"] is True and numbers(made) == list(range(fit)) and "%d more" % (5 - fit) in made["text"]
        assert made["entries"][0]["picture"].startswith("data:image/png;base64,")


def decoded(shown):
    kind, _comma, data = shown["picture"].partition(",")
    return kind, numpy.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_small_pictures_are_exact():
    pixels = numpy.arange(64 * 64).reshape(64, 64).astype("u1")
    shown = picture(pixels)
    kind, same = decoded(shown)
    assert kind == "data:image/png;base64" and (same == pixels).all()
    assert (shown["width"], shown["height"], shown["photo"]) == (64, 64, False)
    colours = numpy.random.default_rng(1).integers(0, 255, (5, 7, 3)).astype("u1")
    assert (decoded(picture(colours))[1] == colours).all() and picture(colours)["width"] == 7


def test_large_pictures_are_small_photos():
    shown = picture(numpy.full((50, 200, 3), 100, "u1"))
    kind, small = decoded(shown)
    assert kind == "data:image/jpeg;base64" and small.shape == (24, 96, 3) and abs(small.astype(int) - 100).max() < 3
    assert (shown["width"], shown["height"], shown["photo"]) == (96, 24, True)
    assert picture(numpy.zeros((65, 9), "u1"))["photo"] is True and decoded(picture(numpy.zeros((65, 9), "u1")))[1].ndim == 2
    assert decoded(picture(numpy.zeros((65, 9, 4), "u1")))[1].shape == (65, 9, 3), "JPEG has no transparency"


@pytest.mark.parametrize(("pixels", "shown"), [
    ([[0.0, 0.5, 1.0]], [[0, 128, 255]]), ([[-1.0, 0.0, 1.0]], [[0, 128, 255]]), ([[5.0, 10.0, 20.0]], [[64, 128, 255]]),
    ([[0.0, 0.0]], [[0, 0]]), ([[-2.0, -1.0]], [[0, 255]]), ([[numpy.nan, numpy.inf, -numpy.inf, 1.0]], [[0, 0, 0, 255]]),
    ([[False, True]], [[0, 255]]), (numpy.array([[0, 1000]], "u2"), [[0, 255]]),
])
def test_any_numbers_are_shades(pixels, shown):
    assert decoded(picture(pixels))[1].tolist() == shown


def test_channels_that_are_no_colours_show_the_first():
    pixels = numpy.zeros((3, 4, 2), "u1")
    pixels[..., 0] = 9
    assert decoded(picture(pixels))[1].tolist() == [[9] * 4] * 3
    assert decoded(picture(numpy.full((3, 4, 1), 7, "u1")))[1].shape == (3, 4)
    assert decoded(picture(numpy.full((3, 4, 4), 7, "u1")))[1].shape == (3, 4, 4)
