"""Why a version is what it is: what it changes, which failures and critiques led to that, how it was measured.

All of it is read from the store: the release, the journal of the run that learned it, and the audit log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agentsym.deploy.evolution.shadow import Evaluation
from agentsym.learning.report.wording import count, interval, short
from agentsym.network.canonical import Frozen
from agentsym.network.diff import diff
from agentsym.network.network import Network
from agentsym.store.events import Event
from agentsym.store.live.audit import Entry
from agentsym.store.live.releases import Release
from agentsym.store.store import Store

MOST = 20  # critiques and edits that are shown
LIVE_CHANGES = ("promoted", "rolled_back", "taken over")
"""What changes two versions at once: the entry is about one, and names the other in its details."""


class Explanation(Frozen):
    """What led to a version.

    Attributes:
        release: the version as it stands.
        changes: what is different from its parent, as text.
        run: the run that learned it.
        critiques: what the teacher said of failing runs: node → what it must do differently.
        edits: what was proposed of that, and what the gates made of it.
        shadow: the shadow evaluation.
        history: its entries in the audit log, and those of the versions that took its place or gave it back, the oldest
            first.
    """

    release: Release
    changes: str
    run: str | None
    critiques: tuple[str, ...]
    edits: tuple[str, ...]
    shadow: dict[str, Any] | None
    history: tuple[Entry, ...]

    def text(self) -> str:
        """Return all of it for a person."""
        release = self.release
        lines = [f"{release.version[:12]} of {release.deployment}: {release.state} ({release.reason})"]
        lines += [f"learned from {release.parent[:12]} by run {self.run}"] if release.parent and self.run else []
        lines += ["", "What it changes", *_indented(self.changes or "nothing")]
        if self.critiques:
            lines += ["", "What was said of runs that failed (gradients)", *(f"  {line}" for line in self.critiques)]
        if self.edits:
            lines += ["", "What was proposed, and what became of it", *(f"  {line}" for line in self.edits)]
        if self.shadow:
            lines += ["", "Shadow evaluation", *_evaluation(Evaluation.model_validate(self.shadow))]
        lines += ["", "What happened", *(f"  {e.at[:19]}  {e.actor}: {self._event(e)}{_why(e)}" for e in self.history)]
        return "\n".join(lines)

    def _event(self, entry: Entry) -> str:
        """Return what happened, with the version where it is another one's entry."""
        version = entry.object_id.rpartition("@")[2]
        return entry.event if version == self.release.version else f"{version[:12]} {entry.event}"


def explain(store: Store, name: str, version: str) -> Explanation:
    """Explain a version of a deployment.

    Raises:
        UsageError: there is no such version.
    """
    release = store.releases.release(name, version)
    run = release.details.get("run")
    critiques, edits = _learned(store, run) if isinstance(run, str) else ([], [])
    changes = ""
    if release.parent is not None:
        old, new = (
            Network.model_validate(store.releases.content(name, each)) for each in (release.parent, release.version)
        )
        changes = diff(old, new).text()
    return Explanation(
        release=release,
        changes=changes,
        run=run,
        critiques=tuple(critiques[:MOST]),
        edits=tuple(edits[:MOST]),
        shadow=release.details.get("shadow"),
        history=tuple(sorted(_history(store, release), key=lambda entry: entry.seq)),
    )


def _history(store: Store, release: Release) -> Iterator[Entry]:
    """Yield the entries about a version, and those by which another one took its place or gave it back."""
    own = f"{release.deployment}@{release.version}"
    yield from store.audit.entries(object_id=own)
    for entry in store.audit.entries(deployment=release.deployment, events=LIVE_CHANGES, most=1000):
        about = entry.data()
        if entry.object_id != own and release.version in (about.get("from"), about.get("to")):
            yield entry


def _learned(store: Store, run: str) -> tuple[list[str], list[str]]:
    """Return what a run said of failures, each once, and what it proposed with what became of it."""
    critiques: dict[str, None] = {}
    edits: list[str] = []
    for event in store.events(run, kind=("blame", "backward", "proposal", "gate")):
        critiques |= dict.fromkeys(_critiques(event))
        edits += _edits(event)
    return list(critiques), edits


def _critiques(event: Event) -> Iterator[str]:
    value: Any = event.data.get("value") or {}
    if event.kind == "blame":
        for run in value.get("runs", ()):
            for node, said in run.get("critiques", {}).items():
                yield f"{node}: {short(said, 200)}"
    elif event.kind == "backward":
        for row in value.get("rows", ()):
            for gradient in row:
                for suggestion in gradient.get("suggestions", ()):
                    yield f"{suggestion['parameter']}: {short(suggestion['advice'], 200)}"


def _edits(event: Event) -> Iterator[str]:
    value: Any = event.data.get("value") or {}
    if event.kind == "proposal":
        for update in value.get("updates", ()):
            for edit in update.get("edits", ()):
                told = {name: value for name, value in edit.items() if name not in ("op", "path", "reason") and value}
                what = json.dumps(told, ensure_ascii=False)
                yield short(f"{edit['op']} {edit.get('path', '')} {what} {edit.get('reason', '')}", 200)
    elif event.kind == "gate" and "decision" in value:
        decision = value["decision"]
        yield f"→ {'accepted' if decision['accept'] else 'rejected'}: {short(decision.get('reason', ''), 200)}"


def _evaluation(found: Evaluation) -> Iterator[str]:
    gain = f"gain {found.gain.mean:+.3f} ({interval(found.gain.low, found.gain.high)})"
    yield f"  {count(found.n, 'row')}: {found.base:.3f} → {found.candidate:.3f}, {gain}"
    broken = count(len(found.regressions), "regression")
    yield f"  {count(found.must_pass, 'must-pass row')}, {broken}; tokens × {found.cost_ratio:.2f}"
    yield from (f"  {reason}" for reason in found.reasons)


def _why(entry: Entry) -> str:
    reason = entry.data().get("reason")
    return f" ({short(str(reason), 160)})" if reason else ""


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
