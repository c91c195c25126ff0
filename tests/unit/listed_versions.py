"""Versions as model_versions lists them, and what serves, as serving_status has it."""
from __future__ import annotations

YES = "2026-11-22T16:20:00Z"


def entry(version, checked=YES, state="live", **more):
    return {"version": version, "state": state, "published": "2026-11-22T16:18:00Z", "checked": checked, "size": 51712,
            "checksum": "sha256:2c26b46b68ffc68f", "source": "https://x/%d.tgz" % version, "problem": "", "reason": None,
            "at": None, "servable": state == "live", "unfinished": False, **more}


def listed(*entries, problem=""):
    return {"versions": list(entries), "problem": problem}


def status(*serves, policy="latest", stable=None, canary=None):
    return {"policy": policy, "stable": stable, "canary": canary, "all_asked": True, "pods": [
        {"serves": version, "terminating": False, "versions": [*([version] if version else []), *([canary] if canary else [])]}
        for version in serves]}


def pinned(stable, canary=None):
    return status(stable, stable, policy="pinned", stable=stable, canary=canary)
