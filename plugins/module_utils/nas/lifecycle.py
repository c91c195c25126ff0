# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of versions that are there: withdrawn, pruned, noted as checked or as the one that people went back to.

Imported by who changes that, for most runs only look, and on the node each compiles anew all that it imports.
"""

import os
from typing import List

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Request
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.staging import is_tidy
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.versions import (
    NOT_LIVE,
    Entry,
    Model,
    Result,
    described,
    now,
    numbers,
    still_chosen,
)


def versions(export: str, request: Request, check_mode: bool = False) -> Result:
    """List the versions, after withdrawing and pruning what `request` asks for. Returns the module's result."""
    before_umask = os.umask(0o022)
    try:
        return _versions(Model(export, request), request, check_mode)
    finally:
        os.umask(before_umask)


def _versions(model: Model, request: Request, check_mode: bool) -> Result:
    before = model.entries()
    plan = _Plan(model, request)
    after = plan.forecast(before)
    if not check_mode and request.acts and (plan.anything() or not is_tidy(model.staging)):
        with model.locked(request.lock_timeout, "withdrawing or pruning versions") as (work, made):
            plan = _Plan(model, request)  # again: the run that held the lock may have changed what there is
            plan.carry_out(work, made)
        after = model.entries()
    return {
        "changed": plan.anything(), "path": request.base_path, "versions": after, "withdrawn": plan.withdraw,
        "pruned": sorted(plan.prune + plan.clear), "left": model.left_alone() if request.acts else [],
        "diff": {"before": described(request.base_path, before), "after": described(request.base_path, after)},
    }


class _Plan:
    """What is to be done to the versions as they are now. Without a request to act: nothing."""

    def __init__(self, model: Model, request: Request) -> None:
        self.model, self.request, self.now = model, request, now()
        self.withdraw: List[int] = []
        self.prune: List[int] = []
        self.clear: List[int] = []  # withdrawn ones whose data goes
        self.check: List[int] = []
        self.choose: List[int] = []
        if not request.acts:
            return
        live = model.versions()
        self.withdraw = self._to_withdraw(sorted(live))
        left = sorted(set(live) - set(self.withdraw))
        for version in self.withdraw:
            if not model.has_room(version):
                raise model.no_room(version)
        if request.withdraw and self.withdraw and not any(model.loadable(version) for version in reversed(left)):
            raise Error(
                "Without version %s no version that could serve would be left in %s, and every server would unload the model."
                " Nothing was changed. Publish another version first: playbooks/publish.yml."
                % (numbers(self.withdraw), request.base_path), "only_version", withdraw=self.withdraw,
            )
        self.choose = self._to_choose(left)
        self.check = [
            version for version in request.checked
            if version in left and model.stored(version) and not model.stored(version).get("checked")
        ]
        if request.keep:
            self._make_room(left)

    def _to_choose(self, left: List[int]) -> List[int]:
        """The target, unless that is noted already or nobody would prune it: one that came by hand has no record."""
        target, model = self.request.target, self.model
        if target is None:
            return []
        if target not in left or not model.loadable(target):
            raise Error(
                "Version %d is no version to go back to: it is not live in %s, or no server could load it. Another run may have"
                " pruned or withdrawn it. Nothing was changed. Live: %s."
                % (target, self.request.base_path, numbers(left) or "none"), "version_not_live", version=target,
            )
        return [target] if model.stored(target) and model.chosen() != [target] else []

    def _to_withdraw(self, live: List[int]) -> List[int]:
        """Those that are asked for and live, and those whose withdrawal a run that died has begun."""
        asked = self.request.withdraw
        unknown = [version for version in asked if version not in live and not self.model.stored(version).get("withdrawn")]
        if unknown:
            raise Error(
                "Version %d is not live in %s, so it cannot be withdrawn. Live: %s."
                % (unknown[0], self.request.base_path, numbers(live) or "none"), "version_not_live", version=unknown[0],
            )
        return sorted({version for version in asked if version in live} | set(self.model.unfinished()))

    def _make_room(self, left: List[int]) -> None:
        # A version with a problem is nobody's spare: it does not count, and it is not ours to delete.
        model, keep = self.model, self.request.keep
        spared = {*self.request.in_use, *filter(self._is_still_chosen, model.chosen())}
        whole = [version for version in left if model.whole(version) and model.is_ours(version)]
        self.prune = [version for version in whole[:-keep] if version not in spared]
        aside = [
            version for version in sorted({*model.aside(), *self.withdraw})
            if (version in self.withdraw or model.stored(version).get("withdrawn")) and model.is_ours(version)
        ]
        self.clear = [version for version in aside[:-keep] if version not in spared]

    def _is_still_chosen(self, version: int) -> bool:
        stored, model = self.model.stored, self.model
        return still_chosen(stored(version)["chosen"], (
            stored(other).get("published") for other in model.versions()
            if other not in self.withdraw and (other in self.check or stored(other).get("checked"))))

    def anything(self) -> bool:
        return bool(self.withdraw or self.prune or self.clear or self.check or self.choose)

    def carry_out(self, work: str, made: List[str]) -> None:
        model = self.model
        for version in {*model.chosen(), *self.choose} if self.choose else ():
            model.write_record(dict(model.stored(version), chosen=self.now if version in self.choose else None), work, made)
        # The lowest first: the highest is the one that serves, and its successor should be the final one.
        for version in self.withdraw:
            record = model.stored(version)
            if not record.get("withdrawn") or version in self.request.withdraw:
                record = record or {"version": version, "files": {
                    path: {"size": size} for path, size in model.sizes(version).items() if size >= 0}}
                record = dict(record, withdrawn={"at": self.now, "reason": self.request.reason})
                for mark in ("pruned", "checked"):  # if it comes back, it has to prove itself again
                    record.pop(mark, None)
                model.write_record(record, work, made)
            model.take_out(version, work, made)
        for version in self.check:
            model.write_record(dict(model.stored(version), checked=self.now), work, made)
        for version in self.prune:
            model.write_record(dict(model.stored(version), pruned={"at": self.now}), work, made)
        # A folder that others changed meanwhile stays.
        self.prune = [version for version in self.prune if model.discard(version, model.base, model.versions()[version], work)]
        self.clear = [version for version in self.clear if model.discard(version, model.withdrawn, model.aside()[version], work)]

    def forecast(self, entries: List[Entry]) -> List[Entry]:
        """The entries as they will be."""
        forecast = []
        for entry in entries:
            version = entry["version"]
            change: Entry = {}
            if version in self.withdraw:
                mark = self.model.stored(version).get("withdrawn") if version not in self.request.withdraw else None
                mark = mark or {"at": self.now, "reason": self.request.reason}
                change = {"state": "withdrawn", "at": mark["at"], "reason": mark["reason"], "problem": "", "checked": None, **NOT_LIVE}
            if version in self.check:
                change = {"checked": self.now}
            if version in self.prune:
                change = dict(change, state="pruned", at=self.now, **NOT_LIVE)
            if version in self.prune + self.clear:
                change["size"] = 0
            forecast.append(dict(entry, **change))
        return forecast
