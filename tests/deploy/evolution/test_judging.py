"""A judge scores what nobody has judged, and is believed as far as it agrees with people."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from agentsym.deploy.evolution.judging import require_another, spearman
from agentsym.errors import UsageError
from agentsym.models.doubles import ScriptedModel
from agentsym.models.protocol import Reply, Request
from evals.deployed.world import NEW, OLD, agent, asked
from tests.deploy.evolution.conftest import turned
from tests.deploy.evolution.test_release import asks, live, taught


def knowing(request: Request) -> Reply:
    """A double of a judge that knows the trade: it finds the way to put things in its prompt, and what was answered."""
    text = "\n".join(message.content for message in request.messages)
    (wanted,) = {
        intent
        for ways in (OLD, NEW)
        for intent, several in ways.items()
        for way in several
        if re.search(re.escape(way).replace(r"\{thing\}", r"\w+").replace(r"\{day\}", r"[\w ]+"), text)
    }
    answered = re.findall(r"output intent: (\w+)", text)[-1]
    return graded(10 if answered == wanted else 1)


def indifferent(request: Request) -> Reply:
    """A double of a judge that finds everything so-so."""
    return graded(5)


def graded(score: int) -> Reply:
    return Reply(
        text=json.dumps({"comments": "I looked.", "requirement_for_last": "", "satisfied": score > 9, "score": score})
    )


def ask_only(running: Any, requests: int, *, seed: int) -> None:
    """Ask without judging."""
    header = running.token("invoke")
    for question in asked(seed, requests, 0):
        running.client.post(
            "/invoke", json={"inputs": {"message": question.message}}, headers=header
        ).raise_for_status()


def judged_by(wheel: Any, brain: Any, **policy: Any) -> Any:
    section = {"model": "double:judge", "samples": 1, "share": 1.0, "anchors": 20, **policy}
    return wheel(agent(), {"judge": section}, judge=ScriptedModel([brain], name="double:judge", remote=False))


def test_answers_that_nobody_judged_are_scored_once(start: Any, wheel: Any) -> None:
    running, evolution = start(agent()), judged_by(wheel, knowing)
    ask_only(running, 40, seed=5)
    asyncio.run(evolution.turn())
    said = list(running.store.traces.judged("counter", most=100))
    assert len(said) == 40
    assert {feedback.kind for _, each in said for feedback in each} == {"judge"}
    for trace, (feedback,) in said:
        wanted = next(q.intent for q in asked(5, 40, 0) if q.message == trace.trajectory.inputs["message"])
        assert (feedback.score > 0.5) == (trace.trajectory.output["intent"] == wanted)
    calls = len(evolution.means.judge.calls)
    asyncio.run(evolution.turn())
    assert len(evolution.means.judge.calls) == calls


@pytest.mark.parametrize(("brain", "what"), [(knowing, "promoted"), (indifferent, "held")])
def test_nothing_goes_live_on_the_word_of_a_judge_that_people_disagree_with(
    start: Any, wheel: Any, brain: Any, what: str
) -> None:
    running, evolution = start(agent()), judged_by(wheel, brain)
    asks(running, 120, seed=1)
    ask_only(running, 20, seed=7)
    running.store.releases.propose("counter", taught(agent()), parent=live(running), actor="test")
    turn = turned(evolution)[0]
    assert turn.what == what, turn
    assert ("agree with labels" in turn.reason) == (what == "held")


def test_the_judge_is_not_the_teacher() -> None:
    with pytest.raises(UsageError, match="writes the edits too"):
        require_another("openai/gpt-4o", "openai/gpt-4o")
    require_another("openai/gpt-4o", "openai/gpt-4o-mini")
    require_another(None, "openai/gpt-4o")


def test_rank_correlation_is_spearmans() -> None:
    stats = pytest.importorskip("scipy.stats")
    a, b = [0.1, 0.4, 0.4, 0.9, 1.0, 0.2], [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert spearman([1, 1, 1], [1, 2, 3]) == 0.0 == spearman([1], [1])


def test_a_judge_that_comes_to_a_cap_keeps_what_it_said_and_goes_on_later(start: Any, wheel: Any) -> None:
    running = start(agent())
    section = {"model": "double:judge", "samples": 1, "share": 1.0}
    judge = ScriptedModel([knowing], name="double:judge", remote=False)
    evolution = wheel(agent(), {"judge": section, "learning": {"max_calls": 15}}, judge=judge)
    ask_only(running, 20, seed=5)
    turn = asyncio.run(evolution.turn())
    assert turn.what == "waits" and "the judge was stopped" in turn.reason
    assert len(list(running.store.traces.judged("counter", most=100))) == 15
    asyncio.run(evolution.turn())
    assert len(list(running.store.traces.judged("counter", most=100))) == 20


def test_an_answer_that_the_judge_cannot_score_is_asked_about_once(start: Any, wheel: Any) -> None:
    running = start(agent())
    evolution = judged_by(wheel, lambda request: Reply(text="I would rather not say"))
    ask_only(running, 8, seed=5)
    assert asyncio.run(evolution.turn()).what == "waits"
    calls = len(evolution.means.judge.calls)
    assert calls >= 8
    asyncio.run(evolution.turn())
    assert len(evolution.means.judge.calls) == calls
    said = running.store.traces.feedback_of(trace.id for trace in running.store.traces.recent("counter"))
    assert {item.score for items in said.values() for item in items} == {None}
    assert evolution.material(agent()).examples == []
