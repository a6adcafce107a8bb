"""Langfuse: traces with their observations and scores, as its API, its UI and its blob storage write them.

One record may be a whole trace, a trace without its observations, one observation or one score; what belongs together
has the same trace id, and keys come in camel case and in snake case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import AliasChoices, AliasGenerator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agentsym.deploy.traces.chats import messages_of
from agentsym.deploy.traces.found import Found, Loose, Opinion, Piece
from agentsym.deploy.traces.opinions import Source, opinion, wanted
from agentsym.deploy.traces.reading import cell_value
from agentsym.deploy.traces.spans import Span, runs, seconds_of
from agentsym.network.records import Usage

_SOURCES: Mapping[str, Source] = {"ANNOTATION": "human", "EVAL": "judge", "API": "human"}
_CHAT, _TOOL = ("generation", "embedding"), ("tool",)


class _Both(Loose):
    model_config = ConfigDict(
        populate_by_name=True,
        alias_generator=AliasGenerator(validation_alias=lambda name: AliasChoices(name, to_camel(name))),
    )


class _Score(_Both):
    name: str = ""
    value: Any = None
    string_value: str | None = None
    long_string_value: str | None = None
    data_type: str | None = None
    source: str | None = None
    comment: str | None = None
    trace_id: str | None = None


class _Observation(_Both):
    id: str = Field(min_length=1)
    trace_id: str | None = None
    parent_observation_id: str | None = None
    type: str = "SPAN"
    name: str | None = None
    start_time: Any = None
    end_time: Any = None
    input: Any = None
    output: Any = None
    metadata: Any = None
    level: str | None = None
    status_message: str | None = None
    usage: Any = None
    usage_details: Any = None
    cost_details: Any = None
    session_id: str | None = None


class _Trace(_Both):
    id: str = Field(min_length=1)
    name: str | None = None
    timestamp: Any = None
    input: Any = None
    output: Any = None
    metadata: Any = None
    tags: Any = None
    user_id: str | None = None
    session_id: str | None = None
    latency: Any = None
    observations: list[Any] = []
    scores: Any = None


def is_langfuse(data: Any) -> bool:
    """Whether a record is one of Langfuse's."""
    if not isinstance(data, Mapping):
        return False
    keys = data.keys()
    if isinstance(data.get("trace"), Mapping) and "observations" in keys:
        return True
    observation = "type" in keys and bool({"traceId", "trace_id"} & keys) and bool({"startTime", "start_time"} & keys)
    trace = "id" in keys and "timestamp" in keys and bool({"input", "output"} & keys)
    return observation or trace or is_score(data) or ("meta" in keys and isinstance(data.get("data"), list))


def pieces(place: str, data: Any) -> Iterator[Piece | tuple[str, Any]]:
    """Yield the records inside a record: a page of a list holds many, a trace its observations and scores."""
    if not isinstance(data, Mapping):
        yield place, data
    elif "meta" in data and isinstance(data.get("data"), list):
        for number, item in enumerate(data["data"]):
            yield from pieces(f"{place}.data[{number}]", item)
    elif isinstance(data.get("trace"), Mapping):  # the button that downloads one trace
        inner = {name: item for name, item in data.items() if name in ("observations", "scores")}
        yield from pieces(place, {**data["trace"], **inner})
    elif isinstance(data.get("observations"), list | tuple) and "id" in data:
        yield place, {**data, "observations": [], "scores": data.get("scores")}
        for number, item in enumerate(data["observations"]):
            if isinstance(item, Mapping):  # a list of traces names their ids only
                yield f"{place}.observations[{number}]", {"traceId": data["id"], "type": "SPAN", **item}
    else:
        yield place, data


def piece(place: str, data: Any) -> Piece:
    """Read one trace, observation or score; raises ValueError (pydantic's included) where it is none."""
    if isinstance(data, Mapping) and is_score(data):
        score = _Score.model_validate(data)
        return Piece(score.trace_id or "", place, _opinion(score))
    if isinstance(data, Mapping) and "type" in data and {"traceId", "trace_id"} & data.keys():
        observation = _Observation.model_validate(data)
        return Piece(observation.trace_id or observation.id, place, _span(observation, place))
    trace = _Trace.model_validate(data)
    return Piece(trace.id, place, trace)


