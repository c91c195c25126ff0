from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import _cluster

UNIT = Path(__file__).resolve().parents[2]


def test_a_module_starts_without_the_kubernetes_client():
    """Its import takes longer than a whole check of an address."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import conftest\n"
        "from ansible_collections.mlops.tf_serving.plugins.modules import inference_check\n"
        "print([name for name in ('kubernetes', 'ansible.module_utils.urls', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(UNIT)], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


class Module:
    params: dict = {}

    def fail_json(self, **result):
        raise SystemExit(result["msg"])


@pytest.mark.parametrize("missing", ["kubernetes.client", "urllib3.exceptions"])
def test_a_missing_library_is_named(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit, match="kubernetes"):
        _cluster.connect(Module())
