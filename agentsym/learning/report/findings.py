"""What one should know before one trusts or uses the result of a run, as sentences made from its figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentsym.learning.report.reading import Report
from agentsym.learning.report.wording import count, number
from agentsym.learning.run import Run, prompt_chars

FEW = 50  # rows under which a score says little
LONGER = 5  # times as long is worth a word


def verdict(run: Run[Any]) -> str:
    """Return in one sentence whether it helped."""
    tested = run.tested
    if not run.steps:
        return "No step was finished, so nothing can be said yet."
    if run.best.version == run.first.version:
        return "No edit was accepted in the end: the agent is as it was."
    if tested is None:
        return (
            "The final comparison was not reached; the scores are those on validation."
            if run.val
            else ("The final comparison was not reached, and there is no score but that on train.")
        )
    if tested.gain.holds_zero:
        return "This may be luck: the 95 % interval of the gain holds 0."
    if tested.rows == "val":
        return "It rose on the rows by which its best version was chosen; only test rows can tell whether it helped."
    return (
        "It helped: the whole 95 % interval of the gain is above 0."
        if tested.gain.low > 0
        else ("It got worse: the whole 95 % interval of the gain is below 0.")
    )


def findings(report: Report) -> Iterator[str]:
    """Yield what is worth a look, the weightiest first."""
    run = report.run
    if run.status == "failed":
        yield f"The run failed: {run.reason}"
    if run.status == "running":
        yield "The run is under way, or was killed: no end of it is written down. `agentsym optimize --resume` goes on."
    if run.tested is not None:
        if run.tested.rows == "val":
            yield "There were no test rows: the scores are on validation, by which the run chose its best version."
        if len(run.tested.after) < FEW:
            yield f"Only {count(len(run.tested.after), 'row')} were scored; the interval shows how little that tells."
        worse = sum(a < b for b, a in zip(run.tested.before, run.tested.after, strict=True))
        if worse:
            better = sum(a > b for b, a in zip(run.tested.before, run.tested.after, strict=True))
            yield f"{count(better, 'row')} became better, {number(worse)} worse."
        yield from _labels(run)
    before, after = prompt_chars(run.first), prompt_chars(run.best)
    if before and after > LONGER * before:
        yield f"The prompts are {after / before:.0f} times as long, so each call of a paid model costs more."
    if run.ledger.total().usd is None:
        yield "The price of a model is not known, so the cost is not known either."


def _labels(run: Run[Any]) -> Iterator[str]:
    """Yield the labels that are answered rightly less often than before."""
    assert run.tested is not None
    for field, after in run.tested.confusion_after.items():
        before = run.tested.confusion_before.get(field, {})
        lost = {
            label: (before[label].get(label, 0), counts.get(label, 0))
            for label, counts in after.items()
            if label in before and counts.get(label, 0) < before[label].get(label, 0)
        }
        if lost:
            said = ", ".join(f"`{label}` ({old} → {new} right)" for label, (old, new) in list(lost.items())[:3])
            more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
            yield f"Of {field}, some labels did better before: {said}{more}."
