"""The pipelines need what is said, the doubles go by what a request shows, and learning adds a node or a way."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from agentsym import Agent
from agentsym.errors import NetworkError
from agentsym.learning.run import Run
from agentsym.learning.teacher.operations import edits_of, structure_form
from agentsym.learning.teacher.replies import schema_of
from agentsym.learning.teacher.trace import pipeline
from agentsym.models.openai_http import OpenAIModel
from agentsym.network.nodes import PromptNode
from agentsym.network.prompt import Prompt
from evals.openai_server import Server
from evals.repair.brain import Brain
from evals.repair.edits import edit
from evals.repair.run import Way, learn, reported
from evals.repair.student import SAYINGS, SPOILING
from evals.structure import subjects
from evals.structure.__main__ import main, study
from evals.structure.moves import Pipeline, moves
from evals.structure.student import answer as student
from evals.structure.teacher import answer as teacher
from evals.structure.teacher import known
from evals.structure.variants import VARIANTS, Variant

pytestmark = pytest.mark.xdist_group("structure")  # its two runs are for all tests
variants = pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))
_FAILURES = re.compile(r'<data name="(?:run|failure)">\n.*?\n</data>', re.DOTALL)


class Asked(NamedTuple):
    """One request that the teacher got, and what it answered."""

    schema: Mapping[str, Any]
    text: str
    answer: Any


class Learned(NamedTuple):
    """One run on few rows, and everything that the teacher was asked in it."""

    run: Run[Agent]
    requests: int
    asked: Sequence[Asked]


@pytest.fixture(scope="module")
def learned() -> Mapping[str, Learned]:
    return {name: _learned(variant) for name, variant in VARIANTS.items()}


def _learned(variant: Variant) -> Learned:
    asked: list[Asked] = []

    def listening(schema: Mapping[str, Any], text: str, draw: str) -> Any:
        asked.append(Asked(schema, text, teacher(schema, text, draw)))
        return asked[-1].answer

    of_20 = replace(study(variant, 0), rows=lambda name, _: variant.rows(name, 2, 20), teacher=listening)
    run, requests = asyncio.run(learn(of_20, 0, Way(steps=40)))
    return Learned(run, requests, asked)


@pytest.fixture(scope="module")
def model() -> Iterator[OpenAIModel]:
    """The student's double."""
    with Server(Brain({"student": student}, teacher)) as server:
        yield OpenAIModel("openai/student", base_url=server.base_url)


async def score(agent: Agent, rows: Sequence[Mapping[str, Any]], model: OpenAIModel) -> float:
    """Run an agent on rows, and return the share that is right."""
    inputs = [{name: value for name, value in row.items() if name != "reply"} for row in rows]
    outputs = await agent.abatch(inputs, student=model)
    return sum(output["reply"] == row["reply"] for output, row in zip(outputs, rows, strict=True)) / len(rows)


def _few(variant: Variant) -> list[dict[str, Any]]:
    """Return eight rows, half of which fail before the pipeline changes."""
    rows = variant.rows("train", 0, 40)
    hard = [row for row in rows if row.get("message", "").startswith(subjects.QUOTE)]
    hard += [row for row in rows if subjects.has_carry(row.get("order", ""))]
    return [*hard[:4], *(row for row in rows if row not in hard)][:8]


# The variants


@variants
async def test_11_rows_in_20_are_right_before_the_pipeline_changes(variant: Variant, model: OpenAIModel) -> None:
    assert await score(variant.agent(), variant.rows("train", 0, 20), model) == 0.55


@variants
async def test_no_rule_that_the_teacher_knows_helps(variant: Variant, model: OpenAIModel) -> None:
    rows = _few(variant)
    agent = variant.agent()
    harmless = [rule for rule in SAYINGS if not any(re.search(pattern, rule) for pattern in SPOILING)]
    for node in variant.ids:
        ruled = agent.with_parameter(f"{node}/rules", agent.parameter(f"{node}/rules").with_value(harmless))
        assert await score(ruled, rows, model) == 0.5
        spoilt = agent.with_parameter(f"{node}/rules", agent.parameter(f"{node}/rules").with_value(SAYINGS))
        assert await score(spoilt, rows, model) == 0.0


# The moves


def _failing(variant: Variant) -> Mapping[str, Any]:
    """Return what failing runs of a variant have in common."""
    return {"kind": subjects.QUOTE} if variant.name == "edge" else {}


def _candidates(variant: Variant, node: str) -> list[Agent | None]:
    """Return what every move makes of the agent; None where that is not legal."""
    agent = variant.agent()
    form = structure_form(agent)
    schema = schema_of(form)
    made: list[Agent | None] = []
    for move in moves(Pipeline.from_json(_json(agent)), node, _failing(variant)):
        written = [edit(schema, (op["op"],), {**op, "why": ""}) for op in move]
        assert None not in written, move
        try:
            made.append(agent.apply(edits_of(agent, form.model_validate({"analysis": "", "edits": written}))))
        except NetworkError:
            made.append(None)
    return made


