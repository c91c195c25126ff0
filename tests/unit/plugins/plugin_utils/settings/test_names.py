"""Names of Kubernetes objects are the tutorial's, and fit whatever the model is called."""
from __future__ import annotations

import itertools
import random
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import CHART, label_value, object_names, release_name
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import MODEL
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import Wrong, settle
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.values import Unfit

# By Kubernetes' own documentation.
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")  # of a Service
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
HELM_LENGTH = 53  # of a release's name


def test_the_tutorials_names():
    assert object_names("mnist-deploy") == {
        "deployment": "mnist-deploy-serving",
        "service": "mnist-deploy-acs-tensorflow-serving",
        "claim": "mnist-deploy-acs-tensorflow-serving",
        "parameters": "mnist-deploy-serving",
        "model_config": "mnist-deploy-model-config",
        "check": "mnist-deploy-check",
        "selector": "app.kubernetes.io/name=acs-tensorflow-serving,app.kubernetes.io/instance=mnist-deploy",
    }
    assert CHART == "acs-tensorflow-serving"


def takes(name):
    try:
        return MODEL.read(name) == name
    except Unfit:
        return False


MODELS = st.one_of(st.text(max_size=200), st.from_regex(r"[A-Za-z0-9._-]{1,200}", fullmatch=True)).filter(takes)


@pytest.mark.parametrize(("model", "release", "label"), [
    ("mnist", "mnist-deploy", "mnist"),
    ("m" * 33, "m" * 33 + "-deploy", "m" * 33),
    ("m" * 34, "m" * 22 + "-deploy-507d000152", "m" * 34),
    ("fraud-detection", "fraud-detection-deploy", "fraud-detection"),
    ("fraud_detection", "fraud-detection-deploy-83089932c4", "fraud_detection"),
    ("Resnet50", "resnet50-deploy-", "Resnet50"),
    ("bert.v2", "bert-v2-deploy-", "bert.v2"),
    ("3d-net", "model-3d-net-deploy-", "3d-net"),
    ("欺诈", "model-deploy-", "model-"),
    ("-x-", "x-deploy-", "x-"),
    ("a b", "a-b-deploy-", "a-b-"),
    ("m" * 64, "m" * 22 + "-deploy-", "m" * 52 + "-"),
])
def test_what_follows_from_a_models_name(model, release, label):
    # Where something was changed or cut, a hash stands at the end.
    assert re.fullmatch(re.escape(release) + ("[0-9a-f]{10}" if release.endswith("-") else ""), release_name(model))
    assert re.fullmatch(re.escape(label) + ("[0-9a-f]{10}" if label.endswith("-") else ""), label_value(model))


@given(MODELS)
@example("a" * 200)
@example("é" * 100)
@example("A-" * 100)
@example("x" * 21 + "-" * 100 + "y")
@example("$(HOME)")
def test_whatever_the_name_what_follows_from_it_fits(model):
    release, label = release_name(model), label_value(model)
    names = object_names(release)
    for kind in ("deployment", "service", "claim", "parameters", "model_config", "check"):
        assert DNS_1035.fullmatch(names[kind]), kind
    assert len(release) <= HELM_LENGTH and LABEL_VALUE.fullmatch(release) and LABEL_VALUE.fullmatch(label) and label
    assert (release, label) == (release_name(model), label_value(model))


@given(MODELS)
def test_a_name_that_fits_stays_as_it_is(model):
    by_hand = model + "-deploy"
    if DNS_1035.fullmatch(by_hand + "-" + CHART):
        assert release_name(model) == by_hand
    else:
        assert re.search("-deploy-[0-9a-f]{10}$", release_name(model))
    if LABEL_VALUE.fullmatch(model):
        assert label_value(model) == model


def test_no_two_of_many_names_give_the_same():
    chance = random.Random(1)
    letters = string.ascii_lowercase[:3] + "ABC_-. é"
    names = {"".join(chance.choices(letters, k=chance.randint(1, 8))) for _number in range(50000)}
    names |= {"m" * 60 + name for name in names}
    names = {name for name in names if takes(name)}
    assert len(names) > 50000
    assert len({release_name(name) for name in names}) == len({label_value(name) for name in names}) == len(names)


