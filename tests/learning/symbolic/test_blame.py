"""Every way of blaming answers with the same record, and costs the calls that it says."""

from collections.abc import Sequence
from typing import Any

import pytest

from agentsym.errors import OutputError, Unavailable
from agentsym.learning.protocols import Blame, Evidence, FailedRun, Row
from agentsym.learning.symbolic.blame import (
    Blamer,
    LastBlame,
    NodeBlame,
    ShuffledBlame,
    TraceBlame,
    TurnBlame,
    blamer,
)
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.network.records import Gradient, LossReport, Suggestion, Trajectory
from tests.learning.runs import chain, straight
from tests.learning.symbolic.world import Teacher, Tracing, World

NETWORK = chain("a", "b", "c")
WORLD = World(needs={})


def item(row: str = "r1", run: Trajectory | None = None) -> Evidence:
    loss = LossReport(example_id=row, score=0.0, text="comments", requirement="be right")
    return Evidence(row=Row(id=row, inputs={}), trajectory=run or straight(NETWORK), loss=loss)


async def one(way: Blamer, run: Evidence, tried: Sequence[str] = (), turn: int = 0, network: Any = NETWORK) -> Blame:
    """Return the blame for one run."""
    (found,) = await way.blame(network, [FailedRun(run, tuple(tried))], turn)
    return found


class Judge(Tracing):
    """Blames whom it is told to."""

    def __init__(self, shares: dict[str, float], error: Exception | None = None) -> None:
        super().__init__(WORLD)
        self.shares, self.error = shares, error

    async def blame(self, network: Any, trajectory: Any, loss: Any, tried: Sequence[str] = ()) -> Blame:
        self.asked["blame"] += 1
        self.told = tuple(tried)
        if self.error is not None:
            raise self.error
        return Blame(
            example_id=loss.example_id, shares=self.shares, critiques={node: f"of {node}" for node in self.shares}
        )

    async def gradient(
        self, network: Any, trajectory: Any, step: Any, loss: Any, messages: Sequence[str], lr: float
    ) -> Gradient:
        self.asked["gradient"] += 1
        severities = {"b": (1, 2), "c": (3,)}.get(step.node, ())
        advice = tuple(
            Suggestion(parameter=f"{step.node}/rules", advice=f"advice {severity}", severity=severity)
            for severity in severities
        )
        told = dict.fromkeys(step.parents, "more")
        return Gradient(
            example_id="r1", step=step.index, node=step.node, analysis="wrong", suggestions=advice, requirements=told
        )


async def test_the_whole_run_is_judged_in_one_call() -> None:
    teacher = Judge({"a": 0.7})
    found = await one(TraceBlame(teacher), item(), ("a rule, in vain",), 0)
    assert found.shares == {"a": 0.7} and teacher.asked == {"blame": 1} and teacher.told == ("a rule, in vain",)


async def test_a_judgement_that_is_no_legal_answer_blames_nobody_and_says_why() -> None:
    found = await one(TraceBlame(Judge({}, OutputError("gibberish"))), item(), (), 0)
    assert found.status == "invalid" and found.shares == {} and "gibberish" in str(found.critiques)


async def test_a_teacher_that_cannot_be_asked_at_all_ends_the_run() -> None:
    with pytest.raises(Unavailable):
        await one(TraceBlame(Judge({}, Unavailable("nobody there"))), item(), (), 0)


async def test_node_by_node_the_severest_advice_is_the_share_and_all_of_it_the_critique() -> None:
    teacher = Judge({})
    found = await one(NodeBlame(teacher, 1.0), item(), (), 0)
    assert found.shares == {"c": 1.0, "b": pytest.approx(2 / 3)}
    assert found.critiques["b"] == "wrong\nadvice 1\nadvice 2" and teacher.asked == {"gradient": 3}


async def test_the_last_node_is_blamed_without_a_call_and_told_the_loss() -> None:
    found = await one(LastBlame(), item(), (), 0)
    assert found.shares == {"c": 1.0} and found.critiques == {"c": "be right"}


async def test_a_run_that_ended_early_blames_the_node_where_it_ended_and_tells_its_error() -> None:
    run = straight(NETWORK, changes={2: {"error": "boom"}})
    found = await one(LastBlame(), item(run=run.model_copy(update={"steps": run.steps[:2]})), (), 0)
    assert found.shares == {"b": 1.0} and found.critiques == {"b": "boom"}
    assert (await one(LastBlame(), item(run=Trajectory(id="t", version="v")), (), 0)).shares == {}


async def test_the_nodes_take_turns_over_the_steps() -> None:
    turns = [await one(TurnBlame(), item(), (), turn) for turn in range(4)]
    assert [list(found.shares) for found in turns] == [["a"], ["b"], ["c"], ["a"]]
    assert (await one(TurnBlame(), item(run=Trajectory(id="t", version="v")), (), 1)).shares == {}


async def test_shuffled_blame_goes_to_the_next_node_each_with_its_critique() -> None:
    found = await one(ShuffledBlame(TraceBlame(Judge({"a": 0.7, "c": 0.2}))), item(), (), 0)
    assert found.shares == {"b": 0.7, "a": 0.2} and found.critiques == {"b": "of a", "a": "of c"}


async def test_shuffling_leaves_what_names_no_node_as_it_is() -> None:
    found = await one(ShuffledBlame(TraceBlame(Judge({}, OutputError("gibberish")))), item(), (), 0)
    assert found.status == "invalid" and "gibberish" in str(found.critiques)
    lone = chain("a")
    run = item(run=straight(lone))
    assert (await one(ShuffledBlame(TraceBlame(Judge({"a": 1.0}))), run, network=lone)).shares == {"a": 1.0}


@pytest.mark.parametrize(
    ("way", "teacher", "expected"),
    [
        ("trajectory", Judge({}), TraceBlame),
        ("trajectory", Teacher(WORLD), NodeBlame),
        ("nodes", Judge({}), NodeBlame),
        ("last", Judge({}), LastBlame),
        ("turns", Judge({}), TurnBlame),
        ("shuffled", Judge({}), ShuffledBlame),
        ("shuffled", Teacher(WORLD), ShuffledBlame),
    ],
)
def test_the_recipe_chooses_the_way_and_a_teacher_of_three_questions_is_asked_node_by_node(
    way: Any, teacher: Teacher, expected: type
) -> None:
    assert type(blamer(Recipe(blame=way), teacher, 1.0)) is expected


async def test_runs_are_blamed_in_their_order() -> None:
    found = await LastBlame().blame(NETWORK, [FailedRun(item("r2")), FailedRun(item("r1"))], 0)
    assert [blame.example_id for blame in found] == ["r2", "r1"]


async def test_a_teacher_that_judges_several_runs_at_once_is_handed_all_of_them() -> None:
    class Several(Judge):
        async def blame_runs(self, network: Any, runs: Sequence[FailedRun]) -> Sequence[Blame]:
            self.asked["runs"] += 1
            return [Blame(example_id=run.item.row.id, shares={"a": 1.0}) for run in runs]

    teacher = Several({})
    found = await TraceBlame(teacher).blame(NETWORK, [FailedRun(item("r2")), FailedRun(item("r1"))], 0)
    assert [blame.example_id for blame in found] == ["r2", "r1"] and teacher.asked == {"runs": 1}
