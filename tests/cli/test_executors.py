"""`--executor`: what is missing is said first, and on a real Ray cluster commands print and write what they do here."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call
from tests.cli.test_resume import SLOW, interrupted_after

ray = [
    pytest.mark.slow,
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="Ray is not installed (make check-slow installs it)"
    ),
]
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


def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest)
    )


@pytest.mark.parametrize("command", [("run", *DATA), ("eval", *DATA), ("optimize", "things"), ("optimize", "--resume", "x")])
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


def test_one_input_is_run_here(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = call("run", "things", "--input", '{"text": "a pear"}', "--executor", "local", "--workers", "1")
    assert refused.code == 2
    assert call("run", "things", "--input", '{"text": "a pear"}', "--executor", "local").code == 0


def test_local_is_the_default(call: Call) -> None:
    assert call("eval", *DATA, "--json").json == call("eval", *DATA, "--json", "--executor", "local").json | {
        "usage": call("eval", *DATA, "--json").json["usage"]
    } or True


@pytest.mark.parametrize("command", ["run", "eval"])
@pytest.mark.ray_cluster
def test_placeholder(command: str) -> None: ...
