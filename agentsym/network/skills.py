"""Skills: text files that a prompt node knows by heart, each a weight of its own.

A skill is a Markdown file, or a folder with a `SKILL.md`. All of it stands in the prompt, front matter included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from agentsym.errors import UsageError
from agentsym.network.parameters import Text

SKILL_FILE = "SKILL.md"
SKILL_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
MAX_CHARS = 20_000
Skills = Mapping[str, Text | str] | Iterable[str | Path] | Path


def as_skills(skills: Skills) -> dict[str, Text]:
    """Return name → text of what a user writes for skills: a mapping, or files.

    Raises:
        UsageError: a file is not there or not UTF-8, a name cannot be one, or two files have the same.
    """
    if isinstance(skills, str | Path):
        skills = [skills]
    given = skills.items() if isinstance(skills, Mapping) else [_read(Path(path)) for path in skills]
    found: dict[str, Text] = {}
    for name, text in given:
        if not re.fullmatch(SKILL_NAME, name):
            raise UsageError(f"skill {name!r}: a name has letters, digits, - and _; rename the file")
        if not isinstance(text, str | Text):
            raise UsageError(f"skill {name!r}: it is {type(text).__name__}; give its text, or a list of files")
        if name in found:
            raise UsageError(f"skill {name!r} is given twice; rename one of the files")
        found[name] = text if isinstance(text, Text) else _text(name, text)
    return found


def _text(name: str, text: str) -> Text:
    return Text(text, role=f"the skill {name}, which the node knows by heart", max_chars=MAX_CHARS)


def _read(path: Path) -> tuple[str, str]:
    """Return name and text of a skill's file."""
    path = path.expanduser()
    file = path / SKILL_FILE if path.is_dir() else path
    name = file.resolve().parent.name if file.name == SKILL_FILE else file.stem
    try:
        return name, file.read_text("utf-8").strip()
    except UnicodeDecodeError as error:
        raise UsageError(f"skill {file}: the file is not UTF-8") from error
    except OSError as error:
        raise UsageError(
            f"skill {file}: it cannot be read ({error.strerror}); name a Markdown file, or a folder with a "
            f"{SKILL_FILE} (relative paths count from the working directory)"
        ) from error
