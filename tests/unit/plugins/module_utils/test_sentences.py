from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.sentences import joined, stopped_once


def test_joined():
    assert joined("The pod failed", "", " Look at its log. ", "It says: x..") == "The pod failed. Look at its log. It says: x."
    assert joined("") == joined() == ""


@pytest.mark.parametrize(("text", "once"), [
    ("It failed.. Run again..", "It failed. Run again."), ("one\ntwo..\nthree", "one\ntwo.\nthree"),
    ("use -e model_archive=... -e x=..., or wait ...", None), ("the path ../mnist, or ..", None), ("1..2", None), ("It is so.", None),
])
def test_stopped_once(text, once):
    assert stopped_once(text) == (once or text)
