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
_PREFIXES = (
    *("sk", "pk", "rk", "gsk", "xai", "csk", "nvapi", "pplx", "fw", "hf", "r8", "tgp"),
    *("ghp", "gho", "ghs", "github_pat"),
)
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = tuple(
    (signs, re.compile(shape, re.IGNORECASE), kept)
    for signs, shape, kept in (
        (("://",), r"(\b[a-z][a-z0-9+.-]*://)[^\s/@\"'<>]+@", r"\g<1>[secret]@"),  # userinfo of a URL
        (
            ("authorization",),
            r"(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic)\s+)[\w.~+/=*-]+",
            r"\g<1>[secret]",
        ),
        (
            ("bearer", "basic"),
            r"(\b(?:bearer|basic)\s+)(?=[\w.~+/=*-]*[\d*])[\w.~+/=*-]{12,}",
            r"\g<1>[secret]",
        ),
        (
            ("key=", "token=", "secret=", "signature=", "password="),
            r"([?&;](?:[\w-]*[_-])?(?:api)?(?:key|token|secret|signature|password)=)[^&\s\"'<>#]+",
            r"\g<1>[secret]",
        ),
        (
            ("apikey", "api_key", "api-key", "accesstoken", "access_token", "access-token"),
            r"(\b(?:api[_-]?key|x-api-key|access[_-]?token)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&}]{8,}",
            r"\g<1>[secret]",
        ),
        (("sk-",), r"\bsk-[\w*.-]{12,}", "[secret]"),
        (
            tuple(f"{prefix}{mark}" for prefix in _PREFIXES for mark in "-_"),
            rf"\b(?:{'|'.join(_PREFIXES)})[-_]"
            r"(?=[\w*.-]*[\d*])[\w*.-]{12,}",  # a digit, or one that is starred out: prose has neither
            "[secret]",
        ),
        (("aiza",), r"\bAIza[\w-]{20,}", "[secret]"),
        (("akia",), r"\bAKIA[A-Z0-9]{12,}", "[secret]"),
        (("eyj",), r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", "[secret]"),  # a JSON web token
    )
)
"""Signs of which a text must hold one in small letters, the shape, and what is left of it. Most texts hold no sign, and
looking for one takes a tenth of the time that the shapes take."""


def scrub(text: str, values: Sequence[str] | None = None) -> str:
    """Return a text without the values of the environment's key variables and without what has the shape of a key.

    Whoever scrubs many texts hands over what `secret_values` gave once: looking for it takes longer than the rest.
    """
    for value in secret_values() if values is None else values:
        text = text.replace(value, PLACEHOLDER)
    folded = text.casefold()
    for signs, shape, kept in _SHAPES:
        if any(map(folded.__contains__, signs)):
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
