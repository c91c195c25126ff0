"""The text of the model config, and the steps from one to another."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import (
    Config,
    Model,
    from_text,
    resting,
    sentence,
    steps,
    to_text,
)

MNIST = Model("mnist", "/serving/model/mnist")

TEXT = """\
model_config_list {
  config {
    name: "mnist"
    base_path: "/serving/model/mnist"
    model_platform: "tensorflow"
    model_version_policy {
      specific {
        versions: 1
      }
    }
    version_labels {
      key: "stable"
      value: 1
    }
  }
  config {
    name: "mnist-canary"
    base_path: "/serving/model/mnist"
    model_platform: "tensorflow"
    model_version_policy {
      specific {
        versions: 2
      }
    }
  }
}
"""


def test_the_text():
    assert to_text(resting(1, 2), MNIST) == TEXT


@pytest.mark.parametrize("config", [resting(1), resting(1, 2), Config((1, 2), 2, 2), Config((1, 2), 1, None)])
def test_what_is_written_is_read(config):
    assert from_text(to_text(config, MNIST), MNIST) == config


@pytest.mark.parametrize("name", ['it"s', "it's", "back\\slash", "a # b", "欺诈检测", "{ name: 1 }", "\u2028"])
def test_a_name_may_hold_what_the_text_is_made_of(name):
    model = Model(name, "/serving/model/" + name)
    text = to_text(resting(1, 2), model)
    assert from_text(text, model) == resting(1, 2) and from_text(text, Model(name, None)) == resting(1, 2)
    with pytest.raises(Error) as error:
        from_text(text, MNIST)
    assert error.value.code == "model_config_foreign"


def test_it_may_be_written_by_hand():
    text = TEXT.replace("\n", " ").replace("versions: 1", "versions: [2, 1]") + "# a comment"
    assert from_text(text, MNIST) == Config((1, 2), 1, 2)


@pytest.mark.parametrize(("text", "says"), [
    ("", "does not say which versions of mnist are served"),
    ("rubbish", "in line 1:"),
    (TEXT.replace('"mnist"', '"digits"'), "names the model 'digits', and serving_model_name is 'mnist'"),
    (TEXT.replace("/serving/model/mnist", "/models"), "its base path is /models, and serving_mount_path is /serving/model/mnist"),
    (TEXT.replace("value: 1", "value: 3"), "the label stable is on version 3, and mnist serves 1"),
    (TEXT.replace('"stable"', '"canary"'), "which one is stable"),
    (TEXT.replace("versions: 2", "versions: 2 versions: 3"), "which one is stable"),
    (TEXT.replace("mnist-canary", "mnist"), "which one is stable"),
    (TEXT.replace("specific {", "latest {"), "in line"),
])
def test_what_is_not_ours_is_not_touched(text, says):
    with pytest.raises(Error) as caught:
        from_text(text, MNIST)
    assert caught.value.code == "model_config_foreign" and says in caught.value.message


def test_a_candidate_comes_and_goes_in_one_step():
    assert steps(resting(1), resting(1, 2)) == [resting(1, 2)]
    assert steps(resting(1, 2), resting(1)) == [resting(1)]
    assert steps(resting(1, 2), resting(1, 3)) == [resting(1, 3)]
    assert steps(resting(1), resting(1)) == [resting(1)]


def test_promotion():
    assert steps(resting(1, 2), resting(2)) == [Config((1, 2), 1, 2), Config((1, 2), 2, 2), resting(2)]


def test_rollback_is_promotion_downwards():
    assert steps(resting(2), resting(1)) == [Config((1, 2), 2, None), Config((1, 2), 1, None), resting(1)]


def test_another_candidate_does_not_keep_the_label_from_moving():
    assert steps(resting(2, 3), resting(1)) == [Config((1, 2), 2, None), Config((1, 2), 1, None), resting(1)]
    assert steps(resting(2, 3), resting(1, 3))[0] == Config((1, 2), 2, 3)


def test_from_every_step_the_same_end_is_reached():
    for begin, wanted in ((resting(1, 2), resting(2)), (resting(2), resting(1))):
        whole = steps(begin, wanted)
        for at in whole:
            assert steps(at, wanted)[-1] == wanted
        # Both were loaded everywhere before the label was written as moved, or are now.
        assert steps(whole[0], wanted) == whole
        assert steps(whole[1], wanted) == whole[1:]


@pytest.mark.parametrize("wanted", [resting(1), resting(2), resting(1, 2), resting(2, 3)])
@pytest.mark.parametrize("begin", [resting(1), resting(2), resting(1, 2), resting(2, 3), Config((1, 2), 1, 2), Config((1, 2), 2, None)])
def test_the_label_never_leaves_what_is_loaded(begin, wanted):
    before = begin
    for step in steps(begin, wanted):
        assert step.stable in step.versions
        if step.stable != before.stable:
            assert {step.stable, before.stable} <= set(before.versions), "both are loaded while the label moves"
        before = step
    assert before == wanted


def test_the_sentence():
    assert sentence(Config((1, 2), 1, 2), MNIST) == "mnist serves 1 and 2, stable is 1; mnist-canary serves 2"
    assert sentence(resting(3), MNIST) == "mnist serves 3, stable is 3"


def test_a_path_in_other_letters_stays_readable():
    model = Model("mnist", "/serving/模型")
    assert 'base_path: "/serving/模型"' in to_text(resting(1), model)
    assert from_text(to_text(resting(1), model), model) == resting(1)
