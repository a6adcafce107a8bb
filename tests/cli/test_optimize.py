"""`agentsym optimize` trains, saves the best agent, says what came of it, and refuses early what cannot work."""

import json
from pathlib import Path

import pytest

from agentsym.cli.agents import find_agent
from tests.cli.conftest import Call, rows, write_rows

QUICK = ("optimize", "things", "--steps", "2")


def test_the_agent_gets_better_and_the_best_one_is_saved(call: Call, place: Path) -> None:
    done = call(*QUICK, "--out", "best")
    assert done.code == 0
    assert "on 18 test rows" in done.out and "95 % interval" in done.out
    assert "agentsym diff things best" in done.out
    assert "validation has only 18 rows" in done.err
    report = json.loads((place / "best" / "report.json").read_text())
    assert report["tested"]["after"] > report["tested"]["before"]
    assert find_agent("best").agent.version == report["best"] != report["first"]
    assert report["prompt_chars"]["after"] > report["prompt_chars"]["before"]
    assert any(rule in done.out for rule in report["learned"]["rules"])


def test_the_best_agent_goes_to_runs_id_by_default(call: Call, place: Path) -> None:
    done = call(*QUICK, "--json")
    assert Path(done.json["out"]) == place / "runs" / done.json["run"]
    assert (place / "runs" / done.json["run"] / "agent.yaml").is_file()


def test_json_is_one_document_and_progress_goes_to_stderr(call: Call) -> None:
    done = call(*QUICK, "--json")
    assert done.json["status"] == "done"
    assert done.json["usage"]["total"]["calls"] == sum(u["calls"] for u in done.json["usage"]["by_phase"].values())
    assert "step 1: accepted" in done.err


def test_the_same_seed_gives_the_same_version(call: Call) -> None:
    assert call(*QUICK, "--json").json["best"] == call(*QUICK, "--json").json["best"]


def test_when_nothing_is_accepted_it_says_so_and_exits_with_0(call: Call) -> None:
    done = call("optimize", "things", "--steps", "0", "--out", "same")
    assert done.code == 0
    assert "no edit was accepted in 0 steps; the agent is as it was" in done.out
    assert find_agent("same").agent.version == find_agent("things").agent.version


def test_without_validation_a_fifth_of_train_is_set_apart_and_said(call: Call, place: Path) -> None:
    (place / "things" / "data" / "val.jsonl").unlink()
    done = call(*QUICK, "--dry-run", "--json")
    assert done.json["rows"]["val"] == 11
    assert "11 of 54 rows are set apart" in done.err


def test_columns_of_other_names_are_mapped(call: Call, place: Path) -> None:
    for name in ("train", "val", "test"):
        file = place / "things" / "data" / f"{name}.jsonl"
        file.write_text(file.read_text().replace('"text"', '"what"').replace('"kind"', '"sort"'))
    assert "the input 'text' of agent 'things' is missing" in call(*QUICK).err
    done = call(*QUICK, "--map", "what=text", "--label", "sort", "--dry-run", "--json")
    assert done.json["rows"]["train"] == 54


def test_a_metric_of_ones_own_scores(call: Call, place: Path) -> None:
    (place / "mine.py").write_text("def always(row, output):\n    return 1.0\n")
    done = call(*QUICK, "--metric", "mine.py:always", "--target", "1.0", "--json")
    assert done.json["val"] == {"before": 1.0, "after": 1.0}
    assert done.json["reason"] == "the target of 1 is reached"


def test_a_metric_that_gives_no_score_ends_the_run_and_the_run_is_kept(call: Call, place: Path) -> None:
    (place / "mine.py").write_text("def seven(row, output):\n    return 7\n")
    done = call(*QUICK, "--metric", "mine.py:seven")
    assert done.code == 2
    assert "a score lies in [0, 1]" in done.err.splitlines()[-1]
    assert f"--resume {call('runs', 'list', '--json').json[0]['id']}" in done.err


