"""MLflow: traces as `Trace.to_json`, `mlflow traces` and the tables of `mlflow.search_traces` write them.

Spans come in three versions of their schema, whose attributes are JSON texts in some; assessments are feedback, or
expectations, which say what the output should have been.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import AliasChoices, Field

from agentsym.deploy.traces.chats import messages_of
from agentsym.deploy.traces.found import Found, Loose, Opinion, Piece
from agentsym.deploy.traces.opinions import Source, opinion, wanted
from agentsym.deploy.traces.reading import cell_value
from agentsym.deploy.traces.spans import Span, runs, seconds_of
from agentsym.network.records import Usage

_SOURCES: Mapping[str, Source] = {"HUMAN": "human", "LLM_JUDGE": "judge", "AI_JUDGE": "judge", "CODE": "code"}
_CHAT, _TOOL = ("CHAT_MODEL", "LLM"), ("TOOL",)


class _Context(Loose):
    span_id: str = ""


class _Status(Loose):
    code: int | str = ""
    message: str | None = None


class _Span(Loose):
    name: str = ""
    span_id: str = ""
    context: _Context = _Context()
    parent_span_id: str | None = Field(None, validation_alias=AliasChoices("parent_span_id", "parent_id"))
    began: Any = Field(None, validation_alias=AliasChoices("start_time_unix_nano", "start_time", "start_time_ns"))
    ended: Any = Field(None, validation_alias=AliasChoices("end_time_unix_nano", "end_time", "end_time_ns"))
    status: _Status | str | None = None
    status_code: str | None = None
    status_message: str | None = None
    inputs: Any = None
    outputs: Any = None
    attributes: dict[str, Any] = {}


class _Source(Loose):
    source_type: str = "HUMAN"
    source_id: str | None = None


class _Assessment(Loose):
    name: str = Field("", validation_alias=AliasChoices("assessment_name", "name"))
    source: _Source = _Source()
    feedback: Any = None
    expectation: Any = None
    value: Any = None
    rationale: str | None = None
    valid: bool | None = True


class _Info(Loose):
    trace_id: str = Field(min_length=1, validation_alias=AliasChoices("trace_id", "request_id"))
    time: Any = Field(None, validation_alias=AliasChoices("request_time", "timestamp_ms"))
    state: str | None = Field(None, validation_alias=AliasChoices("state", "status"))
    metadata: Any = Field(None, validation_alias=AliasChoices("trace_metadata", "request_metadata"))
    tags: Any = None
    request: Any = Field(None, validation_alias=AliasChoices("request", "request_preview"))
    response: Any = Field(None, validation_alias=AliasChoices("response", "response_preview"))
    assessments: Any = None
    spans: Any = None


def is_mlflow(data: Any) -> bool:
    """Whether a record is one of MLflow's."""
    if not isinstance(data, Mapping):
        return False
    if isinstance(data.get("traces"), list):
        return any(map(is_mlflow, data["traces"][:1]))
    if isinstance(data.get("info"), Mapping):
        return bool({"trace_id", "request_id"} & data["info"].keys())
    row = bool({"trace_id", "request_id"} & data.keys())
    return row and bool({"spans", "request_time", "timestamp_ms", "trace_metadata", "request_metadata"} & data.keys())


def pieces(place: str, data: Any) -> Iterator[Piece | tuple[str, Any]]:
    """Yield the traces of a record: a page of a search holds many."""
    if isinstance(data, Mapping) and isinstance(data.get("traces"), list):
        for number, item in enumerate(data["traces"]):
            yield f"{place}.traces[{number}]", item
    else:
        yield place, data


def piece(place: str, data: Any) -> Piece:
    """Read one trace; raises ValueError (pydantic's included) where it is none."""
    if isinstance(data, Mapping) and "trace" in data and "info" not in data:  # a row of a table holds it as JSON
        inner = cell_value(data["trace"])
        data = inner if isinstance(inner, Mapping) and "info" in inner else data
    if isinstance(data, Mapping) and isinstance(data.get("info"), Mapping):
        held = data.get("data")
        data = {**(held if isinstance(held, Mapping) else {}), **data["info"]}
    info = _Info.model_validate(data)
    spans = cell_value(info.spans)
    read = [_span(_Span.model_validate(span), place) for span in spans] if isinstance(spans, list) else []
    return Piece(info.trace_id, place, (info, read))


