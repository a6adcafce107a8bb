"""Why a version is what it is: what it changes, which failures and critiques led to that, how it was measured.

All of it is read from the store: the release, the journal of the run that learned it, and the audit log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agentsym.deploy.evolution.shadow import Evaluation
from agentsym.errors import StoreError, UsageError
from agentsym.learning.report.edits import EditView
from agentsym.learning.report.reading import read_report
from agentsym.learning.report.wording import count, interval, short
from agentsym.network.canonical import Frozen
from agentsym.network.diff import diff
from agentsym.network.network import Network
from agentsym.store.live.audit import Entry
from agentsym.store.live.lifecycle import Release
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
        broken: the must-pass questions that it broke in it.
        history: its entries in the audit log, and those of the versions that took its place or gave it back, the oldest
            first.
    """

    release: Release
    changes: str
    run: str | None
    critiques: tuple[str, ...]
    edits: tuple[str, ...]
    shadow: dict[str, Any] | None
    broken: tuple[str, ...]
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
            lines += [f"  broken: {question}" for question in self.broken]
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
        broken=tuple(_broken(store, release)),
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
    try:
        steps = read_report(store, run).steps
    except (StoreError, UsageError):  # it is in another store, or ended before it began to learn
        return [], []
    failures = [failure for step in steps for failure in step.failures]
    critiques = dict.fromkeys(f"{node}: {short(said, 200)}" for each in failures for node, said in each.critiques)
    changes = [change for step in steps for change in step.changes]
    return list(critiques), [f"{change.fate}: {_told(edit)}" for change in changes for edit in change.edits]


def _told(edit: EditView) -> str:
    lines = (f"{line.sign} {''.join(piece.text for piece in line.pieces)}" for line in edit.lines)
    return short(f"{edit.about} {' '.join(lines)}" + (f" ({edit.why})" if edit.why else ""), 200)


def _broken(store: Store, release: Release) -> Iterator[str]:
    """Yield the must-pass questions that a version broke, as far as their traces are still there."""
    ids = release.details.get("shadow", {}).get("regressions", ())
    for name, trace in store.traces.asking(release.deployment, ids).items():
        asked = trace.trajectory.inputs if trace.trajectory else {}
        yield f"{name}: {short(json.dumps(asked, ensure_ascii=False), 200)} (trace {trace.id})"


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
