"""Recording a whole run: which prompt files its traffic is made with, and which of them have changed since.

Models know nothing of a teacher, so the floor that has both says what a recording must hold to be replayed later.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentsym.errors import DataError
from agentsym.learning.teacher import prompt_files
from agentsym.models.recording import PROMPTS, Recorder
from agentsym.models.structured import RETRY_PROMPT


def record_to(folder: Path | str, how: str = "") -> Recorder:
    """Return a recorder for a trainer or a door; the model `recorded:FOLDER` replays what it has written.

    Args:
        folder: made where it is missing, added to where it was recorded with the prompts of today.
        how: how the answers come about, in words.

    Raises:
        UsageError: the folder is something else, was recorded with other prompts, or cannot be written.
    """
    return Recorder(folder, prompts=shipped_prompts().values(), how=how)


def shipped_prompts() -> Mapping[str, Path]:
    """Return name → file of every prompt file that requests are made with."""
    return {file.name: file for file in (*sorted(prompt_files.SHIPPED.glob("*.md")), RETRY_PROMPT)}


def changed_prompts(folder: Path | str) -> list[str]:
    """Return the names of the prompt files that differ between a recording and now, those included that only one has.

    Raises:
        DataError: the folder keeps no prompts.
    """
    kept = Path(folder).expanduser() / PROMPTS
    if not kept.is_dir():
        raise DataError(f"{kept} is not there, so nobody can tell which prompts have changed; record anew")
    now = shipped_prompts()
    then = {file.name: file for file in kept.iterdir()}
    return sorted(
        name
        for name in {*now, *then}
        if name not in now or name not in then or now[name].read_bytes() != then[name].read_bytes()
    )
