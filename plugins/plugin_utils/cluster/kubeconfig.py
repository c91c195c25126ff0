# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kubeconfig that a run goes by, read before the official client reads it: what is wrong there it says as the objects of Python
that it stumbles over, and a program that gives no token it only notes in a log, and asks without.
"""
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import login

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEFAULT = "~/.kube/config"
SECTIONS = ("contexts", "clusters", "users")
OTHER_WAY = "use a program that gives a token (exec), or set K8S_AUTH_HOST and K8S_AUTH_API_KEY"

Entry = dict[str, Any]


class Unusable(ValueError):
    """Nothing can be asked by it. The message is a sentence without its full stop."""


class Chosen(NamedTuple):
    """What a context of it says."""

    cluster: Entry
    user: Entry


def choose(source: str | Mapping[str, Any] | None, context: str | None, environment: Mapping[str, str]) -> Chosen:
    """source: path, or paths as KUBECONFIG has them, or its content; None for the one that kubectl takes."""
    if isinstance(source, Mapping):
        title, there = "the kubeconfig", _merged([("the kubeconfig", source)])
    else:
        title, there = _read(source, environment)
    wanted = context or there["current-context"]
    if not wanted:
        raise Unusable("%s has no current-context: set K8S_AUTH_CONTEXT to %s" % (title, _either(there["contexts"])))
    if wanted not in there["contexts"]:
        raise Unusable("%s has no context %s: set K8S_AUTH_CONTEXT to %s" % (title, wanted, _either(there["contexts"])))
    chosen = there["contexts"][wanted]
    cluster = there["clusters"].get(chosen.get("cluster"))
    if cluster is None:
        raise Unusable("%s has no cluster %s, which its context %s names" % (title, chosen.get("cluster"), wanted))
    if not cluster.get("server"):
        raise Unusable("%s has no server for its cluster %s" % (title, chosen.get("cluster")))
    return Chosen(cluster, there["users"].get(chosen.get("user")) or {})


def _read(source: str | None, environment: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """(title, what its files say together). Of several files those count that are there."""
    paths = source or environment.get("KUBECONFIG") or DEFAULT
    files = [os.path.expanduser(path) for path in paths.split(os.pathsep) if path]
    there = [path for path in files if os.path.exists(path)]
    if not there and paths == DEFAULT:
        raise Unusable(
            "no cluster is named: there is no KUBECONFIG, no %s, and not both K8S_AUTH_HOST and K8S_AUTH_API_KEY" % DEFAULT)
    if not there:
        raise Unusable("there is no kubeconfig %s" % ", ".join(files))
    return " and ".join(there), _merged([(path, _parsed(path)) for path in there])


def _parsed(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return yaml.load(file, LOADER)  # noqa: S506 - a safe one
    except OSError as error:
        raise Unusable("the kubeconfig %s cannot be read: %s" % (path, error.strerror)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise Unusable("the kubeconfig %s is no YAML%s" % (path, " (line %d)" % (mark.line + 1) if mark else "")) from error


def _merged(files: list[tuple[str, Any]]) -> dict[str, Any]:
    """{current-context, contexts, clusters, users}, the latter by name. The first that names one has it."""
    merged: dict[str, Any] = {"current-context": "", **{section: {} for section in SECTIONS}}
    for title, data in files:
        if data is None or data == {}:
            raise Unusable("the kubeconfig %s is empty" % title)
        if not isinstance(data, Mapping) or not any(section in data for section in (*SECTIONS, "current-context")):
            raise Unusable("%s is no kubeconfig: it begins with %r" % (title, " ".join(str(data).split())[:40]))
        for section in SECTIONS:
            entries = data.get(section) or []
            if not isinstance(entries, list) or not all(isinstance(entry, Mapping) and entry.get("name") for entry in entries):
                raise Unusable("%s is no kubeconfig: its %s are no list of things with a name" % (title, section))
            for entry in entries:
                merged[section].setdefault(entry["name"], dict(entry.get(section[:-1]) or {}))
        merged["current-context"] = data.get("current-context") or merged["current-context"]
    return merged


def _either(names: Mapping[str, Any]) -> str:
    return "one of its own: %s" % ", ".join(sorted(map(str, names))[:5]) if names else "one that is there (it has none)"


def refuse_token(user: Entry) -> None:
    """What kubectl and Helm do not take: the release's own step would be the first to fail."""
    token = user.get("token")
    if token and login.bare_token(str(token)) != token:
        raise Unusable("the kubeconfig's token has more than the token (a line break, a blank or the word Bearer): write it alone")


def no_credentials(user: Entry, said: list[str]) -> str:
    """Why the client has found nothing to log in with: a sentence, empty where there is nothing to say.

    said: what it has noted in its log.
    """
    program = user.get("exec") or {}
    if program and said:
        hint = " ".join(str(program.get("installHint") or "").split())
        told = " ".join(said[-1].split()).removeprefix("exec: ")[:300]
        return "the login program %s of the kubeconfig gives no token: %s%s" % (
            program.get("command"), told, hint and " (%s)" % hint)
    if "auth-provider" in user:
        return "the kubeconfig's auth-provider %s gives no token, clients no longer know it or its login has ended: %s" % (
            (user["auth-provider"] or {}).get("name"), OTHER_WAY)
    return ""
