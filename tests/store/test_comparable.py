"""Two journals of the same run read the same, whatever it cost, when it was, and how often it was stopped."""

from collections.abc import Iterable
from typing import Any

from agentsym.store.comparable import comparable
from agentsym.store.events import Event


def events(run_id: str, *kinds: tuple[str, dict[str, Any]], at: str = "2026-11-25T20:14:55") -> list[Event]:
    return [Event(run_id=run_id, seq=seq, kind=kind, at=at, data=data) for seq, (kind, data) in enumerate(kinds, 1)]


def trajectory(run_id: str, *, call: str, seconds: float, **usage: int) -> tuple[str, dict[str, Any]]:
    asked = {"tool": "clock", "arguments": {"seconds": 3}, "id": call, "seconds": seconds}
    messages = [{"role": "assistant", "text": "hash", "tool_calls": [asked]}, {"role": "tool", "tool_call_id": call}]
    step = {"index": 0, "node": "sort", "messages": messages, "tool_calls": [asked], "usage": usage, "seconds": seconds}
    whole = {"id": f"{run_id}-0-0", "steps": [step], "usage": usage, "seconds": seconds, "inputs": {"seconds": 3}}
    return "trajectory", {"trajectory": whole, "phase": "forward", "score": 0.5}


def checkpoint(calls: int) -> tuple[str, dict[str, Any]]:
    summary = {"steps": 1, "calls": calls, "tokens": 9 * calls, "usd": 0.1, "seconds": 2.0}
    return "checkpoint", {"state": {"step": 1}, "ledger": [{"calls": calls}], "summary": summary}


def told(found: Iterable[Event]) -> list[dict[str, Any]]:
    return list(comparable(found))


def test_times_ids_and_costs_do_not_count() -> None:
    one = events("a-1", ("run", {}), trajectory("a-1", call="call_7f", seconds=0.4, calls=1), checkpoint(5))
    two = events("b-2", ("run", {}), trajectory("b-2", call="x9", seconds=3.0, cached=1), checkpoint(0), at="later")
    assert told(one) == told(two)
    assert told(one)[1]["data"]["trajectory"]["id"] == "RUN-0-0"


def test_what_was_asked_and_decided_does_count() -> None:
    (line,) = told(events("a-1", trajectory("a-1", call="call_7f", seconds=0.4)))
    shown = line["data"]["trajectory"]
    assert shown["inputs"] == {"seconds": 3}  # a field of the user's
    assert shown["steps"][0]["tool_calls"] == [{"tool": "clock", "arguments": {"seconds": 3}}]
    assert shown["steps"][0]["messages"][0]["text"] == "hash"
    assert line["data"]["score"] == 0.5
    assert told(events("a-1", checkpoint(5)))[0]["data"] == {"state": {"step": 1}, "summary": {"steps": 1}}


def test_a_run_that_was_stopped_and_went_on_reads_like_one_that_never_was() -> None:
    stop = ("stop", {"status": "interrupted", "summary": {"calls": 4}, "ledger": []})
    end = ("stop", {"status": "done", "summary": {"calls": 4, "test_after": 0.9}, "ledger": []})
    whole = events("a-1", ("run", {}), ("baseline", {"value": 1}), checkpoint(5), end)
    stopped = events("b-2", ("run", {}), stop, ("resume", {}), ("baseline", {"value": 1}), checkpoint(6), end)
    assert told(whole) == told(stopped)
    assert told(whole)[-1] == {"kind": "stop", "data": {"status": "done", "summary": {"test_after": 0.9}}}
    assert told(events("a-1", ("run", {}), stop))[-1]["data"]["status"] == "interrupted"


def test_lessons_count_but_not_whose_they_are() -> None:
    def run(run_id: str, edit: str) -> list[dict[str, Any]]:
        return told(events("a-1", ("run", {"lessons": [{"run": run_id, "edit": edit}]})))

    assert run("r-1", "add_rule: Mind it.") == run("r-2", "add_rule: Mind it.")
    assert run("r-1", "add_rule: Mind it.") != run("r-1", "add_rule: Never mind.")


def test_forgetting_a_run_leaves_no_trace_in_it() -> None:
    stop = ("stop", {"status": "done", "summary": {}})
    assert told(events("a-1", ("run", {}), stop, ("forget", {}))) == told(events("a-1", ("run", {}), stop))
