from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tf_lab import settings


def test_our_tensors_are_the_official_ones():
    """31 types in 9 shapes, and what hypothesis finds."""
    script = Path(__file__).with_name("official_tensors.py")
    done = subprocess.run(
        [sys.executable, str(script), str(settings.CACHE / "tensorflow")],
        capture_output=True, text=True, timeout=300, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "279 tensors and 6 properties agree"
