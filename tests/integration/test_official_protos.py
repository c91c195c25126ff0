from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tf_lab import settings


@pytest.mark.parametrize(("script", "timeout", "says"), [
    ("official_protos.py", 120, "108 fields are the same"),
    ("official_tensors.py", 300, "279 tensors and 6 properties agree"),  # 31 types in 9 shapes, and what hypothesis finds
])
def test_ours_are_the_official_ones(script, timeout, says):
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), str(settings.CACHE / "tensorflow")],
        capture_output=True, text=True, timeout=timeout, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == says
