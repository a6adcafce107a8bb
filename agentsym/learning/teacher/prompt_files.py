"""The teacher's prompts as files: Markdown, cut into parts by marks, read from the shipped folder or from another.

A recording is replayed with the prompts that it was made with, so the folder goes along with whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NoReturn

from agentsym.errors import UsageError

SHIPPED = Path(__file__).with_name("prompts")
_MARK = re.compile(r"^<!-- (.+) -->\n", re.MULTILINE)


class _Parts(dict[str, str]):
    """The parts of one file by name."""

    def __init__(self, file: Path, text: str) -> None:
        self._file = file
        first, *marked = _MARK.split(text)
        bodies = zip(marked[::2], marked[1::2], strict=True)
        super().__init__({"": first.strip("\n"), **{mark: body.rstrip("\n") for mark, body in bodies}})

    def __missing__(self, mark: str) -> NoReturn:
        raise UsageError(
            f"{self._file} has no part {mark!r}, which a request needs now; take it over from the shipped file, or "
            "record anew"
        )


def blocks(name: str, prompts: Path | None = None) -> Mapping[str, str]:
    """Return the parts of a prompt file by name; a file without marks is one part without name.

    Args:
        name: the file's name, without `.md`.
        prompts: the folder that it is read from, once in a process; None for the shipped one.

    Raises:
        UsageError: the folder has no such file, or (when it is asked for) the file no such part.
    """
    return _read((SHIPPED if prompts is None else prompts) / f"{name}.md")


def has(name: str, prompts: Path | None = None) -> bool:
    """Say whether a folder has a prompt file: one that was copied or recorded in older days may lack it."""
    return (SHIPPED if prompts is None else prompts).joinpath(f"{name}.md").is_file()


@cache
def _read(file: Path) -> Mapping[str, str]:
    try:
        return _Parts(file, file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{file}: a prompt of the teacher should be there ({error.strerror}); copy the shipped file"
        ) from error
