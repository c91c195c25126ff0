"""module_defaults of a group reach every module that takes its options, and no other."""
from __future__ import annotations

import pytest
import yaml
from documented import documented

import conftest

ROOT = conftest.ROOT
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
# Options by which a module belongs to a group.
GROUPS = {"k8s": {"kubeconfig", "host", "api_key", "context"}, "nas": {"nas_server", "nas_export", "base_path", "mount_timeout"}}
DECLARED = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]


def test_which_groups_there_are():
    assert set(DECLARED) == set(GROUPS)


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_who_belongs_to_it(group):
    takes = {module: set(documented(module)) & GROUPS[group] for module in MODULES}
    assert DECLARED[group] == sorted(module for module, options in takes.items() if options == GROUPS[group])


@pytest.mark.parametrize("module", MODULES)
def test_who_takes_the_api_takes_all_of_it(module):
    from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs

    assert set(documented(module)) & set(specs.API) in (set(), set(specs.API))
