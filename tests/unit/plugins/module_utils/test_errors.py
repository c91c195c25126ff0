from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error


def test_an_error_is_its_message_its_code_and_its_details():
    error = Error("no", "some_code", found=[1])
    assert (str(error), error.message, error.code, error.details) == ("no", "no", "some_code", {"found": [1]})
    assert error.as_dict() == {"message": "no", "code": "some_code", "details": {"found": [1]}}
    assert Error("no").as_dict() == {"message": "no", "code": "error", "details": {}}


def test_what_it_quotes_may_end_with_a_full_stop():
    assert str(Error("Helm says: %s. Try again." % "it is broken.")) == "Helm says: it is broken. Try again."
    assert Error("It ended..", "x").as_dict()["message"] == "It ended."