def traces(trace_id: str, found: Sequence[Piece]) -> Iterator[Found]:
    """Yield the run that a trace tells of."""
    (info, spans), place = found[0].data, found[0].place
    metadata, tags = cell_value(info.metadata), cell_value(info.tags)
    known = {**(tags if isinstance(tags, Mapping) else {}), **(metadata if isinstance(metadata, Mapping) else {})}
    failed = (info.state or "").upper() == "ERROR"
    root = Span(
        id=f"trace {trace_id}",
        parent="",
        name=str(known.get("mlflow.traceName", "")),
        kind="agent",
        began=seconds_of(info.time),
        input=cell_value(info.request),
        output=cell_value(info.response),
        attributes={"metadata": known},
        opinions=tuple(_opinions(cell_value(info.assessments))),
        thread=str(known.get("mlflow.trace.session", "")),
        place=place,
    )
    inside = [span if span.parent else span._replace(parent=root.id) for span in spans]
    top = next((span for span in inside if span.parent == root.id), None)
    if top is not None:  # whole, where the trace itself holds a preview only
        root = root._replace(
            input=root.input if top.input is None else top.input,
            output=root.output if top.output is None else top.output,
            seconds=top.seconds,
            error=top.error,
        )
    if failed and root.error is None:
        root = root._replace(error="error")
    return runs(trace_id, [root, *inside])


def _span(span: _Span, place: str) -> Span:
    known = {name: _attribute(value) for name, value in span.attributes.items()}
    given = span.inputs if span.inputs is not None else known.get("mlflow.spanInputs")
    began, ended = seconds_of(span.began), seconds_of(span.ended)
    kind = _kind(str(known.get("mlflow.spanType", "")))
    return Span(
        id=span.span_id or span.context.span_id,
        parent=span.parent_span_id or "",
        name=span.name,
        kind=kind,
        began=began,
        seconds=max(0.0, ended - began) if ended else 0.0,
        input=given,
        output=span.outputs if span.outputs is not None else known.get("mlflow.spanOutputs"),
        messages=messages_of(known.get("mlflow.chat.messages") or given) if kind == "chat" else (),
        attributes={name: value for name, value in known.items() if not name.startswith("mlflow.span")},
        usage=_usage(known) if kind == "chat" else Usage(),
        error=_error(span),
        place=place,
    )


def _attribute(value: Any) -> Any:
    """Return an attribute's value, which is a JSON text in most versions."""
    read = cell_value(value)
    return read[1:-1] if isinstance(read, str) and read[:1] == read[-1:] == '"' and len(read) > 1 else read


def _kind(kind: str) -> Literal["agent", "chat", "tool", "other"]:
    kind = kind.upper()
    return "chat" if kind in _CHAT else "tool" if kind in _TOOL else "other"


def _usage(known: Mapping[str, Any]) -> Usage:
    used = known.get("mlflow.chat.tokenUsage")
    used = used if isinstance(used, Mapping) else {}
    counts = (used.get("input_tokens"), used.get("output_tokens"))
    prompt, completion = (value if isinstance(value, int) and value >= 0 else 0 for value in counts)
    return Usage(calls=1, prompt_tokens=prompt, completion_tokens=completion, usd=None)


def _error(span: _Span) -> str | None:
    status = span.status
    code = span.status_code or (status.code if isinstance(status, _Status) else status) or ""
    message = span.status_message or (status.message if isinstance(status, _Status) else "") or "error"
    return message if str(code).upper() in ("2", "ERROR", "STATUS_CODE_ERROR") else None


def _opinions(given: Any) -> Iterator[Opinion]:
    for item in given if isinstance(given, list) else []:
        said = _Assessment.model_validate(item)
        if said.valid is False:
            continue  # another one has taken its place
        author = said.source.source_id or "mlflow"
        if said.expectation is not None:
            yield wanted(_inner(said.expectation), name=said.name, author=author)
            continue
        value = said.value if said.feedback is None else _inner(said.feedback)
        source = _SOURCES.get(said.source.source_type.upper(), "human")
        yield opinion(said.name, value, text=said.rationale or "", source=source, author=author)


def _inner(value: Any) -> Any:
    """Return the value of a feedback or an expectation, which may be a JSON text inside of it."""
    if not isinstance(value, Mapping):
        return value
    if isinstance(serialized := value.get("serialized_value"), Mapping):
        return cell_value(serialized.get("value"))
    return value.get("value")
