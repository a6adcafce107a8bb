"""What the teacher's doubles read in a request: what failed, components, and which node is to be edited.

All of it is text that a language model would get, too; a request without failures in it gives nothing to go by.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from evals.openai_server.quotes import read
from evals.peers.forms import Schema, offered

_FAILED = re.compile(r'^<data name="(?:run|failure|step|gradient \d+)">\n(.*?)\n</data>$', re.MULTILINE | re.DOTALL)
_COMPONENT = re.compile(r'^<data name="([^"\n]+/[^"\n]+)">\n(.*?)\n</data>$', re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(input|output) ([^:\n]+): (.*)$", re.MULTILINE)
_STEP = re.compile(r"^# The step\n\nStep \d+ \(node `([^`]+)`", re.MULTILINE)
_EDITED = re.compile(r"^# The component to edit\n\n`([^`]+)`", re.MULTILINE)


class Failure(NamedTuple):
    """A run, or a visit of one node, that a request shows: its text, and the last value of each field in it."""

    text: str
    values: dict[str, Any]


def failures(text: str) -> list[Failure]:
    """Return what a request shows of runs and visits, in its order."""
    return [
        Failure(found, {name: read(value) for _, name, value in _FIELD.findall(found)})
        for found in _FAILED.findall(text)
    ]


def component(text: str, path: str) -> str:
    """Return the value of a component as a request quotes it; "" where it is not shown."""
    found: dict[str, str] = dict(_COMPONENT.findall(text))
    return found.get(path, "")


def step_asked_for(text: str) -> str:
    """Return the node whose step a request is about; "" where it is about a whole run."""
    found = _STEP.search(text)
    return found[1] if found else ""


def paths_to_edit(schema: Schema, text: str) -> list[str]:
    """Return the components that a request allows to edit: those that the form offers, or the one in its text."""
    found = _EDITED.search(text)
    return offered(schema, "path") or ([found[1]] if found else [])
