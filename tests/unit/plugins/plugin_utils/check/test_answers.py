"""What counts as the right answer; golden files."""
from __future__ import annotations

import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import answers
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.dataset import Dataset

NAN, INF = float("nan"), float("inf")


def texts(*values):
    return numpy.array(values, dtype=object)


def right(labels, array, tolerance=None, golden=None):
    expected = answers.Expected(None if labels is None else numpy.asarray(labels), golden, tolerance)
    given = expected.read(numpy.asarray(array), len(array))
    judge = expected.right if golden is None else expected.agrees
    return judge(given, numpy.arange(len(given.given))).tolist()


@pytest.mark.parametrize(("labels", "array", "says"), [
    ([1, 0], [[0.1, 0.9], [0.2, 0.8]], [True, False]),  # the highest score
    ([1, 0], numpy.asarray([[0.1, 0.9], [0.2, 0.8]], "f2"), [True, False]),
    ([3, 4], [3, 5], [True, False]), ([3, 4], [[3], [5]], [True, False]),  # whole numbers
    ([1, 0], [True, True], [True, False]),
    ([1, 0, 1], [[0.9], [0.2], [0.4]], [True, True, False]),  # a sigmoid
    (texts(b"cat", b"dog"), texts(b"cat", "cat"), [True, False]),
    ([3, 4], texts("3", "5"), [True, False]),  # a model that names its classes with numbers
    ([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]], [True, False]),  # one-hot labels
    ([1.0, 0.0], [[0.1, 0.9], [0.2, 0.8]], [True, False]),  # class numbers out of a table
    ([0, 0], [[float("nan"), 0], [float("inf"), 0]], [False, False]),
])
def test_classes(labels, array, says):
    assert right(labels, array) == says


@pytest.mark.parametrize(("labels", "array", "tolerance", "says"), [
    ([1.0, 2.0], [1.05, 2.3], 0.1, [True, False]),
    ([100.0, 0.0], [109.0, 0.09], 0.1, [True, True]),  # of the value, and of 1 where it is smaller
    ([100.0, 0.0], [111.0, 0.11], 0.1, [False, False]),
    ([[1.0, 2], [1, 2]], [[1.0, 2], [1, 3]], 0.1, [True, False]),  # all of a test's values
    ([1.0], [[1.0]], 0.0, [True]), ([1.0], [float("nan")], 9.0, [False]), ([1], [1], 0.0, [True]),
])
def test_values(labels, array, tolerance, says):
    assert right(labels, array, tolerance) == says


@pytest.mark.parametrize(("golden", "array", "tolerance", "says"), [
    ([[NAN, 1], [NAN, 1], [NAN, 1], [0, 1]], [[NAN, 1], [0, 1], [NAN, 2], [NAN, 1]], 0.1, [True, False, False, False]),
    ([[INF, 1], [INF, 1], [-INF, 1], [1, 1]], [[INF, 1], [-INF, 1], [9, 1], [INF, 1]], 0.1, [True, False, False, False]),
    ([[NAN, 1], [NAN, 1], [0, 1]], [[NAN, 1], [0.5, 0.1], [NAN, 1]], None, [True, False, False]),
])
def test_golden_answers_that_are_not_finite_are_equal_to_themselves(golden, array, tolerance, says):
    """Or a version would disagree with its own record."""
    assert right(None, array, tolerance, answers.Golden(numpy.asarray(golden), {}, "")) == says


@pytest.mark.parametrize("array", [
    numpy.zeros((3, 10)), numpy.zeros(()), numpy.zeros((2, 1, 10)), numpy.zeros((2, 0)), numpy.zeros(3, "i8"),
    numpy.asarray([[2.0], [-1.0]]), numpy.zeros((2, 2), "c8"), texts(b"a", b"b", b"c"),
])
def test_answers_that_are_no_classes(array):
    with pytest.raises(Error) as caught:
        answers.classes(array, 2)
    assert caught.value.code == "malformed_reply"
    if array.shape != (2, 1):
        assert caught.value.message == "has the shape %r for 2 tests, expected [2, classes]" % [*array.shape]


@pytest.mark.parametrize("array", [numpy.zeros(3), numpy.zeros(()), texts(b"a", b"b")])
def test_answers_that_are_no_values(array):
    with pytest.raises(Error) as caught:
        answers.values(array, 2)
    assert caught.value.code == "malformed_reply"
    assert caught.value.message == "has the shape %r for 2 tests, expected [2, ...]" % [*array.shape]


def test_a_row_of_another_length():
    with pytest.raises(Error, match="has 3 values for each test, expected are 2") as caught:
        right([[1.0, 2]], [[1.0, 2, 3]], 0.1)
    assert caught.value.code == "malformed_reply"


