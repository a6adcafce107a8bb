"""The spans of a run that learns, for each algorithm: what was proposed and what was accepted, as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from agentsym.errors import Unavailable
from agentsym.models.protocol import Reply, Request
from agentsym.store.comparable import comparable
from agentsym.store.store import Store
from tests.learning.symbolic.world import TRAIN, VAL, WORLD, Student, Teacher, agent, trainer
from tests.telemetry.traced import Traced

PREFIX = "agentsym.learning."


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.db") as opened:
        yield opened


def figures(traced: Traced, what: str) -> list[Mapping[str, Any]]:
    """The figures of all spans of a phase, by their own names."""
    return [
        {name.removeprefix(PREFIX): value for name, value in (span.attributes or {}).items() if PREFIX in name}
        for span in traced.named(f"learn {what}")
        if span.name == f"learn {what}"
    ]


def learning_paths(traced: Traced) -> set[str]:
    return {path for path in traced.paths() if path.rpartition(" > ")[2].startswith("learn ")}


def test_the_combined_algorithm_is_a_tree_of_steps_and_phases_with_figures(store: Store) -> None:
    traced = Traced()
    run = trainer(store, WORLD, TRAIN, val=VAL, telemetry=traced.telemetry).fit()
    step = "learn run > learn step"
    phases = ("forward", "blame", "proposal", "gate", "validate")
    assert learning_paths(traced) == {
        "learn run",
        "learn run > learn baseline",
        step,
        *(f"{step} > learn {phase}" for phase in phases),
        "learn run > learn test",
    }
    top = traced.one("learn run")
    assert (top["gen_ai.agent.name"], top["gen_ai.agent.version"]) == ("tickets", agent().version)
    assert (top["agentsym.status"], top[f"{PREFIX}id"]) == ("done", run.id)
    assert (top[f"{PREFIX}best"], top[f"{PREFIX}steps"]) == (run.best.version, len(run.steps))
    assert top[f"{PREFIX}calls"] == run.ledger.total().calls
    assert (top[f"{PREFIX}student"], top[f"{PREFIX}teacher"]) == ("student double", "teacher double")
    assert figures(traced, "baseline") == [{"rows": 4, "score": 0.25}]
    assert [step["step"] for step in figures(traced, "step")] == list(range(len(run.steps)))
    first, *_ = figures(traced, "forward")
    assert first == {"rows": 8, "failed": 0, "score": 0.25}
    assert figures(traced, "blame")[0] == {"runs": 3}
    proposal = figures(traced, "proposal")[0]
    assert proposal == {"updates": 4, "proposed": 4, "edits": 4}  # `both` is mended in both nodes
    gate = figures(traced, "gate")[0]
    assert (gate["accepted"], gate["kept"], gate["harmful"], gate["before"], gate["after"]) == (True, 4, 0, 0.0, 1.0)
    assert figures(traced, "validate")[-1] == {"accepted": True, "before": 0.25, "after": 1.0}
    assert all(span.status.status_code is StatusCode.UNSET for span in traced.spans)


def test_algorithm_1_tells_its_walk_back(store: Store) -> None:
    traced = Traced()
    run = trainer(
        store, WORLD, TRAIN, optimizer="paper", teacher=Teacher(WORLD), comments="metric", telemetry=traced.telemetry
    ).fit()
    assert run.accepted
    assert "learn run > learn step > learn backward" in learning_paths(traced)
    walked = figures(traced, "backward")[0]
    assert walked["rows"] == figures(traced, "forward")[0]["rows"]
    assert walked["gradients"] >= walked["suggestions"] > 0
    accepted = sum(bool(gate["accepted"]) for gate in figures(traced, "gate"))
    assert accepted == traced.one("learn run")[f"{PREFIX}accepted"] > 0


def test_the_runs_of_rows_stand_under_the_phase_that_they_are_made_for(store: Store) -> None:
    traced = Traced()
    trainer(store, WORLD, TRAIN, val=VAL, telemetry=traced.telemetry).fit()
    above = {path.partition(" > invoke_agent")[0].rpartition("learn ")[2] for path in traced.paths() if "chat" in path}
    assert above == {"baseline", "forward", "gate", "validate", "test"}


def test_no_text_that_is_learned_or_learned_from_is_told(store: Store) -> None:
    traced = Traced()
    trainer(store, WORLD, TRAIN, val=VAL, telemetry=traced.telemetry).fit()
    told = traced.text()
    assert "mind a" not in told
    assert not [row.id for row in TRAIN if row.inputs["ticket"] in told]


class Gone(Student):
    """A student behind a server that dies after some answers."""

    left = 10

    async def complete(self, request: Request) -> Reply:
        self.left -= 1
        if self.left < 0:
            raise Unavailable("the server is gone")
        return await super().complete(request)


def test_what_ends_a_run_marks_it_and_the_phase_that_it_came_in(store: Store) -> None:
    traced = Traced()
    with pytest.raises(Unavailable):
        trainer(store, WORLD, TRAIN, student=Gone(WORLD), telemetry=traced.telemetry).fit()
    failed = {span.name for span in traced.named("learn") if span.status.status_code is StatusCode.ERROR}
    assert failed == {"learn run", "learn step", "learn forward"}
    top = traced.one("learn run")
    assert (top["error.type"], top["agentsym.status"]) == ("Unavailable", "failed")


def test_telemetry_changes_nothing_that_is_learned(store: Store) -> None:
    seen = trainer(store, WORLD, TRAIN, val=VAL, telemetry=Traced(capture_content=True).telemetry).fit()
    unseen = trainer(store, WORLD, TRAIN, val=VAL, telemetry=False).fit()
    first, second = (list(map(repr, comparable(store.events(run.id)))) for run in (seen, unseen))
    assert first == second
