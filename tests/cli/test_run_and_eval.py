"""`agentsym run` runs one input or a stream of rows; `agentsym eval` scores labeled rows with intervals."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call, rows, write_rows

PARTLY_FAILING = """
from agentsym import Agent, ToolNode

def half(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2

agent = Agent("halves", nodes=[ToolNode("half", half, output="result")])
"""


@pytest.fixture
def halves(place: Path) -> Path:
    (place / "halves.py").write_text(PARTLY_FAILING)
    return write_rows(place / "numbers.jsonl", [{"id": f"n{n}", "number": n, "result": n // 2} for n in range(4)])


def test_one_input_gives_one_output(call: Call) -> None:
    done = call("run", "things", "--input", '{"text": "the fruit is here"}')
    assert (done.code, done.out) == (0, "kind  fruit\n")


def test_one_input_as_json(call: Call) -> None:
    done = call("run", "things", "--input", '{"text": "the fruit is here"}', "--json")
    assert done.json["output"] == {"kind": "fruit"}
    assert done.json["usage"]["calls"] == 1


def test_a_whole_row_of_a_data_set_will_do_as_input(call: Call) -> None:
    assert call("run", "things", "--input", '{"id": 1, "text": "a fruit", "kind": "tool"}').code == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [('{"txt": 1}', "missing: text"), ("{", "--input is not JSON"), ("[1]", "must be a JSON object")],
)
def test_a_wrong_input_is_wrong_usage(call: Call, given: str, said: str) -> None:
    done = call("run", "things", "--input", given)
    if given.startswith('{"t'):
        assert "takes text" in done.err
    else:
        assert said in done.err
    assert done.code == 2


def test_either_input_or_data_must_be_given(call: Call) -> None:
    assert call("run", "things").code == 2
    assert call("run", "things", "--input", "{}", "--data", "x.jsonl").code == 2


def test_rows_are_streamed_in_their_order_and_need_no_labels(call: Call, place: Path) -> None:
    write_rows(place / "new.jsonl", [{"id": f"r{n}", "text": row["text"]} for n, row in enumerate(rows(0))])
    done = call("run", "things", "--data", "new.jsonl")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [row["id"] for row in found] == [f"r{n}" for n in range(18)]
    assert all(set(row["output"]) == {"kind"} for row in found)
    assert done.code == 0


def test_a_row_that_fails_is_reported_and_the_others_go_on(call: Call, halves: Path) -> None:
    done = call("run", "halves.py", "--data", "numbers.jsonl")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 1
    assert [row.get("output") for row in found] == [{"result": 0}, None, {"result": 1}, None]
    assert "1 is odd" in found[1]["error"]
    assert "numbers.jsonl:2: row n1 failed" in done.err
    together = call("run", "halves.py", "--data", "numbers.jsonl", "--json")
    assert (together.json["n"], together.json["failed"]) == (4, 2)


def test_one_input_that_fails_exits_with_1(call: Call, halves: Path) -> None:
    done = call("run", "halves.py", "--input", '{"number": 3}', "--json")
    assert done.code == 1
    assert "3 is odd" in done.json["error"]


def test_eval_scores_each_field_with_its_interval(call: Call) -> None:
    done = call("eval", "things", "--data", "things/data/test.jsonl", "--json")
    assert done.code == 0
    score = done.json["score"]
    assert done.json["fields"]["kind"] == score
    assert score["n"] == 18
    assert 0 <= score["low"] <= score["mean"] <= score["high"] <= 1
    assert "things/data" not in call("eval", "things", "--data", "things/data/test.jsonl").out


def test_eval_agrees_with_what_optimize_measured(call: Call) -> None:
    run = call("optimize", "things", "--steps", "2", "--json").json
    done = call("eval", run["out"], "--data", "things/data/test.jsonl", "--json")
    assert done.json["score"]["mean"] == run["tested"]["after"]


def test_a_failed_run_scores_0_and_is_counted(call: Call, halves: Path) -> None:
    done = call("eval", "halves.py", "--data", "numbers.jsonl", "--json")
    assert done.code == 0
    assert (done.json["failed"], done.json["score"]["mean"]) == (2, 0.5)


def test_eval_takes_columns_of_other_names_and_a_metric_of_ones_own(call: Call, place: Path) -> None:
    write_rows(place / "x.jsonl", [{"what": row["text"], "sort": row["kind"]} for row in rows(0)])
    (place / "mine.py").write_text("def half(row, output):\n    return 0.5\n")
    flags = ("--map", "what=text", "--label", "sort", "--metric", "mine.py:half", "--json")
    assert call("eval", "things", "--data", "x.jsonl", *flags).json["score"]["mean"] == 0.5


def test_rows_without_labels_cannot_be_scored(call: Call, place: Path) -> None:
    write_rows(place / "new.jsonl", [{"text": "a pear"}])
    done = call("eval", "things", "--data", "new.jsonl")
    assert done.code == 2
    assert "has no label" in done.err


@pytest.mark.parametrize("command", ["run", "eval"])
def test_an_unknown_model_is_wrong_usage(call: Call, command: str) -> None:
    flags = ("--data", "things/data/test.jsonl", "--student", "nobody/knows")
    assert call(command, "things", *flags).code == 2
    assert call(command, "things", *flags[:2], AGENTSYM_STUDENT="nobody/knows").code == 2


def test_a_node_with_a_model_that_nobody_answers_for_is_refused_before_the_first_row(call: Call, place: Path) -> None:
    code = place / "things" / "agent.py"
    code.write_text(code.read_text().replace('"sort", ', '"sort", model="nobody/knows", instructions=', 1))
    done = call("run", "things", "--data", "things/data/test.jsonl")
    assert (done.code, done.out) == (2, "")
