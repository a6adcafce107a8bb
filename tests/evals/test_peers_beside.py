"""Other libraries run in environments and processes of their own, judged by the server and by a fresh validation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from evals.openai_server import Server
from evals.peers import build, environments, measures, processes
from evals.peers.assignment import Assignment, call, configure
from evals.peers.assignment import measured as assigned
from evals.peers.batches import batches
from evals.peers.catalog import BARE, ENVIRONMENTS, PEERS, Environment, Peer
from evals.peers.forward import Load
from evals.peers.measures import contestants, measured
from evals.peers.processes import RunFailed, fault, is_built, run, server
from evals.peers.rollouts import answers, score
from evals.peers.task import Task

OTHERS = [name for name, peer in PEERS.items() if peer.environment]
SMALL = Task(kinds=6)
CACHE = environments.user_cache_path("agentsym")
"""The user's, where the environments lie; a test sees another one unless it asks for this."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server() as found:
        yield found


@pytest.fixture
def peer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """Return the contestant of the parameter's name; the test is skipped where it is not built."""
    monkeypatch.setattr(environments, "user_cache_path", lambda name: CACHE)
    found = PEERS[request.param]
    if not is_built(found):
        pytest.skip(f"not built: {environments.how_to_build(ENVIRONMENTS[found.environment])}")
    return found


# The libraries themselves


def with_slow_ones_marked(names: list[str]) -> list[Any]:
    """All of them import tens of packages, but for GEPA."""
    return [pytest.param(name, marks=() if PEERS[name].environment == "gepa" else pytest.mark.slow) for name in names]


LEARNERS = with_slow_ones_marked(OTHERS)
LIBRARIES = with_slow_ones_marked([peer.name for peer in contestants("import") if peer.environment])


@pytest.mark.parametrize("peer", LEARNERS, indirect=True)
def test_a_library_learns_the_task_and_reports_what_a_fresh_validation_gives(peer: Peer, url: str) -> None:
    row = run(peer, "learn", Assignment(url, SMALL, 0, 0.0, peer.options))
    assert fault(row) == "" and row["val"] == row["val_fresh"] and row["calls"] > 0
    assert list(row["result"]) == list(SMALL.nodes)
    shows_failures = peer.seeds is None
    assert (row["val"] >= 0.9) is shows_failures is row["stopped"].startswith("target after ")
    assert any("RULE-k" in prompt for prompt in row["result"].values()) is shows_failures


@pytest.mark.parametrize("peer", LIBRARIES, indirect=True)
def test_a_library_runs_the_agent_forward_and_can_be_imported(
    peer: Peer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_IMPORTS", 1)
    options = {**peer.options, "tickets": 12, "workers": 4}
    row = run(peer, "forward", Assignment(url, Task(), 0, 0.0, options))
    assert fault(row) == "" and row["asked"] == row["calls"] == 24 and 1 <= row["max_in_flight"] <= 4
    assert processes.import_row(peer)["cpu_s"] > 0


# agentsym and the bare loop, by the same way


def test_agentsym_is_run_the_same_way_and_equal_runs_leave_equal_journals(url: str) -> None:
    rows = [run(PEERS["agentsym"], "learn", Assignment(url, SMALL, 0, 0.0, {})) for _ in range(2)]
    assert all(fault(row) == "" and row["val"] == row["val_fresh"] >= 0.9 for row in rows)
    assert rows[0]["result"] == rows[1]["result"] and rows[0]["calls"] == rows[1]["calls"]
    assert 0 < rows[0]["import_rss_mib"] < rows[0]["rss_mib"] and rows[0]["import_cpu_s"] > 0


@pytest.mark.parametrize(("who", "sent"), [(PEERS["agentsym"], 1), (BARE, 32)], ids=["agentsym", "bare"])
def test_equal_requests_at_once_are_counted_at_the_server(who: Peer, sent: int, url: str) -> None:
    (row,) = measured("identical", who, url, Task())
    assert (row["measure"], row["asked"], row["calls"]) == ("identical", 32, sent)


def test_a_forward_pass_with_other_answers_has_no_figure(url: str) -> None:
    from evals.peers.forward import timed

    assignment = Assignment(url, Task(), 0, 0.0, {"tickets": 4, "workers": 1})
    with pytest.raises(ValueError, match="does not give"):
        timed(assignment, lambda tickets, workers: ["label_0"] * len(tickets))
    assert Load.of({"selector": "all", "same": True}) == Load(same=True)


def test_who_takes_part_depends_on_what_is_measured() -> None:
    assert [peer.name for peer in contestants("learn")] == list(PEERS)
    assert contestants("forward")[0] is BARE and {p.environment for p in contestants("forward")} == {"", *ENVIRONMENTS}
    assert BARE not in contestants("import") and len(contestants("import")) == 1 + len(ENVIRONMENTS)
    assert not {"mipro", "simba"} & {peer.name for peer in contestants("repeat")}
    assert contestants("repeat", ["simba"]) == [PEERS["simba"]]


def test_one_seed_is_repeated_and_a_contestant_has_no_more_seeds_than_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str, Assignment]] = []

    def row(peer: Peer, job: str, assignment: Assignment) -> dict[str, Any]:
        asked.append((peer.name, job, assignment))
        return {}

    monkeypatch.setattr(measures, "run", row)
    for measure, name in (("repeat", "gepa"), ("learn", "gepa"), ("learn", "simba"), ("identical", "gepa")):
        list(measured(measure, PEERS[name], "u", Task(), (3, 4), 7.0))
    assert [(name, job, found.seed) for name, job, found in asked] == [
        *[("gepa", "learn", 3)] * 4,
        *[("gepa", "learn", 3), ("gepa", "learn", 4), ("simba", "learn", 3)],
        ("gepa", "forward", 0),
    ]
    assert [found.latency_ms for *_, found in asked] == [7.0] * 7 + [500.0] and asked[-1][2].task.chain == 1


