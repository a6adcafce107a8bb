"""Keeps keys out of what people read: texts of servers and errors are scrubbed of everything that looks like one.

Providers echo keys and addresses in their complaints, and complaints end up in logs, reports and bug trackers.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentsym.network.shown import cut

PLACEHOLDER = "[secret]"
_SHORTEST = 8  # characters; a shorter value is as likely a word
_NAMES = ("_API_KEY", "_TOKEN", "_SECRET", "_KEY")
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(shape, re.IGNORECASE), kept)
    for shape, kept in (
        (r"(\b[a-z][a-z0-9+.-]*://)[^\s/@\"'<>]+@", r"\g<1>[secret]@"),  # userinfo of a URL
        (r"(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic)\s+)[\w.~+/=*-]+", r"\g<1>[secret]"),
        (r"(\b(?:bearer|basic)\s+)(?=[\w.~+/=*-]*[\d*])[\w.~+/=*-]{12,}", r"\g<1>[secret]"),
        (r"([?&;](?:[\w-]*[_-])?(?:api)?(?:key|token|secret|signature|password)=)[^&\s\"'<>#]+", r"\g<1>[secret]"),
        (r"(\b(?:api[_-]?key|x-api-key|access[_-]?token)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&}]{8,}", r"\g<1>[secret]"),
        (r"\bsk-[\w*.-]{12,}", "[secret]"),
        (
            r"\b(?:sk|pk|rk|gsk|xai|csk|nvapi|pplx|fw|hf|r8|tgp|ghp|gho|ghs|github_pat)[-_]"
            r"(?=[\w*.-]*[\d*])[\w*.-]{12,}",  # a digit, or one that is starred out: prose has neither
            "[secret]",
        ),
        (r"\bAIza[\w-]{20,}", "[secret]"),
        (r"\bAKIA[A-Z0-9]{12,}", "[secret]"),
        (r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", "[secret]"),  # a JSON web token
    )
)


def scrub(text: str, values: Sequence[str] | None = None) -> str:
    """Return a text without the values of the environment's key variables and without what has the shape of a key.

    Whoever scrubs many texts hands over what `secret_values` gave once: looking for it takes longer than the rest.
    """
    for value in secret_values() if values is None else values:
        text = text.replace(value, PLACEHOLDER)
    for shape, kept in _SHAPES:
        text = shape.sub(kept, text)
    return text


def scrubbed(value: Any) -> Any:
    """Return a JSON value in which all texts are scrubbed, those of keys included."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {scrub(str(name)): scrubbed(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed(item) for item in value]
    return value


def scrubbed_json(value: Any) -> str:
    """Return a value as JSON in which all texts are scrubbed; what JSON does not have stands there as text."""
    return json.dumps(scrubbed(value), ensure_ascii=False, default=str)


def excerpt(text: str, longest: int = 300) -> str:
    """Return the beginning of a text on one line, scrubbed and at most `longest` characters long."""
    line = " ".join(scrub(text[: 8 * longest]).split())  # scrubbed before it is cut: half a key is a secret too
    return cut(line, longest)


def secret_values() -> list[str]:
    """Return what must not be seen of the environment, longest first: one value may be part of another."""
    found = {
        value.strip()
        for name, value in os.environ.items()
        if name.upper().endswith(_NAMES) and len(value.strip()) >= _SHORTEST
    }
    return sorted(found, key=len, reverse=True)
