"""Runs that began well and were cut short: what was done until then is kept, and the reason is said in one line."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentsym.cli.agents import find_agent
from agentsym.models.retry import RetryPolicy
from evals.openai_server import Server
from evals.openai_server.brains import classroom
from tests.cli.conftest import COMMAND, Call, write_rows

OPTIMIZE = ("optimize", "things", "--steps", "3", "--out", "best")
TAUGHT = (*OPTIMIZE, "--student", "openai/student", "--teacher", "openai/teacher")
VAL = ("--data", "things/data/val.jsonl")
CIRCLES = """
from agentsym import Agent, Edge, FunctionNode, When

def again(text: str) -> str:
    return text

def never(said: str) -> str:
    return "no"

nodes = [
    FunctionNode("again", again, output={"said": str}, max_visits=2),
    FunctionNode("never", never, output={"done": str}, max_visits=5),
]
edges = [
    ("__start__", "again"),
    Edge(source="again", target="__end__", when=When(field="done", value="yes")),
    Edge(source="again", target="never", priority=1),
    ("never", "again"),
]
agent = Agent("circles", nodes, edges, outputs=["said"])
"""
SPY = """
import os, sys

def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        with open(os.environ["SPIED"], "a") as file:
            file.write(f"{event} {args[1:]}\\n")

sys.addaudithook(hook)
"""


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a request again at once, so that a server which is not there is given up in no time."""
    monkeypatch.setattr("agentsym.models.door.RetryPolicy", lambda: RetryPolicy(first=0.001))


def mortal(requests: int) -> Server:
    """Return a server that goes away for good while it is asked for the last of so many requests."""
    answer = classroom()

    killer = threading.Thread(target=lambda: server.__exit__(None, None, None))

    async def brain(body: dict[str, Any]) -> str:
        if server.stats.requests >= requests and killer.ident is None:
            killer.start()
        return await answer(body)

    server = Server(brain)
    return server


