"""What a person sees and what a program reads: results on stdout, everything else on stderr.

With `--json` stdout holds one JSON document and nothing more, errors included, so a pipe can rely on it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from agentsym.errors import AgentsymError

PIPE_WIDTH = 120

if TYPE_CHECKING:
    from rich.console import Console


def screen() -> Console:
    """Return the console for results; where they go to a file or a pipe, tables get more room than a terminal's 80."""
    wide = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return _console(sys.stdout, width=wide)


def aside() -> Console:
    """Return the console for everything that is no result: progress, notices, warnings, errors."""
    return _console(sys.stderr)


def _console(stream: TextIO, width: int | None = None) -> Console:
    from rich.console import Console

    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # what it cannot show is escaped

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            silence(stream)

    return Quiet(file=stream, highlight=False, markup=False, width=width)


def silence(stream: TextIO) -> None:
    """Send nowhere whatever is still written to a stream whose reader has gone (`| head`): that is no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say(text: str, style: str = "") -> None:
    """Tell a person something that is no result, on one line of stderr however narrow it is."""
    aside().print(text, style=style or None, soft_wrap=True)


def warn(text: str) -> None:
    """Tell a person of something that may mislead them."""
    say(f"warning: {text}", "yellow")


def emit(document: Any, *, indent: int | None = 2) -> bool:
    """Write one JSON document to stdout, at once, and say whether anybody reads on; `indent=None`: on one line.

    Raises:
        AgentsymError: it cannot be written, for another reason than that nobody reads on.
    """
    text = json.dumps(document, ensure_ascii=False, indent=indent, default=str)
    try:
        try:
            sys.stdout.write(f"{text}\n")
        except UnicodeEncodeError:
            sys.stdout.write(json.dumps(document, indent=indent, default=str) + "\n")
        sys.stdout.flush()
    except OSError as error:
        silence(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise AgentsymError(f"the result cannot be written to stdout ({error.strerror})") from error
        return False
    return True


def guarded(work: Callable[[], object], *, as_json: bool) -> int:
    """Do a command's work and return its exit code; an error is said in one line, without a traceback.

    Args:
        work: returns the exit code, or anything else for 0.
        as_json: whether an error goes to stdout too, as `{"error": …}`.
    """
    sys.stdout = sys.stdout or _nowhere()  # it is None where the caller has closed it (>&-)
    sys.stderr = sys.stderr or _nowhere()
    shown = warnings.showwarning
    warnings.showwarning = lambda message, *_, **__: warn(str(message))
    try:
        code = work()
        return code if isinstance(code, int) else 0
    except Exception as error:
        message, code = told(error)
        with suppress(AgentsymError):  # stdout itself may be what is wrong
            if as_json:
                emit({"error": message})
        say(f"error: {message}", "red")
        return code
    finally:
        warnings.showwarning = shown


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w")


def told(error: Exception) -> tuple[str, int]:
    """Return what to say of an error, and its exit code; AGENTSYM_DEBUG prints its traceback too."""
    if os.environ.get("AGENTSYM_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, AgentsymError):
        return str(error), error.exit_code
    if hasattr(error, "format_message"):  # typer's own, of a flag or an argument
        context = getattr(error, "ctx", None)
        hint = f" (`{context.command_path} --help` shows all)" if context is not None else ""
        return f"{error.format_message()}{hint}", 2
    if isinstance(error, typer.Abort):
        return "given up", 1
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the output'}: {error.strerror}", 1
    return f"{type(error).__name__}: {error} (AGENTSYM_DEBUG=1 shows where)", 1