def test_the_figures_are_the_servers_and_a_fresh_validation_is_not_the_reported_one(url: str) -> None:
    assignment = Assignment(url, Task(mode="noisy"), 0, 0.0, {})

    def learn() -> tuple[float, str]:
        assert answers(url, assignment.task.prompts, assignment.task.tickets("val")[:3], 1)
        return 0.7, "end"

    def rescored() -> float:
        with pytest.raises(OSError):
            answers(url, {"nobody": "no prompt"}, assignment.task.tickets("val")[:1], 1)
        return 0.2

    row = assigned(assignment, learn, rescored)
    assert (row["val"], row["val_fresh"], row["stopped"]) == (0.7, 0.2, "end")
    assert (row["calls"], row["student_calls"], row["errors"]) == (6, 6, 1)


# Processes


def interpreter(folder: Path, script: str) -> Path:
    """Write a program that stands where an environment's interpreter would."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    return path


def by(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    path = interpreter(folder, script)
    monkeypatch.setattr(environments, "python", lambda environment: path)
    return run(PEERS["gepa-all"], "learn", Assignment("http://127.0.0.1:1/v1", Task(), 3, 0.0, {"selector": "all"}))


def test_the_last_line_of_a_run_is_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = by("""print("chatter"); print('{"val": 1.0}')""", tmp_path, monkeypatch)
    assert row.pop("process_s") >= 0
    assert row == {"peer": "gepa-all", "val": 1.0, "selector": "all"}


def test_a_run_gets_no_keys_and_a_home_that_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    script = (
        "import json, os; open('left', 'w').close(); print(json.dumps({'env': dict(os.environ), 'at': os.getcwd()}))"
    )
    row = by(script, tmp_path, monkeypatch)
    assert not {"OPENAI_API_KEY", "HTTPS_PROXY"} & row["env"].keys()
    assert row["at"] == row["env"]["HOME"] != os.environ.get("HOME") and not Path(row["at"]).exists()


def test_a_run_that_fails_or_hangs_says_who_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunFailed, match=r"gepa-all failed with seed 3:\nno such model"):
        by("import sys; sys.exit('no such model')", tmp_path, monkeypatch)
    monkeypatch.setattr(processes, "_LIMIT_S", 0.5)
    with pytest.raises(RunFailed, match="gepa-all took more than"):
        by("import time; time.sleep(60)", tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"errors": 0, "max_in_flight": 32}, ""),
        ({"errors": 2, "max_in_flight": 3}, "could not answer 2"),
        ({"errors": 0, "max_in_flight": 33}, "33 requests were in flight"),
        ({"cpu_s": 0.1}, ""),
    ],
)
def test_a_row_is_not_valid_with_errors_or_more_in_flight_than_allowed(row: dict[str, Any], why: str) -> None:
    assert why in fault(row) and bool(fault(row)) == bool(why)


def test_what_a_library_returns_is_run_again_with_the_standard_library_alone(url: str) -> None:
    task = Task(kinds=4)
    configure(Assignment(url, task, 0, 0.0, {}))
    tickets = task.tickets("val")
    rule = "RULE-k{0}: treat tickets whose header shows kind {0} as their own case;"
    learned = {node: prompt.replace("[[end]]", f"{rule.format(1)} [[end]]") for node, prompt in task.prompts.items()}
    before, after = (score(task, answers(url, prompts, tickets, 4), tickets) for prompts in (task.prompts, learned))
    assert before == 0.5 and after == 0.75
    assert call(url, "/stats")["requests"] == 2 * 2 * len(tickets)


def test_the_server_has_ended_when_a_comparison_is_stopped() -> None:
    with pytest.raises(KeyboardInterrupt), server() as url:
        assert call(url, "/stats")["requests"] == 0
        raise KeyboardInterrupt
    with pytest.raises(OSError):
        call(url, "/stats")


def test_runners_share_nothing_with_agentsym() -> None:
    shared = "evals.peers.runners.program, evals.peers.batches, evals.peers.forward, evals.peers.rollouts"
    program = f"import sys, {shared}; print([name for name in sys.modules if name.split('.')[0] == 'agentsym'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    runners = Path(processes.__file__).parent / "runners"
    assert not [path.name for path in runners.glob("*.py") if "import agentsym" in path.read_text()]
    assert not [path.name for path in runners.glob("*.py") if "from agentsym" in path.read_text()]


def test_batches_hold_every_ticket_before_one_comes_again_and_depend_on_the_seed() -> None:
    tickets = Task().tickets("train")
    drawn = batches(tickets, 5, seed=4)
    epoch = [ticket for _ in range(4) for ticket in next(drawn)]
    assert sorted(epoch) == sorted(tickets) != epoch
    assert next(batches(tickets, 5, seed=5)) != epoch[:5] == next(batches(tickets, 5, seed=4))


# Environments


@pytest.mark.parametrize(("only", "code"), [([], 0), (["--only", "agentsym", "--only", "gepa"], 2)])
def test_a_library_that_is_not_built_is_skipped_unless_it_was_asked_for(
    only: list[str], code: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "evals.peers", "--measure", "import", "--json", *only]
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == code
    assert [row["peer"] for row in json.loads(done.stdout or "[]")] == (["agentsym"] if code == 0 else [])
    assert "gepa: its environment is not built (python -m evals.peers.build gepa)" in done.stderr
    assert ("python -m evals.peers.build trace" in done.stderr) == (code == 0)


def test_a_contestant_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    command = [sys.executable, "-m", "evals.peers", "--only", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "nobody" in done.stderr and "dspy-gepa-all" in done.stderr


def wheel(folder: Path, version: str, needs: str = "") -> str:
    """Write a package of one module as a wheel, and return its path."""
    path, info = folder / f"tiny_peer-{version}-py3-none-any.whl", f"tiny_peer-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_peer.py", f"version = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-peer\nVersion: {version}\n{needs}")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return str(path)


def test_an_environment_is_built_once_and_anew_for_other_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "user_cache_path", lambda name: tmp_path / name)
    old, new = (wheel(tmp_path, version) for version in ("1", "10"))
    first = Environment("tiny", "Tiny", "import tiny_peer", (old,))
    second = Environment("tiny", "Tiny", "import tiny_peer", (old,), alone=(new,))
    for environment, version in ((first, "1"), (second, "10")):
        assert environments.built(environment) is None
        assert [build.build(environment)["kept"] for _ in range(2)] == [False, True]
        known = environments.built(environment)
        assert known is not None and known["versions"] == {"tiny-peer": version}
        command = [environments.python(environment), "-c", "import tiny_peer as tiny; print(tiny.version)"]
        assert subprocess.run(command, capture_output=True, text=True).stdout.strip() == version
    assert build.build(second, force=True)["kept"] is False
    environments.python(second).unlink()
    assert environments.built(second) is None and build.build(second)["kept"] is False


def test_what_is_installed_alone_comes_without_what_it_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "user_cache_path", lambda name: tmp_path / name)
    asked, alone = wheel(tmp_path, "1"), wheel(tmp_path, "10", "Requires-Dist: no-such-package-of-tiny-peer\n")
    assert build.build(Environment("tiny", "Tiny", "import tiny_peer", (asked,), alone=(alone,)))["packages"] == 1


def test_an_environment_that_cannot_be_built_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "user_cache_path", lambda name: tmp_path / name)
    missing = Environment("tiny", "Tiny", "import tiny_peer", (str(tmp_path / "no-such-1-py3-none-any.whl"),))
    with pytest.raises(SystemExit, match="environment of tiny could not be built"):
        build.build(missing)
    assert not environments.folder(missing).exists() and environments.built(missing) is None


def test_every_library_is_pinned() -> None:
    assert {name: found.version for name, found in ENVIRONMENTS.items()} == {
        "textgrad": "0.1.8",
        "dspy": "3.4.1",
        "gepa": "0.1.4",
        "adalflow": "1.1.3",
        "trace": "0.1.3.8",
    }


# The server's second protocol


async def test_the_newer_protocol_asks_and_answers_the_same() -> None:
    def echo(body: dict[str, Any]) -> str:
        return "|".join(f"{message['role']}:{message['content']}" for message in body["messages"])

    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    bodies = [
        {"model": "m", "input": "hello", "instructions": "be brief"},
        {"model": "m", "input": [{"role": "user", "content": parts}]},
    ]
    async with Server(echo) as double, aiohttp.ClientSession() as session:
        said = []
        for body in bodies:
            async with session.post(f"{double.base_url}/responses", json=body) as response:
                said.append(await response.json())
        async with session.post(f"{double.base_url}/responses", json={"model": "m"}) as response:
            assert response.status == 400
        assert double.stats.requests == 3
    assert [made["output"][0]["content"][0]["text"] for made in said] == ["system:be brief|user:hello", "user:a\nb"]
    assert said[0]["usage"]["input_tokens"] == 4 and said[0]["object"] == "response" and said[0]["id"] == "resp-0"