@pytest.mark.parametrize("labels", [[0.5, 1], [float("inf"), 1], [float("nan"), 1], [[1, 1], [0, 1]], numpy.zeros((2, 2, 2))])
def test_labels_that_are_no_classes(labels):
    with pytest.raises(Error) as caught:
        answers.Expected(numpy.asarray(labels), None, None)
    assert caught.value.code == "dataset_invalid" and str([*numpy.shape(labels)]) in caught.value.message


def test_the_score_is_how_sure_the_model_was():
    assert answers.classes(numpy.asarray([[0.1, 0.9]]), 1).score.tolist() == [0.9]
    assert answers.classes(numpy.asarray([[0.1]]), 1).score.tolist() == [0.9]
    assert answers.classes(numpy.asarray([[0.5], [0.51]]), 2).given.tolist() == [0, 1], "a half is no"
    assert answers.classes(numpy.asarray([[0.0], [1.0]]), 2).given.tolist() == [0, 1]
    assert answers.classes(numpy.asarray([1]), 1).score is answers.classes(texts("a"), 1).score is None
    assert answers.values(numpy.asarray([1.0]), 1).score is None
    assert answers.classes(numpy.asarray([[1, numpy.inf], [1, 2.0], [numpy.nan, 1]]), 3).finite.tolist() == [False, True, False]
    assert answers.values(numpy.asarray([[1, numpy.inf], [1, 2.0], [numpy.nan, 1]]), 3).finite.tolist() == [False, True, False]


def test_what_is_compared():
    scores = numpy.asarray([[0.1, 0.9], [0.8, 0.2]])
    names = numpy.array([["a", "b"], ["a", "b"]], dtype=object)
    nothing = numpy.zeros((2, 0))
    assert answers.of("classify", "scores", {"classes": names, "scores": scores}).tolist() == ["b", "a"]
    assert answers.of("classify", "scores", {"classes": nothing, "scores": scores}) is scores
    assert answers.of("classify", "scores", {"classes": names[:, :1], "scores": nothing}).tolist() == ["a", "a"]
    assert answers.of("classify", "scores", {"classes": numpy.full((2, 2), "", object), "scores": scores}) is scores
    assert answers.of("predict", "x", {"x": scores}) is scores
    with pytest.raises(Error, match="neither classes nor scores") as caught:
        answers.of("classify", "scores", {"classes": nothing, "scores": nothing})
    assert caught.value.code == "malformed_reply"
    with pytest.raises(Error, match="lacks the output y") as caught:
        answers.of("predict", "y", {"x": scores})
    assert caught.value.code == "malformed_reply"


# --- golden files ---

DATASET = Dataset({"x": numpy.zeros((2, 3))}, frozenset(), "here", "abc")
META = {"model": "m", "version": 1, "signature": "s", "output": "o", "dataset": "abc", "tests": 2, "recorded": "now"}


def read(path, dataset=DATASET):
    return answers.read_golden({"golden": str(path), "dataset_timeout": 5}, dataset)


@pytest.mark.parametrize("raw", [
    numpy.asarray([[0.25, 0.75], [1, 0]], "f4"), numpy.asarray([1, 2]), texts("cat", "dög"),
])
def test_recorded_answers_come_back(tmp_path, raw):
    path = tmp_path / "folder" / "golden.npz"
    assert not answers.same_golden(str(path), raw, META)
    answers.write_golden(str(path), raw, META)
    golden = read(path)
    assert golden.raw.tolist() == raw.tolist() and golden.meta == META and golden.raw.dtype == raw.dtype
    assert answers.same_golden(str(path), raw, {**META, "recorded": "later"}), "the date alone is no change"
    assert not answers.same_golden(str(path), raw, {**META, "version": 2})
    assert not answers.same_golden(str(path), raw[::-1], META)
    assert [file.name for file in path.parent.iterdir()] == ["golden.npz"]


@pytest.mark.parametrize("other", [0.0, numpy.inf])
def test_nan_is_no_change_where_nan_was(tmp_path, other):
    """Or a model that gives NaN is recorded as changed every time."""
    path, raw = str(tmp_path / "golden.npz"), numpy.asarray([[numpy.nan, 1], [0, 2]], "f4")
    answers.write_golden(path, raw, META)
    assert answers.same_golden(path, raw, META)
    for place in ((0, 0), (1, 1)):
        changed = raw.copy()
        changed[place] = other
        assert not answers.same_golden(path, changed, META)


def test_answers_of_another_type_or_shape_are_a_change(tmp_path):
    path = str(tmp_path / "golden.npz")
    answers.write_golden(path, numpy.asarray([[1, 2]]), META)
    for raw in (numpy.asarray([[1, 2]], "i4"), numpy.asarray([1, 2]), numpy.asarray([[1, 2], [1, 2]]), texts("1", "2")):
        assert not answers.same_golden(path, raw, META)


