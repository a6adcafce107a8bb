"""Errors are one line, JSON is one document, pipes may close, and colours stay out of files."""

import json
import os
import pty
import re
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from agentsym import __version__
from agentsym.cli.screen import emit, guarded
from agentsym.errors import BudgetExceeded, ModelError, UsageError
from agentsym.learning.report.wording import dollars, span
from tests.cli.conftest import COMMAND, Call


def test_the_installed_command_tells_its_version(execute: Call) -> None:
    assert execute("--version") == (0, f"agentsym {__version__}\n", "")


def test_help_lists_every_command(execute: Call) -> None:
    done = execute("--help")
    assert done.code == 0
    for command in ("optimize", "run", "eval", "show", "diff", "new", "runs"):
        assert f"\n  {command} " in done.out
    assert execute().out == done.out


def test_an_error_has_no_traceback_unless_it_is_asked_for(execute: Call) -> None:
    done = execute("show", "nothing")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: there is no agent 'nothing'") and done.err.count("\n") == 1
    assert "Traceback" in execute("show", "nothing", AGENTSYM_DEBUG="1").err


def test_a_pipe_that_closes_is_no_complaint(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("run", "things", "--data", "things/data/train.jsonl")
    assert process.stdout is not None and process.stderr is not None
    first = process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert json.loads(first)["output"]
    assert "Broken" not in err and "Traceback" not in err
    process.wait(timeout=60)


def test_files_and_pipes_get_no_colours(execute: Call) -> None:
    assert "\x1b" not in "".join(map(str, execute("show", "things")))


def test_a_terminal_gets_a_panel_and_a_result_on_stdout_stays_clean(place: Path) -> None:
    terminal, end = pty.openpty()
    command = [COMMAND, "optimize", "things", "--steps", "2", "--json"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=end, text=True)
    os.close(end)
    shown = b"".join(iter(lambda: _read(terminal), b"")).decode()
    os.close(terminal)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["status"] == "done"
    assert "of at most 2" in shown and re.search(r"\d+ of \d+ rows", shown) and "accepted" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_a_store_that_cannot_be_made_is_said(call: Call, place: Path) -> None:
    (place / "file").write_text("")
    done = call("runs", "list", AGENTSYM_HOME=str(place / "file"))
    assert done.code == 1
    assert "AGENTSYM_HOME" in done.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("so"), 2),
        (ModelError("so"), 1),
        (BudgetExceeded("so"), 3),
        (ValueError("so"), 1),
        (typer.Abort(), 1),
    ],
)
def test_each_error_has_its_exit_code(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise error

    assert guarded(work, as_json=True) == code
    shown = capsys.readouterr()
    assert set(json.loads(shown.out)) == {"error"}
    assert shown.err.startswith("error: ")


def test_a_warning_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("the code has changed", stacklevel=1)

    assert guarded(work, as_json=False) == 0
    assert capsys.readouterr().err == "warning: the code has changed\n"


def test_text_that_the_screen_cannot_show_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"text": "\ud800"})
    assert json.loads(capsys.readouterr().out) == {"text": "\ud800"}


def test_amounts_and_spans_read_well() -> None:
    assert [dollars(value) for value in (None, 0.0, 0.0042, 1234.5)] == ["unknown", "$0.00", "$0.0042", "$1,234.50"]
    assert [span(value) for value in (0.04, 9.96, 75, 7260)] == ["0.0 s", "10.0 s", "1 min 15 s", "2 h 1 min"]
