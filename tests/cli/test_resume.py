"""A run that was stopped goes on where it was, from any folder, and ends in the version of an uninterrupted one."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentsym.cli.agents import find_agent
from tests.cli.conftest import Call

SLOW = """
import time

def score(row, output):
    time.sleep(0.02)
    return float(row["kind"] == output["kind"])
"""
LONG = ("optimize", "things", "--metric", "slow.py:score", "--steps", "4", "--seed", "7")
TWO_INPUTS = """
from agentsym import Agent, Choice, PromptNode

what = PromptNode("what", "Say what it is.", inputs=["text"], output={"kind": Choice(["fruit", "tool", "animal"])})
use = PromptNode("use", "Say it again.", inputs=["text", "kind"], output={"again": Choice(["fruit", "tool", "animal"])})
agent = Agent("things", nodes=[what, use], edges=[("what", "use")], outputs=["kind", "again"])
"""


@pytest.fixture(autouse=True)
def slow(place: Path) -> None:
    (place / "slow.py").write_text(SLOW)


def interrupted_after(
    process: subprocess.Popen[str], line: str, *signals: signal.Signals, between: float = 0.02
) -> tuple[str, str]:
    """Send Ctrl-C, or other signals, as soon as a line begins so, and return what was written until the end."""
    assert process.stderr is not None
    seen = []
    for text in process.stderr:
        seen.append(text)
        if text.startswith(line):
            for number in signals or (signal.SIGINT,):
                process.send_signal(number)
                time.sleep(between)
            break
    out, err = process.communicate(timeout=60)
    return out, "".join(seen) + err


def test_ctrl_c_saves_the_best_so_far_and_resume_ends_as_an_uninterrupted_run(
    start: Callable[..., subprocess.Popen[str]], call: Call, place: Path
) -> None:
    whole = call(*LONG, "--json").json
    process = start(*LONG, "--out", "half")
    _, err = interrupted_after(process, "step 1:")
    assert process.returncode == 130, err
    assert err.splitlines()[-1].startswith(
        "interrupted; what was reached is saved. To go on: agentsym optimize --resume "
    )
    half = call("runs", "show", "last", "--json").json
    assert half["status"] == "interrupted"
    assert 1 <= len(half["steps"]) < 4
    assert find_agent("half").agent.version == half["best"] != half["first"]
    resumed = call("optimize", "--resume", "last", "--json").json
    assert resumed["run"] == half["run"]
    assert resumed["best"] == whole["best"]
    assert resumed["tested"] == whole["tested"]
    assert find_agent("half").agent.version == whole["best"]


def test_sigterm_saves_as_ctrl_c_does_and_what_follows_at_once_cannot_cut_into_that(
    start: Callable[..., subprocess.Popen[str]], call: Call, place: Path
) -> None:
    process = start(*LONG, "--out", "half")
    _, err = interrupted_after(process, "step 1:", signal.SIGTERM, signal.SIGINT, signal.SIGINT)
    assert process.returncode == 130, err
    assert "interrupted; what was reached is saved" in err.splitlines()[-1]
    half = call("runs", "show", "last", "--json").json
    assert half["status"] == "interrupted"
    assert find_agent("half").agent.version == half["best"] != half["first"]


def test_ctrl_c_with_json_prints_the_document_of_what_was_reached(
    start: Callable[..., subprocess.Popen[str]], place: Path
) -> None:
    process = start(*LONG, "--json")
    out, err = interrupted_after(process, "before:")
    assert process.returncode == 130, err
    assert '"status": "interrupted"' in out and out.startswith("{\n") and out.endswith("}\n")


def test_a_run_that_met_a_cap_ends_as_an_uninterrupted_run_also_with_several_inputs(call: Call, place: Path) -> None:
    (place / "things" / "agent.py").write_text(TWO_INPUTS)
    for file in (place / "things" / "data").iterdir():
        lines = file.read_text().splitlines()
        file.write_text("".join(f'{line[:-1]}, "again": {line.rpartition(": ")[2][:-1]}}}\n' for line in lines))
    whole = call("optimize", "things", "--steps", "4", "--json").json
    half = str(whole["usage"]["total"]["calls"] // 2)
    stopped = call("optimize", "things", "--steps", "4", "--max-calls", half, "--json")
    assert stopped.code == 3 and stopped.json["accepted"]
    assert call("optimize", "--resume", "last", "--json").json["best"] == whole["best"]


def test_a_run_goes_on_from_another_folder(call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = call("optimize", "things", "--steps", "2", "--max-calls", "150", "--json").json
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    done = call("optimize", "--resume", stopped["run"], "--json")
    assert done.code == 0
    assert done.json["out"] == stopped["out"] == str(place / "runs" / stopped["run"])
    assert not (place / "elsewhere" / "runs").exists()


def test_changed_data_is_named_and_nothing_is_done(call: Call, place: Path) -> None:
    stopped = call("optimize", "things", "--steps", "2", "--max-calls", "150", "--json").json
    file = place / "things" / "data" / "train.jsonl"
    file.write_text(file.read_text().replace("apple", "banana"))
    done = call("optimize", "--resume", "last", "--json")
    assert done.code == 2
    assert f"run {stopped['run']} cannot go on: the data of train changed" in done.json["error"]


def test_a_changed_agent_is_named(call: Call, place: Path) -> None:
    call("optimize", "things", "--steps", "2", "--max-calls", "150")
    code = place / "things" / "agent.py"
    code.write_text(code.read_text().replace("what kind", "which sort"))
    assert "cannot go on: the agent changed" in call("optimize", "--resume", "last").err


def test_a_metric_whose_file_was_changed_is_named(call: Call, place: Path) -> None:
    call("optimize", "things", "--metric", "slow.py:score", "--steps", "2", "--max-calls", "150")
    (place / "slow.py").write_text(SLOW.replace("0.02", "0.0"))
    done = call("optimize", "--resume", "last")
    assert done.code == 2
    assert "cannot go on: the code of the metric" in done.err and "slow.py:score changed since it began" in done.err


def test_a_cap_that_is_given_with_resume_is_one_of_the_whole_run(call: Call) -> None:
    first = call("optimize", "things", "--steps", "4", "--max-calls", "150", "--json")
    more = call("optimize", "--resume", "last", "--max-calls", "180", "--json")
    same = call("optimize", "--resume", "last", "--max-calls", "180", "--json")
    assert (first.code, more.code, same.code) == (3, 3, 3)
    assert [done.json["usage"]["total"]["calls"] for done in (first, more, same)] == [150, 180, 180]
    assert "the cap of 180 model calls leaves no room for 1 more: 180 used" in more.err


@pytest.mark.parametrize(
    "flags", [("--steps", "3"), ("--train", "x.jsonl"), ("--out", "x"), ("--dry-run",), ("things",)]
)
def test_only_caps_may_be_given_anew(call: Call, flags: tuple[str, ...]) -> None:
    done = call("optimize", "--resume", "last", *flags)
    assert done.code == 2
    assert f"leave out {flags[0] if flags[0] != 'things' else 'AGENT'}" in done.err


def test_a_run_that_is_not_there_is_wrong_usage(call: Call) -> None:
    assert call("optimize", "--resume", "last").code == 2
    call("optimize", "things", "--steps", "0")
    done = call("optimize", "--resume", "nope")
    assert done.code == 2
    assert "there is no run 'nope'" in done.err
