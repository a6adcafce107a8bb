"""The command line on a PostgreSQL store, as its users have it: by AGENTSYM_STORE, in processes that can be killed."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from agentsym.store import Store
from agentsym.store.comparable import comparable
from tests.cli.conftest import COMMAND, Call, write_rows

TRIAGE = Path(__file__).parents[2] / "pipelines" / "support_triage" / "data"


@pytest.fixture
def few_rows(tmp_path: Path) -> Path:
    """A small part of the shipped pipeline's data."""
    for name, every in (("train", 6), ("val", 4), ("test", 10)):
        lines = (TRIAGE / f"{name}.jsonl").read_text("utf-8").splitlines()[::every]
        write_rows(tmp_path / f"{name}.jsonl", [json.loads(line) for line in lines])
    return tmp_path


def optimize(folder: Path, store: str, *arguments: str) -> subprocess.Popen[str]:
    command = [COMMAND, "optimize", *arguments, "--json"]
    environment = {**os.environ, "AGENTSYM_STORE": store}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    found: dict[str, Any] = json.loads(out)
    return found


def journal(store: Store) -> list[dict[str, Any]]:
    return list(comparable(store.events(store.run().id)))


def test_a_run_that_is_killed_on_a_server_ends_like_one_in_a_file(few_rows: Path, postgres_url: str) -> None:
    learning = (
        "support_triage",
        "--train",
        "train.jsonl",
        "--val",
        "val.jsonl",
        "--test",
        "test.jsonl",
        "--steps",
        "4",
    )
    file = few_rows / "whole.db"
    whole = finished(optimize(few_rows, f"sqlite:///{file}", *learning))
    with Store.open(postgres_url) as store:
        process = optimize(few_rows, postgres_url, *learning)
        deadline = time.monotonic() + 60
        while not store.runs() or store.last_event(store.run().id, "proposal") is None:
            assert process.poll() is None and time.monotonic() < deadline
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert store.run().status == "running"
        resumed = finished(optimize(few_rows, postgres_url, "--resume", "last"))
        assert store.run().status == "done"
        assert [event.kind for event in store.events(store.run().id, kind=("resume", "stop"))] == ["resume", "stop"]
        with Store.open(file) as expected:
            assert journal(store) == journal(expected)
        assert len(store.versions(store.run().id)) > 1
    assert resumed["best"] == whole["best"]


def test_runs_of_a_server_are_listed_and_doctor_says_that_it_answers(
    call: Call, postgres_url: str, clean_environment: Path
) -> None:
    found = call("doctor", "--json", AGENTSYM_STORE=postgres_url).json["store"]
    assert (found["exists"], found["problem"], found["schema"]) == (False, "", None)
    with Store.open(postgres_url) as store:
        store.append("20261126-101010-abcd", "run", {"agent": "support"})
        shown = str(store.path)
    found = call("doctor", "--json", AGENTSYM_STORE=postgres_url).json["store"]
    assert (found["path"], found["exists"], found["writable"], found["problem"]) == (shown, True, True, "")
    assert found["schema"] in call("doctor", AGENTSYM_STORE=postgres_url, COLUMNS="200").out
    (run,) = call("runs", "list", "--json", AGENTSYM_STORE=postgres_url).json
    assert run["id"] == "20261126-101010-abcd"
    assert not (clean_environment / "agentsym").exists()
