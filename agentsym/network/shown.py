"""How a value is shown to a person: text as it is, everything else as JSON, and cut where it is long."""

from __future__ import annotations

import json
from typing import Any


def shown(value: Any) -> str:
    """Write a value as text."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    """Write a value as JSON on one line, in the letters of its language; what JSON does not know is written as text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def cut(text: str, longest: int) -> str:
    """Return the beginning of a text, at most `longest` characters with the mark of what is missing."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
