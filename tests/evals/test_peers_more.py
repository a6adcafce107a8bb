"""The measures around the toy task find what they are there to find, each on its smallest case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentsym.models.door import Door
from agentsym.models.protocol import Request
from agentsym.network.edits import AddItem
from agentsym.network.records import Message
from agentsym.store.store import Store
from evals.peers import ablations, noise, scale
from evals.peers.agents import agent
from evals.peers.assignment import Assignment, call
from evals.peers.history import accepted, blamed, versions
from evals.peers.ours import findings, model
from evals.peers.processes import server
from evals.peers.task import Task
from evals.peers.unshared import Unshared

BAD = "RULE-BAD: answer general when in doubt;"
RULE = "RULE-k1: treat tickets whose header shows kind 1 as their own case;"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server() as found:
        yield found


def row(calls: int, fresh: float = 1.0, first: float = 1.0) -> dict[str, Any]:
    return {"calls": calls, "val_fresh": fresh, "first": first}


# Ablations


def test_a_line_compares_medians_and_asks_that_all_runs_reach_the_target() -> None:
    default = [row(100), row(100), row(500)]
    assert ablations.at_most(100).holds(default, default) and not ablations.at_most(99).holds(default, default)
    assert not ablations.at_most(100).holds([row(100), row(100), row(100, fresh=0.85)], default)
    assert ablations.costs(2).holds([row(200)], default) and not ablations.costs(2).holds([row(199)], default)
    assert ablations.costs(2).holds([row(1), row(1, fresh=0.2)], default)
    assert ablations.at_most_times(2).holds([row(200)], default) and not ablations.at_most_times(2).holds(
        [row(201)], default
    )
    assert ablations.lets_harm_in(0.8).holds([row(1, first=0.8)], default)
    assert not ablations.lets_harm_in(0.8).holds([row(1, first=0.9)], default)
    assert not ablations.lets_harm_in(0.8).holds([row(1, first=0.8)], [row(1, first=0.8)])


def test_every_variant_changes_something_and_the_default_has_a_line_in_every_mode() -> None:
    defaults = [variant for variant in ablations.VARIANTS if variant.name == "default"]
    assert {variant.mode for variant in defaults} == {"plain", "coupled", "trojan", "noisy"}
    assert all(variant.line is not None and not variant.options for variant in defaults)
    assert all(variant.options for variant in ablations.VARIANTS if variant not in defaults)


def test_harm_gets_in_without_the_regression_gate_and_is_learned_away(url: str) -> None:
    (variant,) = (variant for variant in ablations.VARIANTS if variant.name == "no regression gate, no pruning")
    (found,) = ablations.measure(url, variant, [0], (1, 2, 3))
    assert found["variant"] == "no regression gate, no pruning" and found["errors"] == 0
    assert found["first"] <= 0.8 < found["val_fresh"]


async def test_without_cache_and_single_flight_every_request_is_sent(url: str) -> None:
    call(url, "/config", Task().world().to_json())
    prompt = "[[node:classify]] Map. Rules: [[end]]"
    request = Request(messages=(Message(role="system", content=prompt), Message(role="user", content="fact=f0 ref=1")))
    door, student = Door(), Unshared(model(url, "student"))
    for _ in range(2):
        reply = await door.complete(student, request, phase="forward")
        assert reply.text == "label_0" and reply.usage.calls == 1
    assert call(url, "/stats")["requests"] == 2


# Scale


def test_faults_lie_in_three_nodes_however_long_the_chain_is() -> None:
    long, short = scale.Scattered(chain=12), scale.Scattered(chain=2)
    assert long.faulty == ("extract", "relay_7", "classify") and short.faulty == ("extract", "classify")
    assert [bool(long.needs(kind)) for kind in range(10)] == [bool(short.needs(kind)) for kind in range(10)]
    assert {node for kind in range(10) for node in long.needs(kind)} == set(long.faulty)
    assert long.world().needs["2"] == ("relay_7",)


def test_blame_is_right_where_a_rule_is_missing_or_harms() -> None:
    first = agent(task := scale.Scattered(chain=3))
    assert scale.is_right(task, 1, "extract", first) and not scale.is_right(task, 1, "relay_2", first)
    assert not scale.is_right(task, 1, "", first)
    ruled = first.apply([AddItem(path="extract/rules", item={"text": RULE})])
    assert not scale.is_right(task, 1, "extract", ruled)
    harmed = first.apply([AddItem(path="relay_2/rules", item={"text": BAD})])
    assert scale.is_right(task, 0, "relay_2", harmed) and not scale.is_right(task, 0, "extract", harmed)


def test_a_chain_of_three_is_measured_by_blames_faults_and_runs(url: str) -> None:
    found = scale.measure(url, 3, [0], (1, 2, 3))
    assert found["faults"] == 8 and found["reached"] == found["runs"] == 1 and found["errors"] == 0
    assert found["right"] == found["blames"] >= 8
    assert found["example_runs"] * 3 >= found["student_calls"] > found["example_runs"]


def test_the_lines_of_scale_are_of_a_fault() -> None:
    short = {"chain": 2, "faults": 10, "teacher_calls": 20, "example_runs": 100, "blames": 10, "right": 5}
    long = {"chain": 12, "faults": 20, "teacher_calls": 52, "example_runs": 260, "blames": 10, "right": 9}
    assert scale.broken_lines(short, long) == []
    assert len(scale.broken_lines(short, {**long, "teacher_calls": 53, "example_runs": 261, "right": 8})) == 3


# Noise


def test_comparisons_are_repeated_where_answers_flip(url: str, tmp_path: Path) -> None:
    for mode, repeats in (("noisy", 5), ("plain", 1)):
        task, folder = Task(kinds=2, mode=mode), tmp_path / mode
        folder.mkdir()
        _, run = findings(Assignment(url, task, 0, 0.0, {}), folder)
        assert run.config["settings"]["repeats"] == repeats


def test_what_was_accepted_is_read_from_the_journal_with_what_it_would_be_without_each_change(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise, "UNSEEN", 24)
    task = Task(kinds=6, mode="trojan", bad_pct=100)
    _, run = findings(Assignment(url, task, 0, 0.0, {"recipe": {"regression": 0}}), tmp_path)
    with Store.open(tmp_path / "store.db") as store:
        steps = list(accepted(store, run.id, agent(task)))
        known = versions(store, run.id, agent(task))
        blames = list(blamed(store, run.id))
    assert len(steps) == run.accepted >= 1 and steps[0].base.version == run.first.version
    assert {step.candidate.version for step in steps} <= known.keys()
    assert {blame.version for blame in blames} <= known.keys()
    truth = noise.Truth(url, task)
    judged = truth.judge(tmp_path, run)
    assert len(judged.versions) == len(steps) and len(judged.changes) == sum(len(step.without) for step in steps)
    assert min(judged.changes) < 0 < max(judged.changes)  # the harmful rule got in


def test_the_lines_of_noise_pool_the_rows() -> None:
    def counted(regression: int, repeats: int, worse: int) -> dict[str, int]:
        return {"regression": regression, "repeats": repeats, "changes": 50, "changes_worse": worse}

    held = [counted(8, 5, 0), counted(8, 1, 0), counted(0, 5, 1), counted(0, 5, 0), counted(0, 1, 2), counted(0, 1, 0)]
    assert noise.broken_lines(held) == []
    assert len(noise.broken_lines([*held[:4], counted(0, 1, 0)])) == 1
    assert len(noise.broken_lines([*held, counted(8, 5, 12)])) == 1
