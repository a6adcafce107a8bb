"""Finding addresses in what was learned: links, hosts, mail and IP addresses, by which a text could lead away.

A host without a scheme is known by the commonest endings only, since any other word with a full stop in it looks
like one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

_ENDINGS = (
    "com|org|net|io|dev|app|ai|co|info|biz|ru|cn|xyz|top|site|link|de|uk|eu|fr|nl|ch|gg|ly|cc|tv|online|shop|club|tech"
    "|cloud|zip"
)
_PATTERNS = (
    re.compile(r"(?:[a-z][a-z0-9+.-]*://|\bwww\.|\bmailto:|\bdata:)[^\s\"'<>)\]]+", re.IGNORECASE),
    re.compile(rf"\b(?:[a-z0-9-]+\.)+(?:{_ENDINGS})\b", re.IGNORECASE),
    re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"),
    re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
)


def addresses(value: Any) -> set[str]:
    """Return every address in the texts of a plain value, in small letters and without the sentence's own stops."""
    texts = {unicodedata.normalize("NFKC", text) for text in strings(value)}
    found = {match.group() for text in texts for pattern in _PATTERNS for match in pattern.finditer(text)}
    return {each.casefold().rstrip(".,;:!?") for each in found}


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a plain value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)
