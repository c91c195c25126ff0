"""The README names only what exists."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import needed_by, settle

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("model", "volume", "serving", "scaling", "check")


def test_every_variable_of_the_readme_exists():
    known = {"gpu"}
    for role in ROLES:
        specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
        known |= set(specs["argument_specs"]["main"]["options"])
    named = set(re.findall(r"`((?:%s)_[a-z_]+)`" % "|".join(ROLES), (ROOT / "README.md").read_text()))
    assert named and named <= known, named - known


def test_every_file_that_the_readme_links_exists():
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).is_file(), target


def test_every_playbook_of_the_readme_exists():
    for playbook in re.findall(r"`((?:playbooks/)?[a-z]+\.yml)", (ROOT / "README.md").read_text()):
        assert (ROOT / playbook).is_file(), playbook


def test_the_smallest_inventory_is_small_and_complete():
    example = next(text for text in re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL) if "models:" in text)
    inventory = yaml.safe_load(example)
    models = inventory["models"]
    given = {**models["vars"], **models["hosts"]["mnist"]}
    assert set(given) == {"model_archive", "check_dataset", "model_node", "model_nas_server", "serving_image"}
    settle("mnist", given, required=needed_by(ROLES), hosts=list(inventory["nas_nodes"]["hosts"]))


README = " ".join((ROOT / "README.md").read_text().split())
CLAIMS = yaml.safe_load((ROOT / "tests" / "claims.yml").read_text())


@pytest.mark.parametrize("entry", CLAIMS, ids=lambda entry: entry["claim"][:40])
def test_what_is_promised_is_tested(entry):
    assert " ".join(entry["claim"].split()) in README
    assert entry["tests"]
    for name in entry["tests"]:
        path, dummy, function = name.partition("::")
        text = (ROOT / path).read_text()
        assert not function or re.search(r"^ *def %s\(" % function, text, re.MULTILINE), name


@pytest.mark.parametrize("section", ["Versions", "The check", "What you can trust", "What people run"])
def test_no_promise_is_without_a_test(section):
    text = re.search(r"^## %s\n(.*?)^## " % section, (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL).group(1)
    promises = [
        " ".join(item.split()) for item in re.findall(r"^- (.*?)(?=^- |^\n|\Z)", text, re.MULTILINE | re.DOTALL)
    ] or [line for line in text.splitlines() if line.startswith("| `")]
    assert len(promises) > 3
    claims = [" ".join(entry["claim"].split()) for entry in CLAIMS]
    bare = [promise for promise in promises if not any(claim in promise for claim in claims)]
    assert not bare, bare
