from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tf_lab import settings


def test_our_messages_are_the_official_ones():
    script = Path(__file__).with_name("official_protos.py")
    done = subprocess.run(
        [sys.executable, str(script), str(settings.CACHE / "tensorflow")],
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "101 fields are the same"
