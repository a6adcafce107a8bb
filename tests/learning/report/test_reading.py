"""What a report tells of each step is what the journal says: failures, critiques, changes, their fate and credit."""

from pathlib import Path
from typing import Any

import pytest

from agentsym.errors import UsageError
from agentsym.learning.journal import Journal
from agentsym.learning.protocols import Verdict
from agentsym.learning.report.findings import verdict
from agentsym.learning.report.reading import DETAILED, Report, read_report
from agentsym.network.edits import AddItem
from agentsym.network.records import LossReport
from agentsym.store.store import Store
from tests.learning.symbolic.world import TRAIN, VAL, WORLD, Tracing, World, mind, rows, trainer


def test_failures_are_told_with_what_was_wanted_and_what_was_said_of_them(small: Report) -> None:
    step = small.steps[0]
    assert step.failed == 6 and step.failures[0].row == "t0"
    first = step.failures[0]
    assert (first.inputs, first.output, first.wanted) == ("ticket: t0 is a", "label: general", "label: label a")
    assert first.critiques == (("read", "read does not know a"),)


def test_changes_are_told_with_their_credit_and_the_failures_that_they_answer(small: Report) -> None:
    changes = small.steps[0].changes
    assert {change.fate for change in changes} == {"accepted"}
    by_text = {change.edits[0].lines[0].pieces[0].text: change for change in changes}
    assert by_text[mind("a")].answers == ("t0",) and by_text[mind("a")].credit == 1.0


HARM = World(needs={"a": ("read",), "b": ("sort",)}, harm={mind("b"): ("free",)})


def test_a_change_that_breaks_what_works_is_told_as_such(store: Store) -> None:
    run = trainer(store, HARM, rows(["free", "a", "b"]), steps=1).fit()
    fates = {change.parameter: change.fate for change in read_report(store, run.id).steps[0].changes}
    assert fates == {"read/rules": "accepted", "sort/rules": "harmful"}


class Refused(Tracing):
    """Only proposes rules that are there already."""

    async def mend(self, repair: Any) -> Any:
        return [AddItem(path="nowhere/rules", item="x")]


def test_answers_that_were_refused_are_told_with_the_reason(store: Store) -> None:
    run = trainer(store, WORLD, rows(["a"]), teacher=Refused(WORLD), steps=1).fit()
    (change,) = read_report(store, run.id).steps[0].changes
    assert change.fate == "refused" and "nowhere/rules" in change.errors[0]


class Commenting(Tracing):
    """Has nothing to add to what the metric says; the paper's algorithm asks."""

    async def loss(self, network: Any, trajectory: Any, row: Any, verdict: Verdict, **counted: Any) -> LossReport:
        wanted = str(row.expected["label"])
        return LossReport(example_id=row.id, score=verdict.score or 0.0, requirement=wanted, expected=row.expected)


@pytest.mark.parametrize("optimizer", ["paper", "gepa", "textgrad"])
def test_other_algorithms_are_told_too(store: Store, optimizer: str) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL, teacher=Commenting(WORLD), optimizer=optimizer, steps=3).fit()
    report = read_report(store, run.id)
    assert len(report.steps) == len(run.steps) > 0
    assert any(failure.critiques for step in report.steps for failure in step.failures)
    assert any(change.edits for step in report.steps for change in step.changes)


def test_of_a_long_run_the_accepted_steps_are_told_first(long: tuple[Store, Report]) -> None:
    _, report = long
    told = [step for step in report.steps if step.detailed]
    assert len(told) == DETAILED and len(report.steps) == 200
    assert {s.record.step for s in report.steps if s.record.decision and s.record.decision.accept} <= {
        s.record.step for s in told
    }


def test_a_run_that_never_began_to_learn_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with Store.open(tmp_path / "empty.db") as store:
        Journal(store, "r1").begin("tickets", {})
        with pytest.raises(UsageError, match=r"ended before it began to learn; .*--journal"):
            read_report(store, "r1")


def test_a_gain_on_validation_is_no_proof(small: Report) -> None:
    """The best version was chosen by these very rows."""
    run = small.run
    assert run.tested is not None
    clear = {"before": (0.0,) * 20, "after": (1.0,) * 20}
    for kind, said in (("test", "It helped"), ("val", "only test rows can tell")):
        run.tested = run.tested.model_copy(update={**clear, "rows": kind})
        assert said in verdict(run)


def test_each_step_has_its_own_failures_and_its_kept_changes_first(long: tuple[Store, Report]) -> None:
    told = [step for step in long[1].steps if step.detailed]
    for step in told:
        assert all(failure.row.startswith(f"t{step.record.step}-") for failure in step.failures)
        fates = [change.fate == "accepted" for change in step.changes]
        assert fates == sorted(fates, reverse=True)
        rows = {row for change in step.changes for row in change.answers}
        assert all(row.startswith(f"t{step.record.step}-") for row in rows)
    assert sum(len(step.failures) for step in told) > DETAILED
