"""Shadow evaluation: each verdict at its bounds, and what writes is never run, whoever calls it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agentsym import Agent, FunctionNode, PromptNode, ToolNode, as_tool
from agentsym.deploy.evolution.examples import FeedbackMetric, examples
from agentsym.deploy.evolution.shadow import Evaluation, Gain, _decided, _p95, _ratio, shadow
from agentsym.deploy.evolution.stubs import MISSED, RecordedWrites
from agentsym.deploy.policy import Shadow
from agentsym.errors import NodeError
from agentsym.learning.evaluation import Evaluator
from agentsym.learning.metrics import load_metric
from agentsym.learning.protocols import Row
from agentsym.learning.teacher.contrastive import ContrastiveTeacher
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.protocol import Reply, Request
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode
from agentsym.network.records import Step, ToolCall, Trajectory
from agentsym.store.live.traces import Feedback, Trace, example_id_of

POLICY = Shadow()
FINE = Evaluation(
    n=30, base=0.5, candidate=0.6, gain=Gain(mean=0.1, low=0.0, high=0.2), hoped=0.1, unjudged=0, must_pass=4,
    regressions=(), unevaluable=0, cost_ratio=1.0, latency_ratio=1.0, verdict="reject", reasons=(),
)  # fmt: skip


def decided(rows: int = 34, slower: bool = False, policy: Shadow = POLICY, **changes: Any) -> Evaluation:
    return _decided(FINE.model_copy(update=changes), rows, slower, policy)


def gain(mean: float, low: float = 0.0) -> Gain:
    return Gain(mean=mean, low=low, high=1.0)


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({}, "promote", "gain +0.100 on 30 rows, no must-pass row broke"),
        ({"gain": gain(0.01)}, "promote", "gain +0.010"),
        ({"gain": gain(0.0099)}, "reject", "the gain is +0.010, less than +0.010"),
        ({"gain": gain(0.1, -0.02)}, "promote", "gain +0.100"),
        ({"gain": gain(0.1, -0.0201)}, "reject", "the gain may be negative: 95 % interval from -0.020"),
        ({"gain": gain(0.1, -0.5), "n": 29}, "hold", "only 29 rows could be compared, fewer than 30"),
        ({"n": 29}, "hold", "only 29 rows"),
        ({"n": 0, "gain": gain(0.0)}, "hold", "only 0 rows could be compared"),
        ({"regressions": ("r1", "r2")}, "reject", "2 must-pass rows went from pass to fail: r1, r2"),
        ({"cost_ratio": 1.3}, "promote", "gain"),
        ({"cost_ratio": 1.31}, "reject", "it needs 1.31 times the tokens (at most 1.3)"),
        ({"slower": True, "latency_ratio": 2.0}, "reject", "it is slower: 2.00 times at the 95th percentile"),
        ({"unevaluable": 20, "rows": 100}, "promote", "gain"),
        ({"unevaluable": 21, "rows": 100}, "hold", "21 of 100 rows cannot be run without writing"),
        ({"gain": gain(0.0), "unjudged": 3, "hoped": 0.01}, "hold", "3 answers that people disliked are others now"),
        ({"gain": gain(0.0), "unjudged": 3, "hoped": 0.009}, "reject", "the gain is +0.000, less than +0.010"),
        ({"gain": gain(0.0), "unjudged": 0, "hoped": 0.5}, "reject", "the gain is +0.000"),
        ({"n": 5, "regressions": ("r1",)}, "reject", "1 must-pass rows"),
        ({"n": 5, "gain": gain(0.0)}, "reject", "the gain is +0.000"),
    ],
)
def test_each_verdict_at_its_bound(changes: dict[str, Any], verdict: str, reason: str) -> None:
    found = decided(**changes)
    assert found.verdict == verdict
    assert any(each.startswith(reason) or reason in each for each in found.reasons), found.reasons


def test_all_that_speaks_against_a_candidate_is_said() -> None:
    found = decided(regressions=tuple("abcdefg"), cost_ratio=9.0, slower=True, gain=gain(0.0, -1), n=40)
    assert found.verdict == "reject" and len(found.reasons) == 5
    assert found.reasons[0].endswith("a, b, c, d, e")


def test_ratios_and_percentiles() -> None:
    assert (_ratio(3, 2), _ratio(0, 0), _ratio(0, 2), _ratio(1, 0)) == (1.5, 1.0, 0.0, 999.0)
    assert _p95([]) == 0.0 and _p95([7]) == 7 and _p95(list(range(1, 101))) == 95 and _p95(list(range(20, 0, -1))) == 19


sent: list[str] = []


def send(text: str) -> str:
    """Send a text to a customer."""
    sent.append(text)
    return f"sent {text}"


@pytest.fixture(autouse=True)
def nothing_sent() -> None:
    sent.clear()


def rows(*texts: str, **expected: str) -> list[Row]:
    return [
        Row(id=text, inputs={"text": text}, expected={"answer": expected.get(text, f"sent {text}")}) for text in texts
    ]


async def compared(
    base: Network, candidate: Network, replay: list[Row], must_pass: list[Row] | None = None, *,
    student: Any = "embedded", trajectories: list[Trajectory] | None = None, stubs: Mapping[str, Any] | None = None,
    metric: FeedbackMetric | None = None, **policy: Any,
) -> Evaluation:  # fmt: skip
    from agentsym.models.resolve import resolve

    metric = metric or FeedbackMetric(load_metric("exact"), [])
    evaluator = Evaluator(
        student=resolve(student), teacher=ContrastiveTeacher(), metric=metric, door=Door(), comments="metric",
        writes=RecordedWrites(base, trajectories or [], stubs or {}),
    )  # fmt: skip
    return await shadow(evaluator, metric, base, candidate, replay, must_pass or [], Shadow(min_rows=2, **policy))


def called(text: str, result: Any, **rest: Any) -> Trajectory:
    call = ToolCall(tool="send", arguments={"text": text}, result=result, **rest)
    return Trajectory(id=text, version="v", steps=(Step(index=0, node="mail", tool_calls=(call,)),))


async def through_a_tool_node() -> tuple[Network, Any]:
    return Agent("mailer", nodes=[ToolNode("mail", as_tool(send, effect="write"), output="answer")]), "embedded"


async def through_a_function_node() -> tuple[Network, Any]:
    return Agent("mailer", nodes=[FunctionNode("send", send, output="answer", effect="write")]), "embedded"


async def through_an_inner_agent() -> tuple[Network, Any]:
    agent, student = await through_a_tool_node()
    return Agent("outer", nodes=[AgentNode("inner", agent)]), student


async def by_a_model() -> tuple[Network, Any]:
    """A double that asks for the tool and then answers with whatever the tool said, right or wrong."""

    def answer(request: Request) -> Reply:
        told = [message.content for message in request.messages if message.role == "tool"]
        if told:
            return Reply(text=json.dumps({"answer": told[-1]}))
        text = next(word for word in ("unknown", "known") if f"{word}!" in request.messages[-1].content)
        return Reply(tool_calls=(ToolCall(tool="send", arguments={"text": f"{text}!"}, id="1"),))

    node = PromptNode("ask", "Send it.", inputs=["text"], output={"answer": str}, tools=[as_tool(send, effect="write")])
    return Agent("mailer", nodes=[node]), ScriptedModel([Rule(answer, times=100)])


WAYS = [through_a_tool_node, through_a_function_node, through_an_inner_agent, by_a_model]


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
async def test_what_writes_is_never_run(way: Any) -> None:
    agent, student = await way()
    step = Step(index=0, node="send", inputs={"text": "known!"}, output={"answer": "sent known!"})
    seen = [called("known!", "sent known!"), Trajectory(id="f", version="v", steps=(step,))]
    found = await compared(agent, agent, rows("known!", "unknown!"), rows("known!"), student=student, trajectories=seen)
    assert sent == []
    assert (found.n, found.base, found.unevaluable, found.must_pass) == (1, 1.0, 1, 1)
    stubbed = await compared(agent, agent, rows("known!", "unknown!"), student=student, stubs={"send": "sent unknown!"})
    assert sent == [] and (stubbed.n, stubbed.unevaluable) == (2, 0) and stubbed.base == 0.5


async def test_nothing_that_can_be_compared_is_left_to_a_person() -> None:
    agent, _ = await through_a_tool_node()
    found = await compared(agent, agent, rows("a", "b", "c"))
    assert found.verdict == "hold" and found.n == 0 and sent == []
    assert found.gain == Gain(mean=0, low=0, high=0) and found.hoped == found.base == found.candidate == 0
    assert found.reasons == ("only 0 rows could be compared, fewer than 2", "3 of 3 rows cannot be run without writing")


def fixed(name: str, table: dict[str, str]) -> Network:
    """An agent that answers as a table says."""

    def look(text: str) -> str:
        return table[text]

    return Agent(name, nodes=[FunctionNode("look", look, output="answer")])


GOOD = {text: f"sent {text}" for text in "abcdef"}


async def test_scores_are_compared_row_by_row() -> None:
    base = fixed("things", {**GOOD, "a": "no", "b": "no"})
    found = await compared(base, fixed("things", GOOD), rows(*"abcd"), rows("e", "f"), epsilon=1.0)
    assert (found.n, found.base, found.candidate, found.must_pass) == (4, 0.5, 1.0, 2)
    assert found.gain.mean == found.hoped == 0.5 and found.verdict == "promote"
    assert found.cost_ratio == 1.0


async def test_a_must_pass_row_that_breaks_rejects() -> None:
    base = fixed("things", {**GOOD, "a": "no", "b": "no"})
    broken = fixed("things", {**GOOD, "e": "no"})
    found = await compared(base, broken, rows(*"abcd"), rows("e", "f", "a"), epsilon=1.0)
    assert found.verdict == "reject" and found.regressions == ("e",)
    raising = fixed("things", {text: answer for text, answer in GOOD.items() if text != "f"})
    assert (await compared(base, raising, rows(*"abcd"), rows("f"), epsilon=1.0)).regressions == ("f",)


async def test_another_answer_than_a_disliked_one_is_left_to_a_person() -> None:
    base, other = fixed("things", {**GOOD, "a": "no"}), fixed("things", {**GOOD, "a": "maybe"})
    disliked = Trajectory(id="t", version="v", inputs={"text": "a"}, output={"answer": "no"})
    trace = Trace(
        id="t", deployment="things", version="v", thread="t", at="2026", example_id=example_id_of({"text": "a"}),
        trajectory=disliked,
    )  # fmt: skip
    thumb = Feedback(id="f", trace_id="t", deployment="things", kind="thumb", score=0.0, author="ann", at="2026")
    made = examples(base, [(trace, [thumb])])
    metric = FeedbackMetric(load_metric("exact"), made)
    replay = [made[0].row, *rows("b")]
    found = await compared(base, other, replay, [made[0].row], metric=metric)
    assert found.verdict == "hold" and (found.unjudged, found.gain.mean, found.hoped) == (1, 0.0, 0.25)
    assert found.regressions == () and "nobody has judged" in found.reasons[0]
    same = await compared(base, base, replay, metric=metric)
    assert same.verdict == "reject" and same.unjudged == 0


async def test_every_run_of_a_row_counts() -> None:
    base = fixed("things", GOOD)
    calls: list[int] = []

    def flaky(text: str) -> str:
        calls.append(1)
        return f"sent {text}" if len(calls) % 2 else "no"

    candidate = Agent("things", nodes=[FunctionNode("look", flaky, output="answer")])
    found = await compared(base, candidate, rows("a", "b"), repeats=4)
    assert len(calls) == 8 and found.candidate == 0.5


async def test_what_writes_is_answered_from_the_newest_trace_that_holds_the_call() -> None:
    agent, _ = await through_a_tool_node()
    writes = RecordedWrites(agent, [
        called("x", "", error="it broke"), called("x", {"new": [1]}), called("x", "old"), called("y", None)
    ], {"send": "stub"})  # fmt: skip
    assert await writes("send", {"text": "x"}) == {"new": [1]}
    assert await writes("send", {"text": "y"}) is None
    assert await writes("send", {"text": "z"}) == "stub"
    with pytest.raises(NodeError, match=f"other {MISSED}: no trace holds .* in the policy .shadow.stubs.other."):
        await writes("other", {"text": "x"})


async def test_a_function_node_is_answered_by_its_outputs_and_others_traces_do_no_harm() -> None:
    def two(text: str) -> dict[str, str]:
        return {"a": text, "b": text}

    inner = Agent("inner", nodes=[FunctionNode("two", two, output={"a": str, "b": str}, effect="write")])
    agent = Agent("outer", nodes=[AgentNode("deep", inner), FunctionNode("send", send, inputs=["a"], output="answer",
                  effect="write")], edges=[("deep", "send")])  # fmt: skip

    def step(node: str, given: Any, output: Any, **rest: Any) -> Trajectory:
        return Trajectory(id="t", version="v", steps=(Step(index=0, node=node, inputs=given, output=output, **rest),))

    writes = RecordedWrites(agent, [
        step("send", {"a": "x"}, {"renamed": "as it was before"}), step("send", {"a": "y"}, {}, error="it broke"),
        step("send", {"a": "x"}, {"answer": "sent x"}), step("deep/two", {"text": "x"}, {"a": "1", "b": "2"}),
        step("other", {"text": "z"}, {"answer": "no writer"}),
    ], {})  # fmt: skip
    assert await writes("send", {"a": "x"}) == "sent x"
    assert await writes("two", {"text": "x"}) == {"a": "1", "b": "2"}
    for name, given in (("send", {"a": "y"}), ("other", {"text": "z"}), ("two", {"text": "y"})):
        with pytest.raises(NodeError, match=MISSED):
            await writes(name, given)


@pytest.mark.parametrize(
    ("mean", "recent", "verdict"),
    [
        (0.005, 0.01, "promote"),
        (0.0, 0.02, "promote"),
        (-0.001, 0.05, "reject"),
        (0.009, 0.009, "reject"),
        (0.01, 0.0, "promote"),
    ],
)
def test_a_gain_on_the_newest_rows_counts_where_nothing_is_lost(mean: float, recent: float, verdict: str) -> None:
    gain = Gain(mean=mean, low=-0.01, high=0.05)
    assert decided(n=200, gain=gain, recent=recent, policy=Shadow()).verdict == verdict
