"""The teacher's double answers every form of the combined algorithm from the request, and what it writes helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agentsym import Agent, Choice, PromptNode
from agentsym.learning.loss import loss
from agentsym.learning.metrics import load_metric
from agentsym.learning.protocols import Evidence, Redesign, Repair, Row, Verdict
from agentsym.learning.teacher.llm import LLMTeacher
from agentsym.learning.teacher.operations import editable_at
from agentsym.models.door import Door
from agentsym.models.protocol import Reply, Request
from agentsym.network.edits import AddItem, ReplaceItem
from agentsym.network.parameters import Structure
from agentsym.network.records import LossReport, Step, Trajectory
from evals.openai_server.several import each
from evals.openai_server.tutor import tutor

sort = PromptNode(
    "sort", "Sort it.", inputs=["text"], output={"kind": Choice(["fruit", "tool"])}, rules=["Take `fruit` for pear."]
)
rank = PromptNode("rank", "Rank it.", inputs=["text", "kind"], output={"size": Choice(["big", "small"])})
agent = Agent("things", nodes=[sort, rank], edges=[("sort", "rank")], structure=Structure(learnable=True))


class Tutor:
    """The double as a model in this process."""

    name, remote = "tutor", False

    async def complete(self, request: Request) -> Reply:
        body = {
            "messages": [message.model_dump() for message in request.messages],
            "response_format": {"json_schema": {"schema": request.schema_}},
        }
        return Reply(text=tutor(body))


teacher = LLMTeacher(Tutor(), Door())


def run(text: str, kind: str, size: str) -> Trajectory:
    given = {"text": text}
    steps = (
        Step(index=0, node="sort", inputs=given, output={"kind": kind}),
        Step(index=1, node="rank", parents=(0,), inputs={**given, "kind": kind}, output={"size": size}),
    )
    return Trajectory(id=text, version=agent.version, example_id=text, inputs=given, steps=steps, output={"size": size})


async def failure(text: str, *, given: tuple[str, str], wanted: tuple[str, str], metric: str = "exact") -> Evidence:
    row = Row(id=text, inputs={"text": text}, expected=dict(zip(("kind", "size"), wanted, strict=True)))
    output = dict(zip(("kind", "size"), given, strict=True))
    verdict = await load_metric(metric)(row, output) if metric else Verdict(score=0.0)
    trajectory = run(text, *given)
    report = await loss(teacher, agent, trajectory, row, verdict, comments="metric")
    return Evidence(row=row, trajectory=trajectory, loss=report)


@pytest.mark.parametrize("metric", ["exact", ""])
async def test_the_node_is_blamed_whose_output_is_not_the_wanted_one(metric: str) -> None:
    first = await failure("a plum", given=("tool", "small"), wanted=("fruit", "small"), metric=metric)
    last = await failure("a saw", given=("tool", "small"), wanted=("tool", "big"), metric=metric)
    both = await failure("a pear", given=("tool", "big"), wanted=("fruit", "small"), metric=metric)
    blames = [await teacher.blame(agent, item.trajectory, item.loss) for item in (first, last, both)]
    assert [set(blame.shares) for blame in blames] == [{"sort"}, {"rank"}, {"sort", "rank"}]
    assert blames[0].critiques == {"sort": "`kind` should be fruit."}


async def test_the_last_node_is_blamed_where_nothing_tells() -> None:
    blame = await teacher.blame(
        agent, run("a saw", "tool", "big"), LossReport(example_id="a saw", score=0, text="Bad.")
    )
    assert blame.shares == {"rank": 1.0}


async def test_a_node_is_mended_by_what_its_failing_inputs_say() -> None:
    failures = [
        await failure(text, given=("fruit", "big"), wanted=("tool", "big"))
        for text in ("a rusty saw", "a rusty drill", "some drill")
    ]
    repair = Repair(
        network=agent,
        node="sort",
        paths=editable_at(agent, "sort"),
        evidence=tuple(failures),
        critiques=("", "", ""),
        right=("text: some pear => kind: fruit",),
    )
    rule, definition, *examples = await teacher.mend(repair)
    assert isinstance(rule, AddItem) and rule.path == "sort/rules"
    assert rule.item == {"text": "Take `tool` for drill, rusty."}, "`some` stands in an input that is right"
    assert isinstance(definition, ReplaceItem)
    assert (definition.path, definition.id, definition.item) == ("sort/choices/kind", "tool", "drill, rusty")
    assert [edit.item for edit in examples if isinstance(edit, AddItem)] == [
        {"input": {"text": text}, "output": {"kind": "tool"}} for text in ("a rusty saw", "a rusty drill", "some drill")
    ]
    mended = agent.apply([rule, definition, *examples])
    assert await teacher.mend(repair.model_copy(update={"network": mended})) == (), "nothing is said twice"


async def test_the_pipeline_is_left_as_it_is() -> None:
    item = await failure("a saw", given=("fruit", "big"), wanted=("tool", "big"))
    assert await teacher.redesign(Redesign(network=agent, evidence=(item,), critiques=(), tried=())) == ()


def test_a_request_about_several_runs_is_answered_run_by_run_with_what_they_share() -> None:
    inner = {"run": {"type": "integer"}, "said": {"type": "string"}}
    form = {
        "properties": {"runs": {"type": "array", "items": {"$ref": "#/$defs/Run"}}},
        "$defs": {"Run": {"type": "object", "properties": inner}},
    }
    asked: list[tuple[list[str], str]] = []

    def answer(schema: Mapping[str, Any], text: str) -> dict[str, str]:
        asked.append((list(schema["properties"]), text))
        return {"said": f"{len(asked)}"}

    made = each(form, "Shared.\n\n# Run 2\n\none\n\n# Run 5\n\ntwo", answer)
    assert made == {"runs": [{"run": 2, "said": "1"}, {"run": 5, "said": "2"}]}
    assert asked == [
        (["said"], "Shared.\n\n# The run\n\none\n\n"),
        (["said"], "Shared.\n\n# The run\n\ntwo"),
    ]
    assert each(form["$defs"]["Run"], "# Run 1\n\none", answer) == {"said": "3"}  # type: ignore[index]
