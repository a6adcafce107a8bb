"""Files of traces as other programs write them, made by hand for these tests."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from agentsym import Agent, Choice, PromptNode
from agentsym.deploy.traces.found import Format, ImportedTrace, Unusable
from agentsym.deploy.traces.importing import imported
from agentsym.network.network import Network

TEAMS = ("heating", "plumbing")
NANO = 10**9
BEGAN = 1_780_000_000  # 2026-05-28
_numbers = count(1)


def desk(*inputs: str) -> Agent:
    """An agent that says which team takes care of a message."""
    node = PromptNode("sort", "Sort it.", inputs=list(inputs or ("text",)), output={"team": Choice(TEAMS)})
    return Agent("desk", [node])


def writer() -> Agent:
    """An agent that writes prose."""
    return Agent("writer", [PromptNode("write", "Answer.", inputs=["question"], output={"reply": str})])


class Taken:
    """What an import has come to."""

    def __init__(self, items: Iterable[ImportedTrace | Unusable]) -> None:
        found = list(items)
        self.traces = [item for item in found if isinstance(item, ImportedTrace)]
        self.bad = [item for item in found if isinstance(item, Unusable)]

    @property
    def only(self) -> ImportedTrace:
        """The one trace, of files without fault."""
        assert not self.bad, self.bad
        (trace,) = self.traces
        return trace


def take(
    *paths: Path, agent: Network | None = None, format: Format | None = None, maps: Mapping[str, str] = {}
) -> Taken:
    return Taken(imported(paths, agent or desk(), format=format, maps=maps))


def write(path: Path, *records: Any) -> Path:
    """Write one JSON value a line."""
    text = "".join(f"{record if isinstance(record, str) else json.dumps(record)}\n" for record in records)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, "utf-8")
    return path


def any_value(value: Any) -> dict[str, Any]:
    """A value as OTLP has it."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list() | tuple():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": attributes(value)}}
    return {"stringValue": value}


def attributes(known: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in known.items()]


def span(
    name: str,
    known: Mapping[str, Any] = {},
    *,
    trace: str = "t1",
    parent: str = "",
    events: Sequence[tuple[str, Mapping[str, Any]]] = (),
    **more: Any,
) -> dict[str, Any]:
    """A span of OTLP; later ones begin later, and last a second."""
    number = next(_numbers)
    return {
        "traceId": trace,
        "spanId": f"s{number}",
        "parentSpanId": parent,
        "name": name,
        "startTimeUnixNano": str((BEGAN + number) * NANO),
        "endTimeUnixNano": str((BEGAN + number + 1) * NANO),
        "attributes": attributes(known),
        "events": [{"name": event, "attributes": attributes(said)} for event, said in events],
        **more,
    }


def otlp(*spans: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "any"}, "spans": list(spans)}]}]}


def chat(text: str, role: str = "user") -> str:
    """A chat of one message, as OpenTelemetry's conventions have it."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])
