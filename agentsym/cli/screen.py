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
from typing import TYPE_CHECKING, Any

import typer

from agentsym.errors import AgentsymError

PIPE_WIDTH = 120

if TYPE_CHECKING:
    from rich.console import Console


def screen() -> Console:
    """Return the console for results; where they go to a file or a pipe, tables get more room than a terminal's 80."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return Console(highlight=False, markup=False, width=wide)


def aside() -> Console:
    """Return the console for everything that is no result: progress, notices, warnings, errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False)


def say(text: str, style: str = "") -> None:
    """Tell a person something that is no result, on one line of stderr however narrow it is."""
    aside().print(text, style=style or None, soft_wrap=True)


def warn(text: str) -> None:
    """Tell a person of something that may mislead them."""
    say(f"warning: {text}", "yellow")


def emit(document: Any, *, indent: int | None = 2) -> None:
    """Write one JSON document to stdout; `indent=None` writes it on one line."""
    text = json.dumps(document, ensure_ascii=False, indent=indent, default=str)
    try:
        sys.stdout.write(f"{text}\n")
    except UnicodeEncodeError:
        sys.stdout.write(json.dumps(document, indent=indent, default=str) + "\n")


def guarded(work: Callable[[], object], *, as_json: bool) -> int:
    """Do a command's work and return its exit code; an error is said in one line, without a traceback.

    Args:
        work: returns the exit code, or anything else for 0.
        as_json: whether an error goes to stdout too, as `{"error": …}`.
    """
    shown = warnings.showwarning
    warnings.showwarning = lambda message, *_, **__: warn(str(message))
    try:
        code = work()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        return _closed_pipe()
    except Exception as error:
        if os.environ.get("AGENTSYM_DEBUG"):
            traceback.print_exc()
        return _failed(*_told(error), as_json)
    finally:
        warnings.showwarning = shown


def _told(error: Exception) -> tuple[str, int]:
    """Return what to say of an error, and its exit code."""
    if isinstance(error, AgentsymError):
        return str(error), error.exit_code
    if hasattr(error, "format_message"):  # typer's own, of a flag or an argument
        context = getattr(error, "ctx", None)
        hint = f" (`{context.command_path} --help` shows all)" if context is not None else ""
        return f"{error.format_message()}{hint}", 2
    if isinstance(error, typer.Abort):
        return "given up", 1
    return f"{type(error).__name__}: {error} (AGENTSYM_DEBUG=1 shows where)", 1


def _failed(message: str, code: int, as_json: bool) -> int:
    try:
        if as_json:
            emit({"error": message})
            sys.stdout.flush()
        say(f"error: {message}", "red")
    except BrokenPipeError:
        _closed_pipe()
    return code


def _closed_pipe() -> int:
    """Say nothing more: whoever read the output has had enough (`| head`), and the exit must not complain either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return 1


def number(value: float) -> str:
    """Write a count with its thousands parted."""
    return f"{value:,.0f}"


def dollars(value: float | None) -> str:
    """Write an amount of US dollars; None is a price that nobody knows."""
    return "unknown" if value is None else f"${value:,.2f}" if value >= 0.995 or not value else f"${value:.4f}"


def span(seconds: float) -> str:
    """Write a time span as people say it: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def short(text: str, length: int = 100) -> str:
    """Return a text on one line, cut to a length."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def interval(low: float, high: float) -> str:
    """Write a 95 % interval of a difference."""
    return f"{low:+.3f} to {high:+.3f}"


def as_json_line(value: Any) -> str:
    """Write a value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)
