"""What the teacher's double reads in the teacher's requests: quoted blocks, and the fields in them.

The requests are Markdown made for a language model; this is the little of it that a program needs to learn from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_BLOCK = re.compile(r'^<data name="([^"]*)">\n(.*?)\n</data>$', re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(input|output|expected) ([^:\n]+): (.*)$", re.MULTILINE)
_STEP = re.compile(r"^step \d+, node ([^,\n]+)[^\n]*((?:\n  [^\n]*)*)", re.MULTILINE)


class Visit(NamedTuple):
    """One visit of a node: what it was given, what it gave, and what was wanted; values as they are written."""

    given: dict[str, str]
    gave: dict[str, str]
    wanted: dict[str, str]

    @property
    def wrong(self) -> dict[str, str]:
        """The wanted fields that it gave otherwise, with what was wanted."""
        return {name: value for name, value in self.wanted.items() if self.gave.get(name) != value}

    @property
    def text(self) -> str:
        """What it was given, in one text."""
        return " ".join(map(str, map(read, self.given.values())))


def asked(body: Mapping[str, Any]) -> str:
    """Return the text of a request's question: its last message of the user."""
    return str([message["content"] for message in body["messages"] if message["role"] == "user"][-1])


def blocks(text: str) -> dict[str, str]:
    """Return the quoted blocks of a request, by name."""
    return dict(_BLOCK.findall(text))


def fields(block: str) -> dict[str, str]:
    """Return the fields of a block that has one `name: value` a line."""
    pairs = (line.partition(": ") for line in block.split("\n"))
    return {name: value for name, separator, value in pairs if separator}


def visit(block: str) -> Visit:
    """Return the visit that a block tells of."""
    sides: dict[str, dict[str, str]] = {"input": {}, "output": {}, "expected": {}}
    for side, name, value in _FIELD.findall(block):
        sides[side][name] = value
    return Visit(sides["input"], sides["output"], sides["expected"])


def visits(text: str) -> Iterator[Visit]:
    """Yield the visits that a request for edits tells of: of each gradient, or of each failure."""
    found = _BLOCK.findall(text)
    yield from (visit(block) for name, block in found if name == "failure" or name.startswith("gradient "))


def steps(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (node, what it gave) for each step of the run that a request for blame tells of."""
    for node, block in _STEP.findall(blocks(text).get("run", "")):
        yield node, visit(block).gave


def read(value: str) -> Any:
    """Return the value of a field: JSON, or else the text as it is."""
    try:
        return json.loads(value)
    except ValueError:
        return value