def openai(server: Server) -> dict[str, str]:
    return {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k"}


def test_a_server_that_dies_leaves_the_best_so_far_and_another_one_takes_the_run_to_its_end(
    call: Call, place: Path
) -> None:
    with Server(classroom()) as server:
        whole = call(*TAUGHT, "--json", **openai(server)).json
    dying = mortal(60)
    dying.__enter__()
    done = call(*TAUGHT, "--json", **openai(dying))
    assert done.code == 1
    assert done.json["status"] == "failed" and "cannot be reached" in done.json["error"]
    *_, saved, error = done.err.splitlines()
    assert saved == f"what was reached is saved. To go on: agentsym optimize --resume {done.json['run']}"
    assert error == f"error: {done.json['error']}"
    assert find_agent("best").agent.version == done.json["best"]
    with Server(classroom()) as server:
        resumed = call("optimize", "--resume", "last", "--json", **openai(server))
    assert resumed.code == 0, resumed.err
    assert (resumed.json["best"], resumed.json["tested"]) == (whole["best"], whole["tested"])
    assert find_agent("best").agent.version == whole["best"]


def test_a_recorded_run_is_replayed_without_a_server(call: Call) -> None:
    with Server(classroom()) as server:
        recorded = call(*TAUGHT, "--record", "tape", "--json", **openai(server))
    replayed = call(*OPTIMIZE, "--student", "recorded:tape", "--teacher", "recorded:tape", "--json")
    assert (recorded.code, replayed.code) == (0, 0), replayed.err
    assert (replayed.json["best"], replayed.json["tested"]) == (recorded.json["best"], recorded.json["tested"])


def test_a_run_that_reached_nothing_saves_nothing_and_can_go_on(call: Call, place: Path) -> None:
    dying = mortal(3)
    dying.__enter__()
    done = call(*TAUGHT, "--json", **openai(dying))
    assert (done.code, done.json["out"]) == (1, None)
    assert not (place / "best").exists()
    assert f"to go on: agentsym optimize --resume {done.json['run']}" in done.err


def test_rows_that_were_run_before_the_server_died_are_written(call: Call) -> None:
    dying = mortal(9)
    dying.__enter__()
    done = call("run", "things", *VAL, "--student", "openai/student", "--concurrency", "1", **openai(dying))
    assert done.code == 1
    assert 8 <= len(done.out.splitlines()) < 18
    assert "cannot be reached" in done.err.splitlines()[-1]


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_rows_that_were_run_before_a_cap_are_written(call: Call, flags: tuple[str, ...]) -> None:
    done = call("run", "things", *VAL, "--max-calls", "7", *flags)
    assert done.code == 3
    found = done.json["rows"] if flags else [json.loads(line) for line in done.out.splitlines()]
    assert len(found) == 7 and all(row["output"] for row in found)
    assert "the cap of 7 model calls" in done.err.splitlines()[-1] and "--max-calls" in done.err


def test_rows_that_were_scored_before_a_cap_are_reported(call: Call) -> None:
    done = call("eval", "things", *VAL, "--max-calls", "7", "--json")
    assert done.code == 3
    assert (done.json["n"], done.json["rows"], done.json["score"]["n"]) == (7, 18, 7)
    assert "the cap of 7 model calls" in done.json["error"]
    assert "7 of 18 rows were scored" in call("eval", "things", *VAL, "--max-calls", "7").err


@pytest.mark.parametrize("command", ["run", "eval"])
def test_caps_on_tokens_and_seconds_hold_for_run_and_eval(call: Call, command: str) -> None:
    with Server(classroom()) as server:
        flags = (*VAL, "--student", "openai/student", "--max-tokens", "5500", "--concurrency", "2", "--json")
        done = call(command, "things", *flags, **openai(server))
        used = server.stats.tokens
    assert done.code == 3 and 0 < done.json["n"] < 18
    assert used <= 5500
    late = call(command, "things", *VAL, "--max-seconds", "1e-9", "--json")
    assert (late.code, late.json["n"]) == (3, 0)


def test_rows_before_one_that_cannot_be_read_are_run(call: Call, place: Path) -> None:
    file = place / "things" / "data" / "val.jsonl"
    file.write_text("\n".join([*file.read_text().splitlines()[:5], "no row"]))
    done = call("run", "things", *VAL)
    assert done.code == 2
    assert len(done.out.splitlines()) == 5
    assert "val.jsonl:6: not valid JSON" in done.err.splitlines()[-1]


def test_a_run_that_goes_round_in_circles_has_failed(call: Call, place: Path) -> None:
    (place / "circles.py").write_text(CIRCLES)
    one = call("run", "circles.py", "--input", '{"text": "a"}')
    assert one.code == 1
    assert "(again → never → again → never); raise max_visits" in one.err
    file = write_rows(place / "rows.jsonl", [{"text": "a", "said": "a"}])
    assert call("run", "circles.py", "--data", str(file), "--json").json["failed"] == 1
    scored = call("eval", "circles.py", "--data", str(file), "--json")
    assert (scored.code, scored.json["failed"], scored.json["score"]["mean"]) == (1, 1, 0.0)


def test_a_full_disk_under_the_store_ends_the_run_and_the_best_so_far_is_saved_elsewhere(
    place: Path, call: Call
) -> None:
    size = 300 * 1024  # of any file that the command writes: enough for the baseline, too little for a step

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    command = [COMMAND, *OPTIMIZE, "--json"]
    done = subprocess.run(command, cwd=place, preexec_fn=small, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ") and "agentsym.db: the disk" in done.stderr
    assert find_agent("best").agent.name == "things"
    found = json.loads(done.stdout)
    assert found["error"] in done.stderr
    assert call("optimize", "--resume", found["run"]).code == 0, "with room again it goes on"


def test_a_full_disk_under_out_keeps_the_run_and_resume_saves_it(call: Call, place: Path) -> None:
    find_agent("things").agent.save(place / "best")
    (place / "best" / "report.json").symlink_to("/dev/full")
    done = call(*OPTIMIZE, "--json")
    assert done.code == 1
    assert "the best agent cannot be saved there (No space left on device)" in done.json["error"]
    assert f"agentsym optimize --resume {done.json['run']}" in done.json["error"]
    (place / "best" / "report.json").unlink()
    resumed = call("optimize", "--resume", done.json["run"], "--json")
    assert (resumed.code, resumed.json["best"]) == (0, done.json["best"])
    assert find_agent("best").agent.version == done.json["best"]


def test_a_full_disk_under_stdout_is_said(place: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [COMMAND, "runs", "list", "--json"]
        done = subprocess.run(command, cwd=place, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "error: the result cannot be written to stdout (No space left on device)\n"


def test_whoever_reads_no_further_costs_a_run_neither_its_end_nor_its_exit_code(
    start: Callable[..., subprocess.Popen[str]], call: Call
) -> None:
    process = start(*OPTIMIZE)
    assert process.stdout is not None and process.stderr is not None
    process.stderr.readline()
    process.stderr.close()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    (run,) = call("runs", "list", "--json").json
    assert run["status"] == "done"
    assert find_agent("best").agent.version == run["best_version"]


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(call: Call) -> None:
    proxy = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    with Server(classroom()) as server:
        done = call("run", "things", *VAL, "--student", "openai/student", **openai(server), **proxy)
    assert done.code == 0, done.err


def test_nothing_is_sent_to_langsmith_whatever_its_variables_say(place: Path) -> None:
    (place / "spy").mkdir()
    (place / "spy" / "sitecustomize.py").write_text(SPY)
    (place / "spied").touch()
    with socket.create_server(("127.0.0.1", 0)) as langsmith:
        variables = {
            "LANGSMITH_TRACING": "true",
            "LANGCHAIN_TRACING_V2": "true",
            "LANGSMITH_API_KEY": "k",
            "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{langsmith.getsockname()[1]}",
            "PYTHONPATH": str(place / "spy"),
            "SPIED": str(place / "spied"),
        }
        environment = {**os.environ, **variables}
        probe = "import socket; socket.getaddrinfo('localhost', 1)"
        subprocess.run([sys.executable, "-c", probe], env=environment, check=True)
        assert (place / "spied").read_text().count("\n") == 1, "the spy sees what a process does"
        command = [COMMAND, "run", "things", *VAL]
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert (place / "spied").read_text().count("\n") == 1
