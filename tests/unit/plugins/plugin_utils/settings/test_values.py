"""One answer in all the forms in which people, surveys and YAML write it; and what is none of its kind."""
from __future__ import annotations

import math

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings import values
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.values import Unfit, blank

LATENCIES = values.Limits("p50", "p99", way_out="use a mapping of p50 and p99")
BATCHING = values.NumberMapping(max_batch_size=1, batch_timeout_micros=0)
LABELS = values.TextMapping(r"[a-z]+", "use letters")


@pytest.mark.parametrize(("kind", "value", "meant"), [
    (values.Text(), " pinned ", "pinned"),
    (values.Text(), 123, "123"),
    (values.Text(), 4.0, "4.0"),
    (values.Text(r"[a-z]{2}", "", 2), "ab", "ab"),
    (values.Text(), "two\nlines", "two\nlines"),
    (values.Choice("latest", "pinned"), "pinned ", "pinned"),
    (values.Whole(), 0, 0),
    (values.Whole(), "0", 0),
    (values.Whole(), " 9090 ", 9090),
    (values.Whole(1, 65535), 1, 1),
    (values.Whole(1, 65535), "65535", 65535),
    (values.Whole(1, 2 ** 63 - 1), str(2 ** 63 - 1), 2 ** 63 - 1),
    (values.WholeOrNone(), "None", None),
    (values.WholeOrNone(), "null ", None),
    (values.WholeOrNone(), "2", 2),
    (values.Number(), "0.5", 0.5),
    (values.Number(), 0, 0.0),
    (values.Number(0, 100), 100, 100.0),
    (values.Number(0, 1, above=True), 1, 1.0),
    *[(values.YesNo(), word, True) for word in (True, "true", "Yes", "on ", "1", 1)],
    *[(values.YesNo(), word, False) for word in (False, "false", "No", " off", "0", 0)],
    (values.Words(), ["a", 1, True, ""], ["a", "1", "true"]),
    (values.Words(), ("a",), ["a"]),
    (values.Words(), "--x='a b' --y", ["--x=a b", "--y"]),
    (values.Words(), '["a b", "c"]', ["a b", "c"]),
    (values.Words(), "- a\n- b\n", ["a", "b"]),
    (values.Numbers(), [1, "2"], [1, 2]),
    (values.Numbers(), "[1, 2]", [1, 2]),
    (values.Numbers(), 3, [3]),
    (values.Numbers(), "3", [3]),
    (values.Numbers(), [], []),
    (values.Numbers(), [None, 2, ""], [2]),  # what is not known of a run in check mode
    (values.Items(), [{"key": "gpu"}], [{"key": "gpu"}]),
    (values.Items(), '[{"key": "gpu"}]', [{"key": "gpu"}]),
    (values.Items(), "- key: gpu\n  operator: Exists\n", [{"key": "gpu", "operator": "Exists"}]),
    (values.Items(named="name"), ["mine", {"name": "yours"}], [{"name": "mine"}, {"name": "yours"}]),
    (values.Items(named="name"), "mine yours", [{"name": "mine"}, {"name": "yours"}]),
    (values.Items(named="name"), '["mine"]', [{"name": "mine"}]),
    (values.Mapping(), {"limits": {"cpu": 1}}, {"limits": {"cpu": 1}}),
    (values.Mapping(), '{"limits": {"cpu": 1}}', {"limits": {"cpu": 1}}),
    (values.Mapping(), "limits:\n  cpu: 1\n", {"limits": {"cpu": 1}}),
    (values.Mapping(), {1: 2}, {"1": 2}),
    (values.TextMapping(), {"gpu": True, "n": 1, "w": "x"}, {"gpu": "true", "n": "1", "w": "x"}),
    (LABELS, {"model": "mnist"}, {"model": "mnist"}),
    (BATCHING, {"max_batch_size": "32", "batch_timeout_micros": 0}, {"max_batch_size": 32, "batch_timeout_micros": 0}),
    (LATENCIES, '{"p99": 50}', {"p99": 50.0}),
    (LATENCIES, {"p50": "0.5"}, {"p50": 0.5}),
    (values.Columns(), {"images": "x", "meta": ["a", "b"]}, {"images": "x", "meta": ["a", "b"]}),
    (values.Columns(), {"k": 1.0, "t": False, "m": {"value": "a"}}, {"k": 1.0, "t": False, "m": {"value": "a"}}),
    (values.TextOrMapping(), " http://x/ ", "http://x/"),
    (values.TextOrMapping(), {"x": "a.npy"}, {"x": "a.npy"}),
    (values.TextOrMapping(), ' {"x": "a.npy"}', {"x": "a.npy"}),
    # Without quotes YAML reads 0755 as octal, and so does AWX on core 2.19 where they were.
    *[(values.OctalMode(), mode, "755") for mode in ("755", "0755", 755, 493, " 755 ")],
    (values.OctalMode(), 420, "644"), (values.OctalMode(), 644, "644"), (values.OctalMode(), "0644", "644"),
    (values.OctalMode(), 504, "770"), (values.OctalMode(), 440, "440"), (values.OctalMode(), 448, "700"),
    (values.OctalMode(), "2755", "2755"), (values.OctalMode(), "000", "000"),
    (values.ServerRelease(), "2.15.1", "2.15.1"), (values.ServerRelease(), 2.15, "2.15"), (values.ServerRelease(), " 1.4 ", "1.4"),
    (values.ServerRelease(), "2.1", "2.1"), (values.ServerRelease(), 1.4, "1.4"),
])
def test_what_is_meant(kind, value, meant):
    found = kind.read(value)
    assert found == meant and type(found) is type(meant)