def traces(trace_id: str, found: Sequence[Piece]) -> Iterator[Found]:
    """Yield the run that the records of one trace tell of."""
    spans = [piece.data for piece in found if isinstance(piece.data, Span)]
    opinions = [piece.data for piece in found if isinstance(piece.data, Opinion)]
    trace = next((piece for piece in found if isinstance(piece.data, _Trace)), None)
    if trace is None and not spans:
        raise ValueError("there is a score, and no trace that it is of")
    if trace is not None:
        spans.append(_root(trace.data, trace.place))
        opinions += _scores(trace.data.scores)
    for run in runs(trace_id, spans):
        yield run.model_copy(update={"opinions": (*run.opinions, *opinions)})


def is_score(data: Mapping[str, Any]) -> bool:
    """Whether a record is a score by itself."""
    keys = data.keys()
    return "name" in keys and {"value", "stringValue", "string_value"} & keys != set() and not {"input"} & keys


def _root(trace: _Trace, place: str) -> Span:
    """Return the trace itself as the span around its observations, whose outermost ones have no parent."""
    seconds = trace.latency if isinstance(trace.latency, int | float) and trace.latency >= 0 else 0.0
    known = {"metadata": cell_value(trace.metadata), "tags": trace.tags, "user_id": trace.user_id, "name": trace.name}
    return Span(
        id=f"trace {trace.id}",
        parent="",
        name=trace.name or "",
        kind="agent",
        began=seconds_of(trace.timestamp),
        seconds=float(seconds),
        input=cell_value(trace.input),
        output=cell_value(trace.output),
        attributes={name: value for name, value in known.items() if value is not None},
        thread=trace.session_id or "",
        place=place,
    )


def _span(observation: _Observation, place: str) -> Span:
    began, ended = seconds_of(observation.start_time), seconds_of(observation.end_time)
    given = cell_value(observation.input)
    failed = observation.level == "ERROR"
    parent = observation.parent_observation_id or (f"trace {observation.trace_id}" if observation.trace_id else "")
    return Span(
        id=observation.id,
        parent=parent,
        name=observation.name or observation.type.lower(),
        kind=_kind(observation),
        began=began,
        seconds=max(0.0, ended - began) if ended else 0.0,
        input=given,
        output=cell_value(observation.output),
        messages=messages_of(given),
        attributes={} if observation.metadata is None else {"metadata": cell_value(observation.metadata)},
        usage=_usage(observation),
        error=(observation.status_message or "error") if failed else None,
        thread=observation.session_id or "",
        place=place,
    )


def _kind(observation: _Observation) -> Literal["agent", "chat", "tool", "other"]:
    kind = observation.type.lower()
    return "chat" if kind in _CHAT else "tool" if kind in _TOOL else "other"


def _usage(observation: _Observation) -> Usage:
    if _kind(observation) != "chat":
        return Usage()
    used = cell_value(observation.usage_details) or cell_value(observation.usage)
    cost = cell_value(observation.cost_details)
    used, cost = (value if isinstance(value, Mapping) else {} for value in (used, cost))
    total = cost.get("total")
    return Usage(
        calls=1,
        prompt_tokens=_count(used.get("input", used.get("promptTokens"))),
        completion_tokens=_count(used.get("output", used.get("completionTokens"))),
        usd=float(total) if isinstance(total, int | float) else None,
    )


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and value >= 0 else 0


def _scores(given: Any) -> Iterator[Opinion]:
    """Read the scores of a trace: a list of them, or, as tables have it, name → value."""
    given = cell_value(given)
    if isinstance(given, Mapping):
        for name, value in given.items():
            values = value if isinstance(value, list) else [value]
            yield from (opinion(str(name), item, author="langfuse") for item in values if item is not None)
    for item in given if isinstance(given, list) else []:
        if isinstance(item, Mapping):  # a list of traces names their ids only
            yield _opinion(_Score.model_validate(item))


def _opinion(score: _Score) -> Opinion:
    source = _SOURCES.get((score.source or "API").upper(), "human")
    kind = (score.data_type or "").upper()
    if kind == "CORRECTION":
        return wanted(cell_value(score.long_string_value or score.string_value), kind="edit", author="langfuse")
    number = _number(score.value)
    value = score.string_value if kind == "CATEGORICAL" and score.string_value is not None else number
    value = bool(number) if kind == "BOOLEAN" and number is not None else value
    value = score.string_value if value is None else value
    return opinion(score.name, value, text=score.comment or "", source=source, author="langfuse")


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
