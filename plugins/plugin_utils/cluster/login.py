# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Address and token as people copy them: out of a file, whose line ends with them, or with the header that they were sent in. Pure."""
from __future__ import annotations

import re
from collections.abc import Mapping

AROUND = "\ufeff \t\r\n"


def bare_token(text: str) -> str:
    return re.sub(r"(?i)^(bearer\s+)+", "", text.strip(AROUND)).strip(AROUND)


def bare_host(text: str) -> str:
    return text.strip(AROUND)


def bare(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of a process environment that are there, as they are meant."""
    kinds = {"K8S_AUTH_HOST": bare_host, "K8S_AUTH_API_KEY": bare_token}
    return {name: meant(environment[name]) for name, meant in kinds.items() if name in environment}
