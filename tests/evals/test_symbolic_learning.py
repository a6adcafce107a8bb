"""The tasks of the paper share their command: what is refused, what is planned, and how a stopped run goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentsym.errors import DataError
from agentsym.learning.report.wording import interval
from evals.hotpotqa.__main__ import TASK, main
from evals.humaneval.__main__ import main as humaneval
from evals.openai_server import Server
from evals.symbolic_learning import double
from evals.symbolic_learning.data import VARIABLE, part, read
from evals.symbolic_learning.report import show

PROBLEMS = [
    {"question": f"Which is older, Mount {name} or Lake Zo?", "answer": f"Mount {name}"}
    for name in "ABCDEFGHIJKLMNOPQRST"
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    text = "".join(json.dumps(problem) + "\n" for problem in PROBLEMS)
    for split in ("hard", "easy"):
        (tmp_path / f"hotpotqa_{split}.jsonl").write_text(text, "utf-8")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Return the exit code of a command, and what it says on stderr."""
    try:
        code = main(argv)
    except SystemExit as end:  # argparse
        code = int(end.code or 0)
    return code, capsys.readouterr().err


def test_problems_are_parted_by_a_seeded_hash_whatever_their_order() -> None:
    def ids(parts: Any) -> list[set[str]]:
        return [{problem["question"] for problem in problems} for problems in parts]

    parts = part(PROBLEMS, TASK.key, 0)
    assert [len(problems) for problems in parts] == [8, 4, 8]
    assert len(set.union(*ids(parts))) == 20
    assert ids(part(PROBLEMS[::-1], TASK.key, 0)) == ids(parts) != ids(part(PROBLEMS, TASK.key, 1))


def test_a_question_that_stands_in_the_file_twice_stands_in_one_set_only() -> None:
    twice = [*PROBLEMS, *({**each, "question": f" {each['question'].upper()} "} for each in PROBLEMS)]
    assert [len(problems) for problems in part(twice, TASK.key, 0)] == [8, 4, 8]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_problems_are_refused(count: int) -> None:
    with pytest.raises(DataError, match="too few"):
        part(PROBLEMS[:count], TASK.key, 0)


@pytest.mark.parametrize(
    ("line", "says"), [("{", "is no JSON"), ("[]", "lacks question"), ('{"question": "?"}', "lacks answer")]
)
def test_a_line_that_is_no_problem_is_named(line: str, says: str, data: Path) -> None:
    file = data / "hotpotqa_hard.jsonl"
    file.write_text(f"{json.dumps(PROBLEMS[0])}\n\n{line}\n", "utf-8")
    with pytest.raises(DataError, match=f"hotpotqa_hard.jsonl:3: .*{says}"):
        read(data, "hotpotqa_hard.jsonl", TASK.needs)


def test_a_file_without_problems_is_refused(data: Path) -> None:
    (data / "hotpotqa_hard.jsonl").write_text("\n", "utf-8")
    with pytest.raises(DataError, match="has no problems"):
        read(data, "hotpotqa_hard.jsonl", TASK.needs)


@pytest.mark.parametrize("command", [main, humaneval])
def test_without_data_the_error_names_where_it_can_be_had(
    command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv, says in (
        ([], f"--data DIR, or in {VARIABLE}"),
        (["--data", str(tmp_path / "none")], "none is no folder"),
        (["--data", str(tmp_path)], "has no h"),
    ):
        assert command(argv) == 2
        error = capsys.readouterr().err
        assert says in error and "CC BY-SA 4.0" in error and "github.com/openai/human-eval" in error


def test_the_environment_can_name_the_folder(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, str(data))
    assert main(["--dry-run", "--split", "easy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["split"] == "easy"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--split", "harder"], "invalid choice"),
        (["--steps", "-1"], "whole number, 0 or more"),
        (["--samples", "none"], "whole number, 1 or more"),
        (["--max-usd", "0"], "above 0"),
        (["--max-seconds", "soon"], "above 0"),
        (["--optimizer", "sgd"], "invalid choice"),
        (["--gate", "wide"], "wide"),
        (["--student", "openai/some"], "name the teacher too"),
        (["--teacher", "openai/some"], "name the student too"),
        (["--student", "scripted", "--teacher", "openai/some"], "scripted is student and teacher together"),
        (["--max-usd", "1"], "costs nothing"),
        (["--student", "openai/some", "--teacher", "openai/some"], "OPENAI_API_KEY"),
        (["--resume"], "there is no run of hotpotqa yet"),
        (["--resume", "x", "--steps", "3", "--seed", "1"], "leave out --steps, --seed"),
        (["--resume", "x", "--dry-run"], "leave out --dry-run"),
        (["--resume", "x"], "there are no runs yet"),
        (["--max-calls", "3"], "the caps cannot pay the first step"),
    ],
)
def test_wrong_flags_are_refused_with_the_remedy(
    argv: list[str], says: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, error = told(capsys, "--data", str(data), *argv)
    assert code != 0 and says in error


def test_an_error_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 2
    assert VARIABLE in json.loads(capsys.readouterr().out)["error"]


def test_a_dry_run_says_what_would_be_asked_and_asks_nothing(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Server(lambda body: "") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        argv = ["--data", str(data), "--dry-run", "--student", "openai/a", "--teacher", "openai/b", "--steps", "2"]
        assert main([*argv, "--optimizer", "paper", "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert main(argv) == 0
        assert server.stats.requests == 0
    assert document["calls"]["test"] == 2 * 2 * 8 and document["calls_are"] == "at most" and document["note"] is None
    assert document["rows"] == {"train": 8, "val": 4, "test": 8}
    assert "calls: about" in capsys.readouterr().out


def test_real_models_are_asked_by_name_and_nothing_is_called_scripted(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with double.server(TASK) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("AGENTSYM_STUDENT", "openai/student")
        assert main(["--data", str(data), "--teacher", "openai/teacher", "--optimizer", "paper"]) == 0
        assert set(server.stats.by_model) == {"student", "teacher"}
    printed = capsys.readouterr().out
    assert "scripted" not in printed and "student openai/student, teacher openai/teacher" in printed


def test_a_run_that_a_cap_stops_is_resumed_to_the_same_end(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def document(*argv: str) -> dict[str, Any]:
        main(["--data", str(data), "--json", *argv])
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    whole = document()
    stopped = document("--max-calls", "60")
    assert stopped["status"] == "budget" and stopped["figures"] is None
    assert main(["--data", str(data), "--resume", stopped["run"], "--max-calls", "60"]) == 3
    error = capsys.readouterr().err
    assert f"python -m evals.hotpotqa --resume {stopped['run']}" in error
    resumed = document("--resume", "--out", str(data / "best"))
    assert resumed["run"] == stopped["run"] and resumed["status"] == "done"
    assert all(resumed[name] == whole[name] for name in ("figures", "val", "steps", "accepted", "learned"))
    assert whole["figures"]["EM"]["after"] > whole["figures"]["EM"]["before"]
    wide = {**whole["figures"], "gain": {"score": 0.5, "low": 0.25, "high": 0.75}}
    show({**whole, "figures": wide}, as_json=False)
    assert f"gain of the score +0.500, 95 % interval {interval(0.25, 0.75)}" in capsys.readouterr().out
    assert (data / "best" / "agent.yaml").is_file()
    assert humaneval(["--data", str(data), "--resume", stopped["run"]]) == 2
    assert "is none of humaneval" in capsys.readouterr().err
