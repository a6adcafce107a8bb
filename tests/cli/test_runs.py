"""`agentsym runs` tells what a run did: its steps with decisions and edits, its scores, its calls, its journal."""

import json

import pytest

from agentsym.store.store import Store
from tests.cli.conftest import Call


def test_no_runs_yet_is_no_error(call: Call) -> None:
    done = call("runs", "list")
    assert (done.code, done.out) == (0, "")
    assert "there are no runs yet" in done.err
    assert call("runs", "show").code == 2


def test_runs_are_listed_the_newest_first(call: Call) -> None:
    made = [call("optimize", "things", "--steps", steps, "--json").json["run"] for steps in ("0", "1")]
    listed = call("runs", "list", "--json").json
    assert [run["id"] for run in listed] == made[::-1]
    out = call("runs", "list").out
    assert all(run in out for run in made)


def test_show_tells_decisions_edits_scores_and_calls(call: Call) -> None:
    run = call("optimize", "things", "--steps", "2", "--json").json
    done = call("runs", "show")
    for text in (
        run["run"],
        "step 1: ",
        " rows run at ",
        "edits accepted",
        "add_item sort/rules",
        "on test rows",
        "forward",
    ):
        assert text in done.out


def test_show_as_json_is_one_document(call: Call) -> None:
    run = call("optimize", "things", "--steps", "2", "--json").json
    shown = call("runs", "show", run["run"][:-1], "--json").json
    assert [step["step"] for step in shown["steps"]] == [1, 2]
    assert all(edit["op"] for step in shown["steps"] for edit in step["edits"])
    assert shown["tested"] == run["tested"]
    assert {(entry["phase"], entry["node"]) for entry in shown["by_node"]} >= {("forward", "sort"), ("test", "sort")}
    assert shown["config"]["origin"]["name"] == "things"


def test_the_journal_is_one_event_a_line(call: Call) -> None:
    call("optimize", "things", "--steps", "1")
    events = [json.loads(line) for line in call("runs", "show", "last", "--journal").out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["kind"] == "run" and events[-1]["kind"] == "stop"


def test_comparable_journals_of_equal_runs_are_equal_byte_for_byte(call: Call) -> None:
    printed = []
    for concurrency in ("1", "8"):
        call("optimize", "things", "--steps", "2", "--concurrency", concurrency)
        printed.append(call("runs", "show", "last", "--journal", "--comparable").out)
    assert printed[0] == printed[1]
    kinds = [json.loads(line)["kind"] for line in printed[0].splitlines()]
    assert kinds[0] == "run" and kinds[-1] == "stop" and "trajectory" in kinds
    other = call("optimize", "things", "--steps", "2", "--seed", "3")
    assert other.code == 0 and call("runs", "show", "last", "--journal", "--comparable").out != printed[0]


def test_comparable_is_a_form_of_the_journal(call: Call) -> None:
    call("optimize", "things", "--steps", "0")
    done = call("runs", "show", "last", "--comparable")
    assert done.code == 2 and "give both" in done.err


@pytest.mark.parametrize("columns", ["30", "60"])
def test_a_narrow_terminal_will_do(call: Call, columns: str) -> None:
    call("optimize", "things", "--steps", "1")
    for command in (("runs", "list"), ("runs", "show"), ("show", "things")):
        assert call(*command, COLUMNS=columns).code == 0


def test_a_run_can_be_forgotten_and_stays_to_be_seen(call: Call) -> None:
    run = call("optimize", "things", "--steps", "1", "--json").json["run"]
    for _ in range(2):
        done = call("runs", "forget", "last")
        assert done.code == 0 and f"run {run} is forgotten: no later run is told of it" in done.err
    events = [json.loads(line) for line in call("runs", "show", run, "--journal").out.splitlines()]
    assert [event["kind"] for event in events].count("forget") == 1
    assert call("runs", "show", run).code == 0 and call("runs", "forget", "nothing").code == 2


def test_a_run_that_has_not_ended_cannot_be_forgotten(call: Call) -> None:
    with Store.open() as store:
        store.append("under-way", "run", {"agent": "things", "config": {}})
    done = call("runs", "forget", "under-way")
    assert done.code == 2 and "run under-way has not ended" in done.err


def test_the_memory_is_switched_off_by_a_flag_that_the_run_remembers(call: Call) -> None:
    for flag, expected in (("--no-memory", False), ("--memory", True)):
        call("optimize", "things", "--steps", "0", flag)
        assert call("runs", "show", "last", "--json").json["config"]["settings"]["memory"] is expected
    done = call("optimize", "--resume", "last", "--no-memory")
    assert done.code == 2 and "leave out --memory/--no-memory" in done.err
