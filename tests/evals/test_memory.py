"""Related tasks share what is to be learned, the double reads what it is told, and the memory saves calls."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from evals.memory import experiment
from evals.memory.__main__ import table
from evals.memory.experiment import measure
from evals.memory.tasks import CONTRARY, KINDS, Related, related
from evals.plain_english.editor import edits
from evals.plain_english.english import meanings
from evals.plain_english.meanings import Meaning
from evals.plain_english.task import RESULTS, problems

FAILURE = """# The failures

<data name="failure">
input problem: Greta sorts 17 scarves and 2 pairs of shoes. How many items does Greta sort?
output numbers: 17, 2
expected answer: 21
</data>
Number {number}."""
HELPED = """
<data name="helped elsewhere">
- add_rule: {} (credit +1, advantage +1.2)
</data>"""


def test_equal_seeds_give_equal_tasks_and_others_give_others() -> None:
    one, two, other = related(3, 10), related(3, 10), related(4, 10)
    assert [(task.agent.version, task.mix, task.seed) for task in one] == [
        (task.agent.version, task.mix, task.seed) for task in two
    ]
    assert [task.mix for task in one] != [task.mix for task in other]
    assert len({task.agent.name for task in one}) == 10 and len({task.agent.version for task in one}) == 10


def test_problems_that_need_two_rules_come_with_those_that_need_one_of_them() -> None:
    for task in related(0, 20):
        simple = [kind for kind in task.mix if " and " not in kind and kind != "total"]
        assert len(set(simple)) == KINDS
        assert all({*kind.split(" and ")} <= {*simple} for kind in task.mix if " and " in kind)


def test_in_the_contrary_world_the_same_problems_have_other_answers() -> None:
    (task,) = related(0, 1)
    ours, theirs = (problems("train", 5, task.mix, results) for results in (RESULTS, CONTRARY))
    assert [one.text for one in ours] == [two.text for two in theirs]
    changed = {one.kind for one, two in zip(ours, theirs, strict=True) if one.answer != two.answer}
    assert changed and "total" not in changed


def _ideas(told: str = "", most: int = 200) -> list[Meaning]:
    """Return what the double says to many requests that differ in a number only."""
    requests = (FAILURE.format(number=number) + told for number in range(most))
    return [idea for request in requests for edit in edits("read", "", request) for idea in meanings(edit.text, "read")]


def test_the_double_mostly_does_what_helped_elsewhere_and_not_always() -> None:
    alone, told = _ideas(), _ideas(HELPED.format("Note that every pair is 2."))
    right = Meaning("pair", 2)
    assert told.count(right) > 3 * alone.count(right)
    assert 0.5 < told.count(right) / 200 < 0.95


def test_the_double_knows_a_lesson_by_what_it_says_and_passes_over_what_does_not_fit() -> None:
    other = _ideas(HELPED.format("For every couple, write 2."))
    assert other.count(Meaning("pair", 2)) > 100
    assert _ideas(HELPED.format("Treat every dozen as twelve.")).count(Meaning("dozen", 12)) == 0


def test_the_double_mostly_avoids_what_failed_elsewhere() -> None:
    alone = _ideas().count(Meaning("pair", 4))
    told = HELPED.replace("helped", "failed").format("Count a pair as four.")
    assert 0 < _ideas(told).count(Meaning("pair", 4)) < alone


def test_each_way_has_lessons_of_its_own_and_those_of_other_runs_stay_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[list[str], bool]] = []

    async def learned(task: Related, folder: Path, *, memory: bool) -> dict[str, Any]:
        seen.append((sorted(file.read_text() for file in folder.iterdir()), memory))
        (folder / task.agent.name).write_text("contrary" if task.results is CONTRARY else "related")
        return {}

    async def tickets(folder: Path, seed: int, runs: int) -> None:
        (folder / "tickets").write_text(f"{runs} of tickets")

    monkeypatch.setattr(experiment, "_learned", learned)
    monkeypatch.setattr(experiment, "_tickets", tickets)

    def told(way: str) -> list[tuple[list[str], bool]]:
        seen.clear()
        asyncio.run(measure(0, way, 2, 1))
        return list(seen)

    assert told("without") == [([], False), (["related"], False)]
    assert told("with") == [([], True), (["related"], True)]
    assert told("unrelated") == [(["1 of tickets"], True)] * 2
    assert told("contrary") == [([], False), (["contrary"], True), (["contrary"], True)]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [row for way in ("without", "with") for row in asyncio.run(measure(1, way, 2, 0))]


def test_the_first_run_has_no_memory_and_the_next_needs_fewer_calls(rows: list[dict[str, Any]]) -> None:
    without, remembering = ([row for row in rows if row["way"] == way] for way in ("without", "with"))
    figures = ("calls", "teacher_calls", "tokens", "val")
    assert [without[0][name] for name in figures] == [remembering[0][name] for name in figures]
    assert remembering[1]["calls"] < without[1]["calls"] and remembering[1]["tokens"] < without[1]["tokens"]
    assert all(row["reached"] for row in rows)


def test_the_table_sums_up_the_ways_and_the_difference(rows: list[dict[str, Any]]) -> None:
    said = table(json.loads(json.dumps(rows)))
    mean = (rows[2]["calls"] + rows[3]["calls"]) / 2
    assert f"{mean:,.0f}" in said and "2/2" in said and "with beside without, run by run, 95 % interval" in said