@pytest.mark.parametrize(("kind", "value", "way_out"), [
    (values.Text(), True, "a text is needed, in quotes"),
    (values.Text(), ["a"], "a text is needed"),
    (values.Text(), {}, "a text is needed"),
    (values.Text(r"[a-z]{2}", "two letters"), "abc", "two letters"),
    (values.Text("", "too long", 2), "abc", "too long"),
    (values.Choice("latest", "pinned"), "pined", "use one of latest, pinned"),
    (values.Choice("latest", "pinned"), True, "use one of latest, pinned"),
    (values.Whole(), -1, "use a whole number from 0"),
    (values.Whole(1, 65535), 0, "use a whole number from 1 to 65535"),
    (values.Whole(1, 65535), 65536, "use a whole number from 1 to 65535"),
    (values.Whole(), "1.5", "use a whole number from 0"),
    (values.Whole(), 1.0, "use a whole number from 0"),
    (values.Whole(), True, "use a whole number from 0"),
    (values.Whole(), "two", "use a whole number from 0"),
    (values.Whole(), "1" * 21, "use a whole number from 0"),
    (values.WholeOrNone(), "no", "use a whole number from 0, or none to leave the count to an autoscaler or a human"),
    (values.Number(), "x", "use a number from 0"),
    (values.Number(), math.nan, "use a number from 0"),
    (values.Number(), "inf", "use a number from 0"),
    (values.Number(), True, "use a number from 0"),
    (values.Number(), -0.1, "use a number from 0"),
    (values.Number(0, 100), 100.1, "use a number from 0"),
    (values.Number(0, above=True), 0, "use a number above 0"),
    (values.Number(2), 1, "use a number from 2"),
    (values.YesNo(), "flase", "use true or false (yes/no, on/off, 1/0)"),
    (values.YesNo(), 2, "use true or false (yes/no, on/off, 1/0)"),
    (values.YesNo("; empty means true"), "x", "use true or false (yes/no, on/off, 1/0; empty means true)"),
    (values.Words(), 3, "a list is needed"),
    (values.Words(), {"a": 1}, "a list is needed"),
    (values.Words(), "a 'b", "a list is needed (No closing quotation)"),
    (values.Numbers(), [0], "use a list of whole numbers from 1"),
    (values.Numbers(), "x", "use a list of whole numbers from 1"),
    (values.Items(), "gpu Exists", "a list is needed"),
    (values.Items(), {"key": "gpu"}, "a list is needed"),
    (values.Items(), ["gpu"], "a list of mappings is needed"),
    (values.Items(named="name"), '{"a": 1}', "a list is needed"),
    (values.Mapping(), "lots", "a mapping is needed"),
    (values.Mapping(), ["a"], "a mapping is needed"),
    (values.Mapping(), "[1]", "a mapping is needed"),
    (LABELS, {"model": "Mnist"}, "use letters"),
    (BATCHING, {"max_batchsize": 8}, "its keys are max_batch_size, batch_timeout_micros"),
    (BATCHING, {"max_batch_size": 0}, "max_batch_size is a whole number from 1"),
    (BATCHING, {"batch_timeout_micros": -1}, "batch_timeout_micros is a whole number from 0"),
    (LATENCIES, {"p95": 1}, "use a mapping of p50 and p99"),
    (LATENCIES, {"p99": 0}, "use a mapping of p50 and p99"),
    (LATENCIES, {"p99": "x"}, "use a mapping of p50 and p99"),
    (LATENCIES, "50", "use a mapping of p50 and p99"),
    *((values.Columns(), {"images": wrong},
       "use a mapping of the model's inputs to columns of the dataset, such as {images: images}, or to values, such as"
       " {keep_prob: 1.0} or {mode: {value: text}}") for wrong in ("", None, [], {}, {"x": 1}, {"value": 1, "x": 2})),
    (values.TextOrMapping(), ["a"], "a text is needed"),
    (values.TextOrMapping(), {"x": ["a"]}, "a text is needed"),
    (values.OctalMode(), 511, 'use an octal mode in quotes, such as "755"'),  # 511 or 777
    (values.OctalMode(), "888", 'use an octal mode in quotes, such as "755"'),
    (values.OctalMode(), "rwx", 'use an octal mode in quotes, such as "755"'),
    (values.OctalMode(), True, 'use an octal mode in quotes, such as "755"'),
    (values.OctalMode(), 7, 'use an octal mode in quotes, such as "755"'),
    (values.ServerRelease(), "latest", 'use a release of TensorFlow Serving in quotes, such as "2.15"'),
    (values.ServerRelease(), 2, 'use a release of TensorFlow Serving in quotes, such as "2.15"'),
    (values.ServerRelease(), True, 'use a release of TensorFlow Serving in quotes, such as "2.15"'),
    # What was 2.10 is 2.1 as a number.
    (values.ServerRelease(), 2.1, 'this may be 2.1 or 2.10: write all three numbers, such as "2.15.1"'),
    (values.ServerRelease(), 2.2, 'this may be 2.2 or 2.20: write all three numbers, such as "2.15.1"'),
])
def test_what_is_none_of_its_kind(kind, value, way_out):
    with pytest.raises(Unfit) as error:
        kind.read(value)
    assert str(error.value) == way_out


@pytest.mark.parametrize("value", [None, "", "  ", "\n"])
def test_blank(value):
    assert blank(value)


@pytest.mark.parametrize("value", [0, False, "0", [], {}, " a"])
def test_an_answer(value):
    assert not blank(value)


def test_types_are_those_of_argument_specs():
    assert {kind().type for kind in (values.Text, values.Choice, values.OctalMode, values.ServerRelease)} == {"str"}
    assert (values.Whole().type, values.Number().type, values.YesNo().type, values.Mapping().type) == ("int", "float", "bool", "dict")
    assert (values.WholeOrNone().type, values.TextOrMapping().type) == ("raw", "raw")
    assert [(kind.type, kind.elements) for kind in (values.Words(), values.Numbers(), values.Items(), values.Items(named="name"))] == [
        ("list", "str"), ("list", "int"), ("list", "dict"), ("list", "raw"),
    ]