def test_bytes_are_recorded_as_text(tmp_path):
    path, raw = tmp_path / "golden.npz", texts(b"cat", b"\xff")
    answers.write_golden(str(path), raw, META)
    assert read(path).raw.tolist() == ["cat", "\ufffd"] and answers.same_golden(str(path), raw, META)
    assert path.stat().st_mode & 0o777 == 0o644, "for everybody, as mkstemp() would not have it"
    with numpy.load(path) as folder:
        assert folder["answers"].dtype.kind == "U", "no pickle"


def test_agreement():
    golden = answers.Golden(numpy.asarray([[0.1, 0.9], [0.8, 0.2]]), META, "here")
    assert right(None, [[0.3, 0.7], [0.3, 0.7]], golden=golden) == [True, False], "the same class is enough"
    assert right(None, [[0.1, 0.9001], [0.7, 0.3]], 0.01, golden) == [True, False], "with a tolerance the values count"


def test_whole_numbers_do_not_run_over():
    golden = answers.Golden(numpy.asarray([[2], [9]], "u1"), META, "here")
    assert right(None, numpy.asarray([[1], [1]], "u1"), 1.0, golden) == [True, True], "8 of 9 and 1 of 2 are within 100 %"
    assert right(None, numpy.asarray([[1], [1]], "u1"), 0.5, golden) == [True, False]


def test_no_golden_file():
    assert answers.read_golden({"golden": None, "dataset_timeout": 5}, DATASET) is None


def test_a_golden_file_that_holds_something_else(tmp_path):
    for arrays in ({"answers": 1, "meta": "{}"}, {"answers": [1], "meta": "[]"}, {"answers": [1]}, {"meta": "{}"}):
        numpy.savez(tmp_path / "golden.npz", **{name: numpy.array(value) for name, value in arrays.items()})
        with pytest.raises(Error, match="is no file of recorded answers") as caught:
            read(tmp_path / "golden.npz")
        assert caught.value.code == "golden_invalid"
        assert not answers.same_golden(str(tmp_path / "golden.npz"), numpy.array([1]), META)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_files_that_hold_no_answers(tmp_path, content):
    (tmp_path / "golden.npz").write_bytes(content)
    with pytest.raises(Error, match=r"check_golden .* is no file of recorded answers") as caught:
        read(tmp_path / "golden.npz")
    assert caught.value.code == "golden_invalid"


def test_a_pickle_is_never_opened(tmp_path):
    numpy.savez(tmp_path / "golden.npz", answers=numpy.array([object()]), meta="{}")
    with pytest.raises(Error, match="no file of recorded answers"):
        read(tmp_path / "golden.npz")


def test_golden_answers_to_something_else(tmp_path):
    path = tmp_path / "golden.npz"
    answers.write_golden(str(path), numpy.asarray([1, 2]), META)
    with pytest.raises(Error, match="another dataset than there") as caught:
        read(path, DATASET._replace(digest="xyz", location="there"))
    assert caught.value.code == "golden_invalid"
    with pytest.raises(Error, match=r"2 tests, fewer than check_tests \(3\)") as caught:
        read(path, DATASET._replace(columns={"x": numpy.zeros((3, 3))}))
    assert caught.value.code == "golden_invalid" and caught.value.message.startswith("check_golden %s was recorded" % path)
    assert len(read(path, DATASET._replace(columns={"x": numpy.zeros((1, 3))})).raw) == 1


def test_golden_answers_of_another_signature(tmp_path):
    golden = answers.Golden(numpy.asarray([1]), META, "here")

    class Plan:
        signature, output = "s", "o"

    answers.fits(golden, Plan)
    answers.fits(None, Plan)
    Plan.output = "p"
    with pytest.raises(Error, match="from the output 'o', and 'p' is asked now: record it again, or set check_output") as caught:
        answers.fits(golden, Plan)
    assert caught.value.code == "golden_invalid"
    Plan.signature, Plan.output = "t", "o"
    with pytest.raises(Error, match="from the signature 's', and 't' is asked now: record it again, or set check_signature"):
        answers.fits(golden, Plan)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Error, match=r"check_golden .*/golden.npz cannot be written: (Not a directory|File exists)") as caught:
        answers.write_golden(str(tmp_path / "file" / "golden.npz"), numpy.asarray([1]), META)
    assert caught.value.code == "golden_not_written"


def test_nothing_is_left_of_a_file_that_could_not_be_put_in_its_place(tmp_path):
    (tmp_path / "golden.npz").mkdir()
    with pytest.raises(Error, match="Is a directory"):
        answers.write_golden(str(tmp_path / "golden.npz"), numpy.asarray([1]), META)
    assert [path.name for path in tmp_path.iterdir()] == ["golden.npz"]


def test_a_path_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answers.write_golden("golden.npz", numpy.asarray([1]), META)
    assert answers.same_golden(str(tmp_path / "golden.npz"), numpy.asarray([1]), META)
