"""Entry point of tests/lab/lab; says in old Python what new Python is needed for."""
import sys

if sys.version_info < (3, 11):
    sys.exit("lab: python3 is %s at %s, the lab needs 3.11 or newer: put one first in PATH."
             % (".".join(map(str, sys.version_info[:2])), sys.executable))

from .cli import main  # noqa: E402

sys.exit(main())
