"""What a column of a text is depends on what the model wants: a code is text for one that wants text, and a number for others."""
from __future__ import annotations

import numpy
import pytest
from ask_server import OPTIONS
from fake_model_server import signatures, tensor_info

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import answers, dataset, inputs, request_plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.questions import Questions

FLOAT, INT64, STRING, BOOL = 1, 9, 7, 10
SCORES = {"scores": tensor_info(FLOAT, -1, 3)}


@pytest.fixture
def load(tmp_path):
    def loaded(content, name="x.csv"):
        (tmp_path / name).write_bytes(content)
        return dataset.load(str(tmp_path / name))

    return loaded


def planned(data, wanted, outputs=None, **options):
    known = signatures(predict_images=(wanted, outputs or SCORES)).signature_def
    return request_plan.plan({**OPTIONS, "model_name": "m", **options}, known, data)


def sent(data, wanted, outputs=None, **options):
    """{input: what is sent for it}"""
    plan = planned(data, wanted, outputs, **options)
    return {item.name: inputs.values(item, data, plan.signature).tolist() for item in plan.inputs}


def refused(*arguments, code="dataset_mismatch", **options):
    with pytest.raises(Error) as caught:
        sent(*arguments, **options)
    assert caught.value.code == code
    return caught.value.message


CODES = b"code,amount,flag,label\n01067,1.50,True,0\n00501,2.00,False,1\n"


@pytest.mark.parametrize(("column", "kind", "values"), [
    ("code", STRING, [b"01067", b"00501"]), ("code", FLOAT, [1067.0, 501.0]), ("code", INT64, [1067, 501]),
    ("amount", STRING, [b"1.50", b"2.00"]), ("amount", FLOAT, [1.5, 2.0]),
    ("flag", STRING, [b"True", b"False"]), ("flag", BOOL, [True, False]), ("flag", FLOAT, [1.0, 0.0]),
    ("label", FLOAT, [0.0, 1.0]), ("label", STRING, [b"0", b"1"]),
])
def test_a_column_is_what_the_model_wants(load, column, kind, values):
    assert sent(load(CODES), {"x": tensor_info(kind, -1)}, inputs={"x": column}) == {"x": values}


def test_strings_of_numbers_in_an_array_are_numbers_for_a_model_that_wants_them(load, tmp_path):
    numpy.savez(tmp_path / "x.npz", x=numpy.array([["1", "2"], ["3", "4.5"]]), labels=numpy.array(["0", "2"]))
    data = dataset.load(str(tmp_path / "x.npz"))
    assert sent(data, {"x": tensor_info(FLOAT, -1, 2)}) == {"x": [[1.0, 2.0], [3.0, 4.5]]}
    assert sent(data, {"x": tensor_info(FLOAT, -1, 2)}, divisor=2) == {"x": [[0.5, 1.0], [1.5, 2.25]]}
    assert sent(data, {"x": tensor_info(STRING, -1, 2)}) == {"x": [[b"1", b"2"], [b"3", b"4.5"]]}
    assert Questions({**OPTIONS, "golden": None}, data).expected.labels.tolist() == [0, 2]


def test_columns_side_by_side(load):
    assert sent(load(CODES), {"x": tensor_info(FLOAT, -1, 3)}) == {"x": [[1067.0, 1.5, 1.0], [501.0, 2.0, 0.0]]}
    assert sent(load(CODES), {"x": tensor_info(STRING, -1, 2)}, inputs={"x": ["code", "amount"]}) == {
        "x": [[b"01067", b"1.50"], [b"00501", b"2.00"]]}


HOLES = b"age,fare,name,label\n22,7.25,a,0\n,8.5,b,1\n38,?,c,2\n"


def test_a_hole_is_named_where_numbers_are_wanted(load):
    one = {"x": tensor_info(FLOAT, -1)}
    says = refused(load(HOLES), one, inputs={"x": "age"})
    assert "the column age holds something else: line 3 has no value. Mend that line" in says
    assert "the column fare holds something else: line 4 has '?'" in refused(load(HOLES), one, inputs={"x": ["fare", "age"]})
    assert sent(load(HOLES), {"x": tensor_info(STRING, -1)}, inputs={"x": "age"}) == {"x": [b"22", b"", b"38"]}
    assert "the dataset has string [3], the model wants float32" in refused(load(HOLES), one, inputs={"x": "name"})
    assert "say with check_inputs which one" in refused(load(HOLES), {"x": tensor_info(FLOAT, -1, 3)}, code="option_invalid")
    numbers = load(b"age,fare,label\n22,7.25,0\n,8.5,1\n")
    assert "line 3 has no value" in refused(numbers, {"x": tensor_info(FLOAT, -1, 2)})


def test_labels_that_are_words_are_shown_where_class_numbers_are_wanted(load):
    data = load(b"x,label\n1,rose\n2,lily\n3,iris\n4,aster\n5,poppy\n6,rose\n")
    assert "the column label (check_labels) is text (aster, iris, lily, poppy, ...)" in refused(data, {"x": tensor_info(FLOAT, -1)})
    data = load(b"x,label\n1,0\n2,\n3,1\n")
    assert "is text (line 3 has no value): the labels" in refused(data, {"x": tensor_info(FLOAT, -1)})


@pytest.mark.parametrize(("labels", "given", "right"), [
    (b"007\n008\n", ["007", "7"], [True, False]), (b"7\n8\n", ["7", "9"], [True, False]),
    (b"1.0\n2.0\n", ["1", "2.0"], [True, True]), (b"True\nFalse\n", ["True", "0"], [True, True]),
    (b"a\nb\n", ["a", "a"], [True, False]),
])
def test_classes_that_have_names_are_compared_with_what_the_dataset_says(load, labels, given, right):
    first, second = labels.split()
    data = load(b"n,label\n1,%s\n2,%s\n" % (first, second))
    expected = Questions({**OPTIONS, "golden": None}, data).expected
    assert expected.right(answers.classes(numpy.array(given, object), 2), numpy.arange(2)).tolist() == right


def test_training_data_beside_test_data_are_no_inputs(tmp_path):
    """As Keras' mnist.npz has them."""
    numpy.savez(
        tmp_path / "mnist.npz", x_train=numpy.zeros((5, 4)), y_train=numpy.zeros(5, "i8"), x_test=numpy.ones((5, 4)),
        y_test=numpy.arange(5) % 3)
    data = dataset.load(str(tmp_path / "mnist.npz"))
    assert sent(data, {"x": tensor_info(FLOAT, -1, 4)}) == {"x": [[1.0] * 4] * 5}
    assert Questions({**OPTIONS, "golden": None}, data).expected.labels.tolist() == [0, 1, 2, 0, 1]
    assert sent(data, {"x": tensor_info(FLOAT, -1, 4)}, labels="y_train", inputs={"x": "x_train"}) == {"x": [[0.0] * 4] * 5}