HOSTS = [
    "mnist", "fraud_detection", "fraud-detection", "fraud.detection", "Fraud-Detection", "Resnet50", "resnet50", "bert.v2", "bert-v2",
    "x" * 80, "x" * 79, "ends-", "ends", "-begins", "3d-net", "model-3d-net", "10.0.0.1", "node.example.com", "\u6b3a\u8bc8",
    "\u6b3a\u8bc8\u68c0", "caf\u00e9", "cafe\u0301", "a b", "a  b", "---", "_", "~", "1", "true", "-rf", "$(HOME)", "%s", "a'b", "a@b",
    "a=b", "model,1", "#x", "mnist-canary", "\u00e9" * 100,
]


def of_host(host, **given):
    return settle(host, {"model_nas_server": "nas", "model_node": "node", **given}, together=False)


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_of_that_name_is_a_model_whose_names_all_fit(host):
    settled = of_host(host)
    assert settled["model"]["name"] == settled["serving"]["model_name"] == settled["check"]["served_name"] == host
    assert settled["model"]["base_path"] == "/serving/model/" + host
    for kind in ("deployment", "service", "claim", "parameters", "model_config", "check"):
        assert DNS_1035.fullmatch(settled["serving"]["names"][kind]), kind
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", settled["volume"]["name"])
    assert LABEL_VALUE.fullmatch(settled["volume"]["model"])


def test_and_no_two_of_them_share_one():
    all_of_them = [of_host(host) for host in HOSTS]
    for section, field in (("serving", "release"), ("volume", "name"), ("volume", "model"), ("model", "base_path")):
        assert len({settled[section][field] for settled in all_of_them}) == len(HOSTS)


@pytest.mark.parametrize("host", ["...", ".hidden", "a/b", "a:b", "a\tb", "x" * 201, "\u00e9" * 101, "model[1:3]", "a\u0085b"])
def test_one_that_can_be_no_model_says_where_its_name_came_from(host):
    with pytest.raises(Wrong) as caught:
        of_host(host)
    assert caught.value.message.startswith("model_name is %r: use at most 200 bytes" % host)
    assert caught.value.message.endswith(
        " It is the host's name in the inventory: set model_name for this host, or rename it.")
    assert list(caught.value.problems) == ["model_name"]
    assert of_host(host, model_name="mnist")["serving"]["release"] == "mnist-deploy"


@pytest.mark.parametrize(("variable", "value"), [
    ("model_name", "a/b"), ("serving_model_name", ".a"), ("serving_release", "Bad_Name"), ("serving_release", "x" * 41),
    ("serving_release", "3d"), ("serving_release", "ends-"), ("serving_namespace", "Prod"), ("serving_namespace", "ends-"),
    ("volume_name", "A_b"), ("volume_name", "a..b"), ("volume_model", "-x"), ("serving_volume_labels", {"model": "a b"}),
])
def test_one_that_somebody_set_is_named_with_its_variable(variable, value):
    with pytest.raises(Wrong) as caught:
        of_host("mnist", **{variable: value})
    assert caught.value.message.startswith("%s is %r: use " % (variable, value)) and "inventory" not in caught.value.message
    assert list(caught.value.problems) == [variable]


def test_releases_of_other_names_share_nothing():
    """Of each kind no ending is another's: so two names of objects are the same only where the releases are."""
    kinds = {
        "Deployment": ["deployment"], "Service": ["service"], "PersistentVolumeClaim": ["claim"],
        "ConfigMap": ["parameters", "model_config", "check"]}
    endings = object_names("")
    assert {name for names in kinds.values() for name in names} == set(endings) - {"selector"}
    for names in kinds.values():
        assert not [pair for pair in itertools.permutations(names, 2) if endings[pair[0]].endswith(endings[pair[1]])]
