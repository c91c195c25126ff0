# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""URLs as people type them, on their way to a server."""

from urllib.parse import SplitResult


def ascii_netloc(parts: SplitResult) -> str:
    """User, host and port, a host in another script as IDNA. A UnicodeError where that is no name of a host."""
    user, at, host = parts.netloc.rpartition("@")
    if all(letter <= "\x7f" for letter in host):
        return parts.netloc
    return user + at + str(parts.hostname).encode("idna").decode() + (":%d" % parts.port if parts.port else "")
