"""A deployment, and several processes that change it at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentsym.store import Store
from agentsym.store.live.lifecycle import Release
from tests.store.live.versions import VERSIONS

Race = Callable[[str, int], list[str]]


@pytest.fixture
def race(place: str) -> Race:
    """Let several processes do the same at the same moment; returns what each of them says."""

    def race(what: str, processes: int) -> list[str]:
        program = Path(__file__).with_name("racing.py")
        running = [
            subprocess.Popen(
                [sys.executable, str(program), place, what, str(number)],
                cwd=Path(__file__).parents[3],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": ""},
            )
            for number in range(processes)
        ]
        for process in running:
            assert process.stdout is not None and process.stdin is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = []
        for process in running:
            out, errors = process.communicate(timeout=90)
            assert process.returncode == 0, errors
            said.append(out.strip())
        return said

    return race


@pytest.fixture
def candidate(store: Store) -> Release:
    """A candidate of the deployment `things` that may go live: it is in shadow."""
    releases = store.releases
    releases.begin("things", VERSIONS[0], actor="test")
    made = releases.propose("things", VERSIONS[1], parent=VERSIONS[0].version, actor="test", details={"run": "r1"})
    made = releases.move(made, "validated", actor="test", reason="fine")
    return releases.move(made, "shadow", actor="test", reason="fine")