def test_a_dry_run_says_what_would_run_and_leaves_no_trace(call: Call, place: Path) -> None:
    done = call(*QUICK, "--dry-run", "--max-calls", "500")
    assert done.code == 0
    assert "54 train, 18 val, 18 test, 0 must_pass" in done.out
    assert "500 model calls" in done.out
    assert not (place / "runs").exists()
    assert call("runs", "list", "--json").json == []


def test_a_dry_run_counts_the_calls_that_the_run_then_makes(call: Call) -> None:
    planned = call(*QUICK, "--dry-run", "--json").json
    done = call(*QUICK, "--json").json
    assert done["steps"] == 2
    made = {phase: used["calls"] for phase, used in done["usage"]["by_phase"].items()}
    assert made == {phase: calls for phase, calls in planned["calls"].items() if calls}


def test_a_budget_that_cannot_pay_the_first_step_is_refused_before_any_call(call: Call) -> None:
    done = call(*QUICK, "--max-calls", "5", "--json")
    assert done.code == 2
    assert "--max-calls" in done.json["error"]
    assert all(run["calls"] == 0 for run in call("runs", "list", "--json").json)


def test_a_budget_that_is_reached_later_saves_what_was_reached_and_exits_with_3(call: Call) -> None:
    done = call(*QUICK, "--max-calls", "150", "--json")
    assert done.code == 3
    assert done.json["status"] == "budget"
    assert done.json["usage"]["total"]["calls"] <= 150
    assert find_agent(done.json["out"]).agent.version == done.json["best"]
    assert f"agentsym optimize --resume {done.json['run']}" in done.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--stepz", "3"), "No such option: --stepz"),
        (("--steps", "many"), "--steps"),
        (("--steps", "-1"), "steps"),
        (("--student", "nobody/knows"), "nobody answers for the model 'nobody/knows'"),
        (("--teacher", "nobody/knows"), "nobody answers for the model 'nobody/knows'"),
        (("--metric", "nope"), "there is no metric 'nope'"),
        (("--gate", "nope"), "there is no gate 'nope'"),
        (("--optimizer", "nope"), "there is no optimizer 'nope'"),
        (("--judge", "Be kind."), "the embedded teacher"),
        (("--map", "text"), "COLUMN=FIELD"),
        (("--train", "gone.jsonl"), "gone.jsonl: there is no such file"),
        (("--out", "things"), "the folder of the agent that is trained"),
        (("--out", "things/agent.py/x"), "nothing can be written there"),
        (("--out", "full"), "something else than an agent"),
    ],
)
def test_wrong_usage_is_said_in_one_line_and_exits_with_2(
    call: Call, place: Path, flags: tuple[str, ...], said: str
) -> None:
    write_rows(place / "full" / "something", [])
    done = call("optimize", "things", *flags)
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("error: ")
    assert said in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    failed = call("optimize", "things", *flags, "--json")
    assert failed.code == 2 and said in failed.json["error"]


def test_a_malformed_row_is_named_by_file_and_line(call: Call, place: Path) -> None:
    file = place / "things" / "data" / "train.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:6], '{"text": ', *lines[6:]]))
    done = call(*QUICK)
    assert done.code == 2
    assert "train.jsonl:7: not valid JSON" in done.err


def test_an_agent_without_rows_asks_for_them(call: Call, place: Path) -> None:
    (place / "things" / "data").rename(place / "elsewhere")
    assert "give a file with --train" in call(*QUICK).err
    assert "name the AGENT to train" in call("optimize").err


def test_rows_of_two_sets_are_dropped_from_train(call: Call, place: Path) -> None:
    write_rows(place / "more.jsonl", rows(0, 1, 2))
    done = call(*QUICK, "--train", "more.jsonl", "--dry-run", "--json")
    assert done.json["rows"]["train"] == 36
    assert "18 rows of train were dropped" in done.err


def test_a_student_other_than_the_one_it_was_tuned_with_is_warned_of(call: Call, place: Path) -> None:
    find_agent("things").agent.save(place / "tuned", {"student": "another/model"})
    done = call("optimize", "tuned", "--train", "things/data/train.jsonl", "--dry-run")
    assert "tuned with the student another/model" in done.err
