"""OTLP as JSON: what a collector's file exporter, or an exporter to a file, has written of an agent of any framework.

The chat is looked for wherever instrumentations put it: in attributes and in events of OpenTelemetry's conventions, new
and old, and in the attributes of OpenLLMetry and OpenInference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import AliasChoices, Field

from agentsym.deploy.traces.chats import messages_of
from agentsym.deploy.traces.found import Found, Loose, Opinion, Piece
from agentsym.deploy.traces.opinions import opinion
from agentsym.deploy.traces.reading import cell_value
from agentsym.deploy.traces.spans import Span, runs, seconds_of
from agentsym.network.records import Message, Usage
from agentsym.telemetry import names

_MESSAGE_EVENT = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
_INDEXED = re.compile(
    r"(?:gen_ai\.(prompt|completion)|llm\.(input|output)_messages)\.(\d+)\.(?:message\.)?(role|content)"
)
_INPUTS = (
    *("input.value", "traceloop.entity.input", "mlflow.spanInputs", "langfuse.observation.input"),
    *("langfuse.trace.input", "gen_ai.tool.call.arguments", "gen_ai.prompt", "tool.parameters", "input"),
)
_OUTPUTS = (
    *("output.value", "traceloop.entity.output", "mlflow.spanOutputs", "langfuse.observation.output"),
    *("langfuse.trace.output", "gen_ai.tool.call.result", "gen_ai.completion", "output"),
)
_THREADS = ("gen_ai.conversation.id", "session.id", "langfuse.session.id", "thread_id", "langgraph.thread_id")
_AGENT = ("invoke_agent", "create_agent", "invoke_workflow", "agent", "workflow")
_CHAT = ("chat", "text_completion", "generate_content", "llm", "generation", "chat_model", "completion")
_TOOL = ("execute_tool", "tool")
_KINDS = (
    *("gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind", "langfuse.observation.type"),
    *("mlflow.spanType", "llm.request.type"),
)
EVALUATION = "gen_ai.evaluation.result"


class _Attribute(Loose):
    key: str
    value: Any = None


class _Event(Loose):
    name: str = ""
    attributes: list[_Attribute] = []


class _Status(Loose):
    code: int | str = 0
    message: str = ""


class _Span(Loose):
    trace: str = Field(min_length=1, validation_alias=AliasChoices("traceId", "trace_id"))
    id: str = Field(min_length=1, validation_alias=AliasChoices("spanId", "span_id"))
    parent: str | None = Field(None, validation_alias=AliasChoices("parentSpanId", "parent_span_id"))
    name: str = ""
    began: int | str = Field(0, validation_alias=AliasChoices("startTimeUnixNano", "start_time_unix_nano"))
    ended: int | str = Field(0, validation_alias=AliasChoices("endTimeUnixNano", "end_time_unix_nano"))
    attributes: list[_Attribute] = []
    events: list[_Event] = []
    status: _Status = _Status()


def is_otlp(data: Any) -> bool:
    """Whether a record is a piece of OTLP; metrics and logs may stand beside spans, and hold no trace."""
    kinds = {"resourceSpans", "resource_spans", "resourceMetrics", "resourceLogs"}
    return isinstance(data, Mapping) and bool(kinds & data.keys())


def pieces(place: str, data: Any) -> Iterator[Piece | tuple[str, Any]]:
    """Yield the spans of one record, each as a piece of its trace; what is no span is yielded with its place."""
    for at, resource in enumerate(_list(data, "resourceSpans", "resource_spans")):
        for scope in _list(resource, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"):
            for number, span in enumerate(_list(scope, "spans")):
                yield f"{place} (resource {at}, span {number})", span


def piece(place: str, data: Any) -> Piece:
    """Read one span; raises ValueError (pydantic's included) where it is none."""
    span = _Span.model_validate(data)
    return Piece(span.trace, place, _span(span, place))


def traces(trace: str, found: Sequence[Piece]) -> Iterator[Found]:
    """Yield the runs in the spans of one trace."""
    return runs(trace, [piece.data for piece in found])


def _list(data: Any, *keys: str) -> list[Any]:
    if not isinstance(data, Mapping):
        return []
    found: Any = next((data[key] for key in keys if key in data), [])
    return found if isinstance(found, list) else []


def _span(span: _Span, place: str) -> Span:
    known = _plain(span.attributes)
    kind = _kind(known)
    began, ended = seconds_of(span.began), seconds_of(span.ended)
    asked, answered = _chat(known, span.events)
    inputs = _first(known, *_INPUTS)
    output = answered if answered is not None else _first(known, *_OUTPUTS)
    failed = str(span.status.code) in ("2", "STATUS_CODE_ERROR")
    return Span(
        id=span.id,
        parent=span.parent or "",
        name=str(known.get(names.TOOL_NAME) or known.get("tool.name") or span.name),
        kind=kind,
        node=str(known.get(names.NODE) or known.get("langgraph.node") or known.get("langgraph_node") or ""),
        began=began,
        seconds=max(0.0, ended - began),
        input=inputs,
        output=output,
        messages=asked,
        attributes=known,
        usage=_usage(known) if kind == "chat" else Usage(),
        error=(span.status.message or str(known.get(names.ERROR_TYPE) or "error")) if failed else None,
        opinions=tuple(_opinions(span.events)),
        thread=str(_first(known, *_THREADS) or ""),
        place=place,
    )


def _plain(attributes: Sequence[_Attribute]) -> dict[str, Any]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value: Any) -> Any:
    """Return an attribute's value: OTLP says of each of which type it is."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None if isinstance(value, Mapping) else value
    ((kind, inner),) = value.items()
    match kind:
        case "intValue" | "int_value":
            return int(inner)
        case "arrayValue" | "array_value":
            return [_value(item) for item in _list(inner, "values")]
        case "kvlistValue" | "kvlist_value":
            pairs = [item for item in _list(inner, "values") if isinstance(item, Mapping)]
            return {str(item.get("key")): _value(item.get("value")) for item in pairs}
    return inner


def _kind(known: Mapping[str, Any]) -> Literal["agent", "chat", "tool", "other"]:
    said = [str(known[name]).lower() for name in _KINDS if name in known]
    if any(word in _AGENT for word in said):
        return "agent"
    if any(word in _CHAT for word in said):
        return "chat"
    return "tool" if any(word in _TOOL for word in said) else "other"


def _first(known: Mapping[str, Any], *keys: str) -> Any:
    return next((cell_value(known[key]) for key in keys if known.get(key) is not None), None)


def _chat(known: Mapping[str, Any], events: Sequence[_Event]) -> tuple[tuple[Message, ...], Any]:
    """Return the messages that went in and the answer that came out."""
    told = [known, *(_plain(event.attributes) for event in events if "inference.operation.details" in event.name)]
    asked: list[Message] = []
    answer: Any = None
    for source in told:
        system = cell_value(source.get(names.SYSTEM_INSTRUCTIONS))
        if system and not asked:
            asked += messages_of({"role": "system", "parts": system})
        asked += messages_of(source.get(names.INPUT_MESSAGES))
        answer = answer if answer is not None else cell_value(source.get(names.OUTPUT_MESSAGES))
    for event in events:
        said = _plain(event.attributes)
        if match := _MESSAGE_EVENT.fullmatch(event.name):
            asked += messages_of({"role": match[1], "content": "", **said})
        elif event.name == "gen_ai.choice" and answer is None:
            answer = cell_value(said.get("message", said.get("content")))
        elif event.name == "gen_ai.content.prompt":
            asked += messages_of(said.get("gen_ai.prompt"))
        elif event.name == "gen_ai.content.completion" and answer is None:
            answer = cell_value(said.get("gen_ai.completion"))
    if not asked:
        indexed = _indexed(known)
        asked, answer = [*indexed[0]], answer if answer is not None else indexed[1]
    return tuple(asked), answer


def _indexed(known: Mapping[str, Any]) -> tuple[tuple[Message, ...], Any]:
    """Return a chat whose messages stand in numbered attributes."""
    found: dict[tuple[bool, int], dict[str, Any]] = {}
    for name, value in known.items():
        if match := _INDEXED.fullmatch(name):
            is_input = "prompt" in match.groups() or "input" in match.groups()
            found.setdefault((is_input, int(match[3])), {"role": "assistant"})[match[4]] = value
    sides = ([found[key] for key in sorted(found) if key[0] is side] for side in (True, False))
    asked, answered = sides
    return messages_of(asked), answered or None


def _usage(known: Mapping[str, Any]) -> Usage:
    prompt = _first(known, names.INPUT_TOKENS, "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
    completion = _first(known, names.OUTPUT_TOKENS, "gen_ai.usage.completion_tokens", "llm.token_count.completion")
    cost = known.get(names.COST)
    return Usage(
        calls=0 if known.get(names.CACHED) is True else 1,
        prompt_tokens=_count(prompt),
        completion_tokens=_count(completion),
        usd=float(cost) if isinstance(cost, int | float) else None,
    )


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and value >= 0 else 0


def _opinions(events: Sequence[_Event]) -> Iterator[Opinion]:
    for event in events:
        said = _plain(event.attributes)
        if event.name == EVALUATION:
            value = said.get("gen_ai.evaluation.score.value", said.get("gen_ai.evaluation.score.label"))
            name, text = said.get("gen_ai.evaluation.name"), said.get("gen_ai.evaluation.explanation")
            yield opinion(str(name or ""), value, text=str(text or ""), source="judge")