def _json(agent: Agent) -> Any:
    return json.loads(pipeline(agent))


@variants
async def test_of_at_least_20_moves_a_quarter_at_most_helps_and_others_break_what_works(
    variant: Variant, model: OpenAIModel
) -> None:
    rows = _few(variant)
    candidates = _candidates(variant, variant.ids[0])
    scores = [await score(agent, rows, model) if agent is not None else None for agent in candidates]
    helpful = [found for found in scores if found == 1.0]
    assert len(candidates) >= 20
    assert 2 <= len(helpful) <= len(candidates) / 4
    assert sum(found is not None and found < 0.5 for found in scores) >= 3
    assert any(found is None for found in scores)


@variants
async def test_no_move_about_the_last_node_helps(variant: Variant, model: OpenAIModel) -> None:
    rows = _few(variant)
    for agent in _candidates(variant, variant.ids[1]):
        assert agent is None or await score(agent, rows, model) <= 0.5


# The student


def _asked(task: str, given: Mapping[str, Any], field: str) -> str:
    node = PromptNode("n", task, inputs=list(given), output={field: str})
    answer = student([message.model_dump() for message in Prompt(node).messages(given)], [field])
    return str(answer[field])


def test_a_sum_is_slipped_on_when_there_is_something_to_carry() -> None:
    assert _asked("Work out the total.", {"order": "2 lamps at 14 each and 3 desks at 13 each"}, "figure") == "57"
    assert _asked("Work out the total.", {"order": "3 lamps at 12 each and 3 desks at 13 each"}, "figure") == "65"


@pytest.mark.parametrize("task", ["Check it.", "Verify the sum.", "Please correct what is wrong.", "Compare the two."])
def test_only_a_node_that_is_told_to_check_and_sees_the_order_corrects_it(task: str) -> None:
    order = "3 lamps at 12 each and 3 desks at 13 each"
    assert _asked(task, {"order": order, "figure": "65"}, "figure") == "75"
    assert _asked(task, {"figure": "65"}, "figure") == "65"
    assert _asked("Hand it on.", {"order": order, "figure": "65"}, "figure") == "65"


# The teacher


@variants
def test_the_teacher_has_nothing_to_say_without_the_failing_rows(
    variant: Variant, learned: Mapping[str, Learned]
) -> None:
    for asked in learned[variant.name].asked:
        empty = teacher(asked.schema, _FAILURES.sub("", asked.text))
        assert not empty.get("edits") and not empty.get("nodes")


@variants
def test_the_teacher_blames_the_first_node(variant: Variant, learned: Mapping[str, Learned]) -> None:
    answers = [asked.answer for asked in learned[variant.name].asked]
    blamed = [item["node"] for part in answers for item in part.get("nodes", ())]
    assert blamed and set(blamed) == {variant.ids[0]}


@variants
def test_moves_are_about_the_node_that_the_critiques_blame(variant: Variant, learned: Mapping[str, Learned]) -> None:
    first, second = variant.ids
    asked = next(asked for asked in learned[variant.name].asked if "# Its pipeline" in asked.text)
    assert known(asked.text) != known(asked.text.replace(f"- {first}: ", f"- {second}: "))
    assert known(re.sub(rf"^- {first}: .*$", "", asked.text, flags=re.MULTILINE)) == []
    draws = {str(teacher(asked.schema, asked.text, f"{draw}")) for draw in range(100)}
    assert len(draws) >= 15
    assert teacher(asked.schema, asked.text, "0") == teacher(asked.schema, asked.text, "0")


# Learning


@pytest.mark.parametrize(("flags", "most"), [(["--blame", "last"], 0.55), (["--gate", "always"], 0.54)])
def test_without_blame_or_gate_the_command_reports_no_gain(
    flags: list[str], most: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["structure", "--variants", "node", "--seeds", "2", "--steps", "3", "--json", *flags]
    )
    main()
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["variant"], row["seed"], row["before"]) == ("node", 2, 0.55)
    assert row["test"] <= most


@variants
def test_learning_changes_the_pipeline_and_nothing_else_does(variant: Variant, learned: Mapping[str, Learned]) -> None:
    run, requests, _ = learned[variant.name]
    row = reported(run, requests)
    assert row["before"] == 0.55
    assert row["test"] >= 0.9
    first = variant.agent()
    assert run.best.edges != first.edges
    for node in variant.ids:
        assert run.best.parameter(f"{node}/rules") == first.parameter(f"{node}/rules")
    if variant.name == "node":
        assert len(run.best.nodes) == len(first.nodes) + 1
