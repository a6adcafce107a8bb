"""Copying a text or a number out of the inputs, in the way that a prompt's examples show.

The offline student writes nothing of its own; a field that is no choice can only be filled with what stands
in the input already, and the examples tell where.

The ways to copy, from the simplest: an input as a whole; the first or the last date, time, address, amount,
code, number, quotation or name; what stands between the words around it. The way that gives most examples'
answers is taken (the simplest of several), if it gives at least half of them. Without examples only the field's
name is left to go by.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agentsym.network.shown import shown

Kind = Literal["string", "integer", "number"]
Texts = Mapping[str, str]
Way = Callable[[Texts], str | None]

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_SHAPES = {
    name: re.compile(pattern)
    for name, pattern in {
        "date": rf"\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}\b"
        rf"|(?i:\b(?:{_DAY} {_MONTH}|{_MONTH} {_DAY})(?:,? \d{{4}})?\b)",
        "time": r"\b\d{1,2}:\d\d(?::\d\d)?(?: ?[aApP]\.?[mM]\b)?",
        "email": r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b",
        "url": r"\bhttps?://[^\s<>\"]*[^\s<>\".,;:!?)]",
        "amount": r"[$€£¥] ?\d[\d,]*(?:\.\d+)?|\b\d[\d,]*(?:\.\d+)? ?(?:[$€£¥]|(?:USD|EUR|GBP|CHF|JPY)\b)",
        "code": r"\b(?=[\w-]*\d)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b",
        "number": r"(?<![\w.,])(?<![A-Za-z]-)-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|[.,]\d)",
        "quotation": r"(?<=“)[^”]+(?=”)|(?<=\")[^\"\n]+(?=\")",
        "name": r"\b[A-Z][\w'-]*(?: [A-Z][\w'-]*)*",
    }.items()
}
_HINTS = {
    "date": "date",
    "day": "date",
    "deadline": "date",
    "due": "date",
    "time": "time",
    "email": "email",
    "mail": "email",
    "url": "url",
    "link": "url",
    "website": "url",
    "amount": "amount",
    "price": "amount",
    "total": "amount",
    "cost": "amount",
    "code": "code",
    "id": "code",
    "number": "code",
}


@dataclass(frozen=True)
class Copier:
    """Copies one field's value out of the inputs: the first of its ways that finds anything."""

    kind: Kind
    ways: tuple[Way, ...]

    def copy(self, inputs: Mapping[str, Any]) -> str | int | float | None:
        """Return the value; None where no way finds one."""
        texts = as_texts(inputs)
        for way in self.ways:
            found = way(texts)
            if found is not None and (value := _read(found, self.kind)) is not None:
                return value
        return None


def learn(name: str, kind: Kind, examples: Sequence[tuple[Mapping[str, Any], Any]]) -> Copier | None:
    """Find out how the field `name` is copied from the inputs.

    Args:
        examples: (inputs, the field's value).

    Returns:
        None where the examples are no copies, or where nothing says what to copy.
    """
    if not examples:
        ways = tuple(_hinted(name, kind))
        return Copier(kind, ways) if ways else None
    shown = [(as_texts(inputs), value) for inputs, value in examples]
    counted = []
    for order, way in enumerate(_candidates(shown, kind)):
        copier = Copier(kind, (way,))
        hits = [value for inputs, value in examples if (copier.copy(inputs) or _nothing(kind)) == value]
        if 2 * len(hits) >= len(shown) and any(hit != _nothing(kind) for hit in hits):
            counted.append((-len(hits), order, way))
    return Copier(kind, tuple(way for *_, way in sorted(counted, key=lambda each: each[:2]))) if counted else None


def as_texts(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the inputs as texts: a string as it is, anything else as JSON."""
    return {name: shown(value) for name, value in inputs.items()}


def _hinted(name: str, kind: Kind) -> Iterator[Way]:
    """Yield the ways that a field's name suggests: an input of that name, or a shape that it names."""
    words = re.findall(r"[a-z]+", name.lower())
    if kind == "string":
        shapes = [_SHAPES[_HINTS[word]] for word in words if word in _HINTS]
        if shapes:
            yield _whole(name)
            yield _shaped(shapes[-1], last=False)
        return
    yield _whole(name)
    for word in words:
        yield _around(rf"\b{re.escape(word)}s?\b\D{{0,20}}?", _SHAPES["number"].pattern, "")
        yield _around("", _SHAPES["number"].pattern, rf" {re.escape(word)}")
    yield _shaped(_SHAPES["number"], last=False)


def _candidates(shown: Sequence[tuple[Texts, Any]], kind: Kind) -> Iterator[Way]:
    """Yield every way worth trying, the simplest first."""
    for name in dict.fromkeys(name for texts, _ in shown for name in texts):
        yield _whole(name)
    for shape in _SHAPES.values() if kind == "string" else [_SHAPES["number"]]:
        yield _shaped(shape, last=False)
        yield _shaped(shape, last=True)
    middle = ".+?" if kind == "string" else _SHAPES["number"].pattern
    cues = (cue for texts, value in shown for cue in _cues("\n".join(texts.values()), value, kind))
    for before, after in dict.fromkeys(cues):
        yield _around(before, middle, after)


def _cues(text: str, value: Any, kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield patterns of what stands around a value: one or two words before, a sign or a word after."""
    if kind == "string":
        at = text.find(value) if isinstance(value, str) and value else -1
        spot = None if at < 0 else (at, at + len(value))
    else:
        numbers = _SHAPES["number"].finditer(text)
        spot = next((match.span() for match in numbers if _read(match[0], kind) == value), None)
    if spot is None:
        return
    left, right = text[: spot[0]].rpartition("\n")[2], text[spot[1] :].partition("\n")[0]
    befores = [match[0] for pattern in (r"\S+\s*$", r"\S+\s+\S+\s*$") if (match := re.search(pattern, left))]
    afters = [match[0] for pattern in (r"\W", r"\W+\w+") if (match := re.match(pattern, right))]
    for before in befores or [""]:
        edge = r"\b" if before[:1].isalnum() else ""
        for after in afters or [""]:
            yield (edge + re.escape(before) if before else "^"), (re.escape(after) if after else "$")
        if kind != "string":
            yield (edge + re.escape(before) if before else "^"), ""


def _whole(name: str) -> Way:
    return lambda texts: texts.get(name)


def _shaped(shape: re.Pattern[str], *, last: bool) -> Way:
    def way(texts: Texts) -> str | None:
        found = [match[0] for match in shape.finditer("\n".join(texts.values()))]
        return found[-1 if last else 0] if found else None

    return way


def _around(before: str, middle: str, after: str) -> Way:
    pattern = re.compile(f"{before}({middle}){after}", re.MULTILINE | re.IGNORECASE)

    def way(texts: Texts) -> str | None:
        match = pattern.search("\n".join(texts.values()))
        return match[1] if match else None

    return way


def _nothing(kind: Kind) -> Any:
    return "" if kind == "string" else None


def _read(text: str, kind: Kind) -> str | int | float | None:
    """Read a span as a value of the kind; None where it is none."""
    if kind == "string":
        return text
    digits = text.strip().replace(",", "")
    if re.fullmatch(r"-?\d+", digits):
        return int(digits) if len(digits) < 300 else None
    return float(digits) if kind == "number" and re.fullmatch(r"-?\d+\.\d+", digits) else None
