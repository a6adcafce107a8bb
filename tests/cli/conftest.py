"""A tiny agent with its rows, and two ways to call the command: in this process, and as it is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from agentsym.cli import app

COMMAND = str(Path(sys.executable).parent / "agentsym")
AGENT = """
from agentsym import Agent, Choice, PromptNode

sort = PromptNode(
    "sort", "Say what kind of thing it is.", inputs=["text"], output={"kind": Choice(["fruit", "tool", "animal"])}
)
agent = Agent("things", nodes=[sort])
other = Agent("others", nodes=[sort])
number = 3
"""
WORDS = {
    "fruit": ("apple", "pear", "plum", "cherry", "grape", "lemon"),
    "tool": ("hammer", "saw", "drill", "wrench", "pliers", "chisel"),
    "animal": ("dog", "cat", "horse", "sheep", "goat", "cow"),
}
SENTENCES = ("I saw a {} today", "the {} is here", "give me the {} please", "where is my {}", "is this {} yours")
SHARES = {"train": (0, 2, 4), "val": (1,), "test": (3,)}  # sentences of each set


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


Call = Callable[..., Result]


def rows(*sentences: int) -> list[dict[str, str]]:
    """Labeled rows: each word in each of the sentences, labels taking turns."""
    words = [
        (word, kind) for group in zip(*WORDS.values(), strict=True) for word, kind in zip(group, WORDS, strict=True)
    ]
    return [{"text": SENTENCES[number].format(word), "kind": kind} for number in sentences for word, kind in words]


def write_rows(file: Path, found: Sequence[dict[str, Any]]) -> Path:
    """Write rows as JSONL."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in found), "utf-8")
    return file


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: it holds the agent `things` with its data, and nothing else."""
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "agent.py").write_text(AGENT, "utf-8")
    for name, sentences in SHARES.items():
        write_rows(tmp_path / "things" / "data" / f"{name}.jsonl", rows(*sentences))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(place: Path) -> Call:
    """Call the command in this process."""

    def call(*args: str, **environment: str) -> Result:
        found = CliRunner(env=environment).invoke(app, list(args), prog_name="agentsym")
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return Result(found.exit_code, found.stdout, found.stderr)

    return call


@pytest.fixture
def start(place: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the installed command in a process of its own."""

    def start(*args: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *args],
            cwd=place,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def execute(start: Callable[..., subprocess.Popen[str]]) -> Call:
    """Execute the installed command to its end."""

    def execute(*args: str, **environment: str) -> Result:
        process = start(*args, **environment)
        out, err = process.communicate(timeout=60)
        return Result(process.returncode, out, err)

    return execute
