"""`--executor`: what is missing is said first, and on a real Ray cluster commands print and write what they do here."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call, Result
from tests.cli.test_resume import SLOW, interrupted_after


def on_ray(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that starts a cluster."""
    missing = importlib.util.find_spec("ray") is None
    test = pytest.mark.skipif(missing, reason="Ray is not installed (make check-slow installs it)")(test)
    return pytest.mark.slow(pytest.mark.xdist_group("ray")(test))


ON_RAY = ("--executor", "ray", "--workers", "2")
DATA = ("things", "--data", "things/data/test.jsonl")


def processes_of_ray() -> set[int]:
    """The running processes of any Ray cluster on this machine."""
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if b"gcs_server" in (place / "cmdline").read_bytes():
                found.add(int(place.name))
        except OSError:
            continue
    return found


@pytest.fixture
def patient(start: Callable[..., subprocess.Popen[str]]) -> Call:
    """Execute the installed command to its end; a cluster takes a minute to start on a busy machine."""

    def patient(*args: str) -> Result:
        process = start(*args)
        out, err = process.communicate(timeout=600)
        return Result(process.returncode, out, err)

    return patient


def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest))


@pytest.mark.parametrize(
    "command", [("run", *DATA), ("eval", *DATA), ("optimize", "things"), ("optimize", "--resume", "x")]
)
def test_without_ray_each_command_names_what_to_install(
    command: tuple[str, ...], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ray(monkeypatch)
    refused = call(*command, "--executor", "ray")
    assert (refused.code, refused.out) == (2, "")
    assert 'pip install "agentsym[ray]"' in " ".join(refused.err.split())


@pytest.mark.parametrize("flags", [("--workers", "2"), ("--ray-address", "10.0.0.1:6379")])
def test_flags_for_ray_are_refused_without_it(flags: tuple[str, ...], call: Call) -> None:
    refused = call("eval", *DATA, *flags)
    assert refused.code == 2
    assert "add --executor ray" in refused.err


def test_one_input_is_run_here(call: Call) -> None:
    refused = call("run", "things", "--input", '{"text": "a pear"}', "--executor", "ray")
    assert (refused.code, refused.out) == (2, "")
    assert call("run", "things", "--input", '{"text": "a pear"}', "--executor", "local").code == 0


@on_ray
@pytest.mark.parametrize("command", ["run", "eval"])
def test_rows_come_out_as_they_do_here_and_the_cluster_is_gone(command: str, patient: Call) -> None:
    before = processes_of_ray()
    here, there = patient(command, *DATA, "--json"), patient(command, *DATA, "--json", *ON_RAY)
    assert there.code == here.code == 0, there.err
    assert timeless(there.json) == timeless(here.json)
    assert there.err.count("\n") <= here.err.count("\n")  # nothing of Ray's own talk
    assert processes_of_ray() <= before


def timeless(document: dict[str, Any]) -> dict[str, Any]:
    document.get("usage", {}).pop("seconds", None)
    return document


@on_ray
def test_a_journal_reads_as_it_does_here(patient: Call) -> None:
    journals = []
    for flags in ((), ON_RAY):
        done = patient("optimize", "support_triage", "--steps", "2", "--no-memory", *flags)
        assert done.code == 0, done.err
        journals.append(patient("runs", "show", "last", "--journal", "--comparable").out)
    assert journals[0] == journals[1] and len(journals[0]) > 10_000


@on_ray
def test_ctrl_c_saves_takes_the_cluster_down_and_the_run_goes_on_without_it(
    start: Callable[..., subprocess.Popen[str]], call: Call, place: Path
) -> None:
    (place / "slow.py").write_text(SLOW)
    long = ("optimize", "things", "--metric", "slow.py:score", "--steps", "4", "--seed", "7")
    whole, before = call(*long, "--json").json, processes_of_ray()
    process = start(*long, "--out", "half", *ON_RAY)
    _, err = interrupted_after(process, "step 1:")
    assert process.returncode == 130, err
    assert err.splitlines()[-1].startswith("interrupted; what was reached is saved")
    assert processes_of_ray() <= before
    resumed = call("optimize", "--resume", "last", "--json").json
    assert (resumed["best"], resumed["tested"]) == (whole["best"], whole["tested"])
