"""How a run of the combined algorithm ends: by failing batches, by its caps, by death; and that it can go on.

Everything runs through the trainer; only the student and the teacher are doubles.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsym import Agent
from agentsym.errors import DataError, UsageError
from agentsym.learning.protocols import Repair, Row
from agentsym.learning.run import Run
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.learning.trainer import Trainer
from agentsym.network.edits import Edit
from agentsym.store.comparable import comparable
from agentsym.store.store import Store
from tests.learning.dying import DyingStore, Killed
from tests.learning.symbolic.world import (
    NODES,
    TRAIN,
    VAL,
    WORLD,
    Student,
    Tracing,
    World,
    forked,
    kinds,
    learned,
    mind,
    opened,
    rows,
    states,
    trainer,
)


def test_nothing_is_learned_from_batches_that_fail_and_three_of_them_end_the_run(store: Store) -> None:
    teacher = Tracing(WORLD)
    run = trainer(store, WORLD, rows(["unreadable"] * 4), teacher=teacher, steps=9).fit()
    assert run.status == "failed" and "3 batches in a row" in run.reason and "no answer today" in run.reason
    assert len(run.steps) == 3 and not teacher.asked and run.best.version == run.first.version


def test_a_row_that_always_fails_is_tried_like_any_other_and_does_not_end_the_run(store: Store) -> None:
    run = trainer(store, WORLD, rows(["unreadable", "a", "a", *["free"] * 7]), steps=6).fit()
    assert run.status == "done" and learned(run.best)["read"] == [mind("a")]
    assert {"blame"} <= set(kinds(store, run)[-12:])


@pytest.mark.parametrize("cap", [17, 30, 50])
def test_a_cap_is_never_gone_over_and_the_best_version_so_far_is_saved(tmp_path: Path, cap: int) -> None:
    student = Student(WORLD)
    with opened(tmp_path) as store:
        run = trainer(store, WORLD, TRAIN, student=student, max_calls=cap, optimizer=Recipe(groups=1)).fit()
        assert sum(student.asked.values()) == run.ledger.total().calls <= cap
        assert run.status == "budget" and str(cap) in run.reason
        assert run.best.version == states(store, run)[-1]["best"]
        if cap == 50:
            assert run.accepted and run.best.version != run.first.version


def test_a_cap_that_cannot_pay_the_first_look_is_refused_before_anything_is_sent(store: Store) -> None:
    student = Student(WORLD)
    with pytest.raises(UsageError, match=r"needs 24 model calls \(12 rows\)"):
        trainer(store, WORLD, TRAIN, val=VAL, student=student, max_calls=23).fit()
    assert not student.asked and store.runs() == ()


def test_what_is_left_of_a_cap_is_kept_for_validation(store: Store) -> None:
    """Accepted changes that nobody validates are lost, so validation comes while it can be paid."""
    needs = {f"k{at}": ("read",) for at in range(6)}
    recipe = Recipe(rows=60, groups=1, explore=0.0, rise=1.0, accepts=100)
    settings: dict[str, Any] = {"val": rows([*needs, *["free"] * 6], "v"), "optimizer": recipe}
    run = trainer(store, World(needs), rows([*needs, *["free"] * 54]), max_calls=220, **settings).fit()
    assert run.status == "budget" and run.best.version != run.first.version


@pytest.mark.parametrize("val", [(), VAL])
def test_a_metric_that_never_works_ends_the_run_before_anything_is_kept_of_it(store: Store, val: Sequence[Row]) -> None:
    def broken(row: dict[str, Any], output: dict[str, Any]) -> float:
        return float(row["nothing"])

    with pytest.raises(DataError, match=r"KeyError: 'nothing'.*it failed on every row"):
        trainer(store, WORLD, TRAIN, val=val, metric=broken).fit()
    (run,) = store.runs()
    assert "forward" not in kinds(store, run) and ("baseline" not in kinds(store, run)) == bool(val)


def test_a_metric_that_fails_at_what_a_candidate_answers_does_not_end_the_run(store: Store) -> None:
    def choosy(row: dict[str, Any], output: dict[str, Any]) -> float:
        if output["label"] in ("label a", "label both"):
            raise ValueError("such a label is news to me")
        return float(row["label"] == output["label"])

    run = trainer(store, WORLD, rows(["a", "both", "free"]), val=VAL, metric=choosy, steps=3).fit()
    assert run.status == "done" and len(run.steps) == 3 and run.best.version == run.first.version


class Heeding(Tracing):
    """Does not propose again what was tried in vain."""

    async def mend(self, repair: Repair) -> Sequence[Edit]:
        edits = await super().mend(repair)
        return [edit for edit in edits if not any(str(getattr(edit, "item", "")) in tried for tried in repair.tried)]


def eventful(store: Store, **more: Any) -> Trainer[Agent]:
    """Return a run of every kind of phase: harm at the gate and in validation, failed tries, a new pipeline."""
    world = World(
        needs={"a": ("read",), "b": ("sort",), "both": NODES, "c": ("check",)},
        harm={"trojan": ("free",), mind("b"): ("other",)},
    )
    teacher = Heeding(world, extra={"a": ("trojan",)}, instead={"c": ("no use",)})
    settings = {**forked(), "optimizer": Recipe(explore=0.5, stagnation=1, drafts=2, rows=5, groups=3), **more}
    train = rows(["a", "b", "both", "c", "free", "free"])
    return trainer(store, world, train, val=rows(["a", "other", "c"], "v"), teacher=teacher, steps=4, **settings)


def journal(store: Store, run: Run[Any]) -> list[dict[str, Any]]:
    return list(comparable(store.events(run.id)))


def test_a_run_killed_after_any_phase_ends_like_one_that_was_not(tmp_path: Path) -> None:
    with opened(tmp_path, "whole") as store:
        expected = eventful(store).fit()
        told, phases = journal(store, expected), kinds(store, expected)
    assert {"blame", "proposal", "gate", "validate", "harmless", "validate_again", "version"} <= set(phases)
    assert expected.accepted > 1 and "check" in [node.id for node in expected.best.nodes]
    places = {kind: place for place, kind in enumerate(phases, start=1)}
    assert places.pop("test") and places.pop("stop")
    for life in places.values():  # a death after the last phase of each kind
        with DyingStore.open(tmp_path / f"{life}.db") as dying:
            dying.life = life
            with pytest.raises(Killed):
                eventful(dying).fit()
        with opened(tmp_path, str(life)) as store:
            run = eventful(store).fit(resume=store.runs()[0].id)
            assert journal(store, run) == told and run.best.version == expected.best.version


def test_equal_seeds_give_equal_journals_at_every_concurrency_and_other_seeds_do_not(tmp_path: Path) -> None:
    told = []
    for name, more in {"1": {"concurrency": 1}, "8": {"concurrency": 8}, "other": {"seed": 1}}.items():
        with opened(tmp_path, name) as store:
            told.append(journal(store, eventful(store, **more).fit()))
    assert told[0] == told[1]
    assert told[0][1:] != told[2][1:]
