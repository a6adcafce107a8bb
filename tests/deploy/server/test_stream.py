"""Streams: what happens comes as it happens, the answer last, and a client that goes away ends the run."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from agentsym import Agent, FunctionNode
from tests.deploy.conftest import Running, Start, eventually, slow, things


def _first(text: str) -> str:
    return text.upper()


async def _second(loud: str) -> str:
    await asyncio.sleep(0.5)
    return loud[::-1]


two = Agent(
    "two",
    nodes=[
        FunctionNode("first", _first, inputs=["text"], output={"loud": str}),
        FunctionNode("second", _second, inputs=["loud"], output={"back": str}),
    ],
    edges=[("first", "second")],
)


def _events(running: Running, text: str, mode: str = "updates") -> Iterator[tuple[str, Any, float]]:
    """Yield (event, data, when) of a stream."""
    header = running.token("invoke")
    with running.client.stream(
        "POST", f"/stream?mode={mode}", json={"inputs": {"text": text}}, headers=header
    ) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:]), time.monotonic()
            elif line.startswith(":"):
                yield "ping", None, time.monotonic()


def test_each_node_is_told_of_when_it_ends_and_the_answer_is_recorded_before_it_is_told(start: Start) -> None:
    running = start(two)
    found = list(_events(running, "ab"))
    assert [(name, data) for name, data, _ in found[:2]] == [
        ("update", {"first": {"loud": "AB"}}),
        ("update", {"second": {"back": "BA"}}),
    ]
    assert found[1][2] - found[0][2] > 0.3
    name, done, _ = found[2]
    assert name == "done" and done["output"] == {"loud": "AB", "back": "BA"} and len(found) == 3
    trace = running.store.traces.trace(done["trace_id"])
    assert trace is not None and trace.trajectory is not None
    assert [step.node for step in trace.trajectory.steps] == ["first", "second"]


def test_the_text_of_models_comes_as_they_write_it(start: Start) -> None:
    running = start(things)
    found = list(_events(running, "a dog", "text"))
    assert "".join(data["sort"] for name, data, _ in found if name == "text") == '{"kind": "animal"}'
    assert found[-1][0] == "done"


def test_a_failure_is_the_last_event(start: Start) -> None:
    running = start(slow)
    found = list(_events(running, "fail 1234"))
    assert [name for name, _, _ in found] == ["error"]
    assert found[0][1]["error"]["type"] == "agent_failed" and "1234" not in str(found)


def test_inputs_that_do_not_fit_are_told_by_the_status(start: Start) -> None:
    running = start()
    header = running.token("invoke")
    assert running.client.post("/stream", json={"inputs": {}}, headers=header).status_code == 422
    fits = {"inputs": {"text": "a"}}
    assert running.client.post("/stream?mode=rubbish", json=fits, headers=header).status_code == 422


def test_a_silent_stream_gives_signs_of_life(start: Start) -> None:
    running = start(slow, ping=0.1)
    names = [name for name, _, _ in _events(running, "wait 0.5")]
    assert names[-1] == "done" and names.count("ping") >= 2


def test_a_client_that_goes_away_ends_the_run(start: Start) -> None:
    running = start(slow)
    with running.client.stream(
        "POST", "/stream", json={"inputs": {"text": "wait 60"}}, headers=running.token("invoke")
    ) as response:
        assert response.status_code == 200
        eventually(lambda: running.service.running == 1)
    eventually(lambda: running.service.running == 0, 3)
    assert httpx.get(f"{running.url}/health").status_code == 200
