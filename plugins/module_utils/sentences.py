# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sentences for people, made of what programs say: some of it ends with a full stop, and some does not."""

import re

# Not of three: "-e model_archive=...". Not within a path: "../mnist".
TWO_STOPS = re.compile(r"(?<![.\s])\.\.(?=\s|$)")


def joined(*parts: str) -> str:
    """One sentence after the other, without those that are empty. Each ends with one full stop."""
    return " ".join(part.strip().rstrip(".") + "." for part in parts if part.strip())


def stopped_once(text: str) -> str:
    return TWO_STOPS.sub(".", text)
