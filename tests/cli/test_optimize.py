"""`agentsym optimize` trains, saves the best agent, says what came of it, and refuses early what cannot work."""

import json
from pathlib import Path

import pytest

from agentsym.cli.agents import find_agent
from evals.openai_server import Server
from evals.openai_server.brains import classroom
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
    assert f"agentsym runs show {call('runs', 'list', '--json').json[0]['id']}" in done.err
    assert "--resume" not in done.err, "with the metric mended, the scores so far would be those of another one"


def test_a_metric_that_fails_on_some_rows_is_warned_of_once_with_row_and_line(call: Call, place: Path) -> None:
    (place / "mine.py").write_text("def some(row, output):\n    return 1.0 if 'dog' not in row['text'] else 1 / 0\n")
    done = call(*QUICK, "--metric", "mine.py:some")
    assert done.code == 0
    assert done.err.count("warning: the metric") == 1
    assert "(val.jsonl:3): ZeroDivisionError: division by zero (at mine.py:2); a row on which it fails" in done.err
    done = call("eval", "things", "--data", "things/data/val.jsonl", "--metric", "mine.py:some", "--json")
    assert (done.code, done.json["score"]["mean"]) == (0, 17 / 18)
    assert done.err.count("warning: the metric") == 1


def test_rows_of_which_some_lack_a_label_are_told_of(call: Call, place: Path) -> None:
    file = place / "things" / "data" / "val.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], '{"text": "the plum is here"}', *lines[2:]]))
    done = call(*QUICK, "--dry-run")
    assert "note: 1 of 18 rows of val have no label 'kind', first row" in done.err and "(val.jsonl:2)" in done.err


def test_an_agent_of_another_name_is_not_replaced_but_its_own_older_version_is(call: Call, place: Path) -> None:
    find_agent("things/agent.py:other").agent.save(place / "best")
    done = call(*QUICK, "--out", "best")
    assert done.code == 2
    assert "--out " in done.err and "there is another agent, 'others', in this folder" in done.err
    assert find_agent("best").agent.name == "others"
    find_agent("things").agent.save(place / "older")
    assert call(*QUICK, "--out", "older").code == 0
    assert find_agent("older").agent.version != find_agent("things").agent.version


@pytest.mark.parametrize(
    "flags", [("--gate", "nope"), ("--metric", "nope"), ("--teacher", "nobody/knows"), ("--optimizer", "nope")]
)
def test_a_wrong_name_is_found_before_any_row_is_read(call: Call, place: Path, flags: tuple[str, str]) -> None:
    (place / "things" / "data" / "train.jsonl").write_text("no row")
    assert "train.jsonl" not in call(*QUICK, *flags).err


def test_everything_that_is_counted_once_is_said_in_the_singular(call: Call, place: Path) -> None:
    write_rows(place / "one.jsonl", rows(1)[:1])
    done = call("optimize", "things", "--val", "one.jsonl", "--test", "one.jsonl", "--steps", "1")
    assert "in 1 step;" in done.out
    assert "validation has only 1 row;" in done.err and "stopped: 1 step is done" in done.err
    assert "before: validation 1.000; 1 call, 0 tokens" in done.err
    assert "1 row, 0 failed" in call("run", "things", "--data", "one.jsonl").err


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


def test_a_run_that_remembers_rows_makes_no_more_calls_than_the_dry_run_says(call: Call, place: Path) -> None:
    train = [{**row, "text": f"{start} {row['text']}"} for start in ("well", "so", "look") for row in rows(0, 2, 4)]
    write_rows(place / "things" / "data" / "train.jsonl", train)
    planned = call(*QUICK, "--dry-run", "--json").json["calls"]
    made = {phase: used["calls"] for phase, used in call(*QUICK, "--json").json["usage"]["by_phase"].items()}
    assert made["forward"] < planned["forward"] == 2 * len(train)
    assert {phase: made[phase] for phase in ("gate", "test")} == {phase: planned[phase] for phase in ("gate", "test")}


def test_a_dry_run_reckons_with_what_a_run_with_a_language_model_makes(call: Call) -> None:
    with Server(classroom()) as server:
        models = ("--student", "openai/student", "--teacher", "openai/teacher")
        environment = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k"}
        planned = call(*QUICK, *models, "--dry-run", "--json", **environment).json["calls"]
        done = call(*QUICK, *models, "--json", **environment).json
    made = {phase: used["calls"] for phase, used in done["usage"]["by_phase"].items()}
    assert made["backward"] and made["optimizer"]
    assert all(calls <= planned[phase] for phase, calls in made.items()), (made, planned)


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
        (("--student", "nobody/knows"), "there is no provider 'nobody'"),
        (("--teacher", "nobody/knows"), "there is no provider 'nobody'"),
        (("--metric", "nope"), "there is no metric 'nope'"),
        (("--gate", "nope"), "there is no gate 'nope'"),
        (("--optimizer", "nope"), "there is no optimizer 'nope'"),
        (("--judge", "Be kind."), "the embedded teacher"),
        (("--map", "text"), "COLUMN=FIELD"),
        (("--train", "gone.jsonl"), "gone.jsonl: there is no such file"),
        (("--out", "things"), "the folder of the agent that is trained"),
        (("--out", "things/agent.py/x"), "nothing can be written there"),
        (("--out", "full"), "something else than an agent"),
        (("--record", "things/agent.py"), "things/agent.py: no recording can be written there"),
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


def test_a_dry_run_reckons_tokens_and_dollars_of_models_that_are_asked_elsewhere(call: Call, place: Path) -> None:
    (place / "prices.yaml").write_text("openai/teacher: {input: 1, output: 4}\n")
    flags = ("--teacher", "openai/teacher", "--dry-run")
    environment = {"OPENAI_API_KEY": "k", "AGENTSYM_PRICES": str(place / "prices.yaml")}
    planned = call(*QUICK, *flags, "--json", **environment).json
    asked = sum(planned["calls"][phase] for phase in ("loss", "backward", "optimizer"))
    tokens = planned["tokens"]
    assert tokens["completion"] == asked * 400
    assert planned["usd"] == pytest.approx((tokens["prompt"] + 4 * tokens["completion"]) / 1e6)
    assert "replies of 50 tokens from the student and 400 from the teacher" in call(*QUICK, *flags, **environment).out
    assert call(*QUICK, *flags, "--json", OPENAI_API_KEY="k").json["usd"] is None, "a price that nobody knows is no 0"
    assert call(*QUICK, "--dry-run", "--json").json["tokens_in_all"] == 0, "embedded models take no tokens"


def test_a_student_other_than_the_one_it_was_tuned_with_is_warned_of(call: Call, place: Path) -> None:
    find_agent("things").agent.save(place / "tuned", {"student": "another/model"})
    done = call("optimize", "tuned", "--train", "things/data/train.jsonl", "--dry-run")
    assert "tuned with the student another/model" in done.err


def test_the_address_of_the_student_it_was_tuned_with_does_not_matter(call: Call, place: Path) -> None:
    find_agent("things").agent.save(place / "tuned", {"student": "embedded at http://127.0.0.1:1/v1"})
    assert "tuned with" not in call("optimize", "tuned", "--train", "things/data/train.jsonl", "--dry-run").err
