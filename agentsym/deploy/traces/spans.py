"""Spans as all formats have them: a tree of pieces of work with inputs, outputs and attributes; and what a tree tells.

Formats only translate into this; which span is the run, and what its steps are, is decided here once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from agentsym.deploy.traces.chats import fields_of, last, messages_of
from agentsym.deploy.traces.found import Found, Opinion
from agentsym.network.records import Message, Step, ToolCall, Usage


class Span(NamedTuple):
    """One span.

    Attributes:
        id: its id.
        parent: that of the span around it; "" where there is none.
        name: what was done.
        kind: whether it is a run of an agent, a model call, a call of a tool, or something else.
        node: the node that it belongs to.
        began: seconds since 1970; 0 where nobody knows.
        seconds: how long it took.
        input: what went in.
        output: what came out.
        messages: the chat before the answer, where it is a model call.
        attributes: what else is said of it.
        usage: tokens and cost of a model call.
        error: why it failed, if it did.
        opinions: what was said of it.
        thread: the conversation.
        place: file and line.
    """

    id: str
    parent: str
    name: str
    kind: Literal["agent", "chat", "tool", "other"] = "other"
    node: str = ""
    began: float = 0.0
    seconds: float = 0.0
    input: Any = None
    output: Any = None
    messages: tuple[Message, ...] = ()
    attributes: Mapping[str, Any] = {}
    usage: Usage = Usage()
    error: str | None = None
    opinions: tuple[Opinion, ...] = ()
    thread: str = ""
    place: str = ""


def iso(seconds: float) -> str:
    """Return a time as the store has it; "" for none."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if seconds > 0 else ""
    except (OverflowError, OSError, ValueError):
        return ""


def seconds_of(time: Any) -> float:
    """Return a time as seconds since 1970: from an ISO text, or a number of seconds, milliseconds or nanoseconds."""
    if isinstance(time, str) and not time.strip().isdigit():
        try:
            read = datetime.fromisoformat(time.strip().replace(" UTC", "").replace("Z", "+00:00"))
        except ValueError:
            return 0.0
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    try:
        number = float(time or 0)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    for unit in (1e9, 1e6, 1e3):  # the year 2001 was a billion seconds after 1970
        if number > 1e9 * unit:
            return number / unit
    return number if number > 0 else 0.0


def runs(trace: str, spans: Sequence[Span]) -> Iterator[Found]:
    """Yield the runs of agents in the spans of one trace: the outermost ones, or the trace as a whole."""
    ordered = sorted(spans, key=lambda span: span.began)
    parents = {span.id: span.parent for span in ordered}
    agents = [span for span in ordered if span.kind == "agent" and not _inside(span, ordered, parents)]
    if len(agents) < 2:
        yield _run(trace, ordered, agents[0] if agents else None)
        return
    for agent in agents:
        inside = [span for span in ordered if span.id == agent.id or agent.id in _above(span, parents)]
        yield _run(f"{trace}:{agent.id}", inside, agent)


def _inside(span: Span, spans: Iterable[Span], parents: Mapping[str, str]) -> bool:
    above = set(_above(span, parents))
    return any(other.id in above and other.kind == "agent" for other in spans)


def _above(span: Span, parents: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    parent = span.parent
    while parent and parent not in found:  # a broken file may hold a circle
        found.append(parent)
        parent = parents.get(parent, "")
    return found


def _run(source: str, spans: Sequence[Span], agent: Span | None) -> Found:
    """Make one run: what its outermost spans say of input and output, and where they do not, what the next ones say."""
    parents = {span.id: span.parent for span in spans}
    depth = {span.id: sum(above in parents for above in _above(span, parents)) for span in spans}
    outwards = sorted(spans, key=lambda span: (span is not agent, depth[span.id], span.kind == "tool", span.began))
    root = outwards[0]
    given = next((span for span in outwards if span.input is not None or span.messages), root)
    gave = next((span for span in _last_first(outwards, depth) if span.output is not None), root)
    messages = given.messages or messages_of(given.input)
    return Found(
        source=source,
        thread=next((span.thread for span in outwards if span.thread), ""),
        at=iso(min((span.began for span in spans if span.began), default=0.0)),
        place=spans[0].place,
        input=given.input if given.input is not None else [message.model_dump() for message in given.messages],
        output=gave.output,
        attributes={name: value for span in reversed(outwards) for name, value in span.attributes.items()},
        messages=messages,
        steps=tuple(_step(index, span) for index, span in enumerate(s for s in spans if _is_step(s))),
        opinions=tuple(opinion for span in outwards for opinion in span.opinions),
        seconds=root.seconds,
        error=root.error,
    )


def _last_first(outwards: Sequence[Span], depth: Mapping[str, int]) -> list[Span]:
    """Return spans from the outside in, at each depth the last one first: the last answer is the run's."""
    return sorted(outwards, key=lambda span: (depth[span.id], span.kind == "tool", -span.began))


def _is_step(span: Span) -> bool:
    return span.kind in ("chat", "tool")


def _step(index: int, span: Span) -> Step:
    made: dict[str, Any] = {"index": index, "node": span.node or span.name, "seconds": span.seconds}
    made |= {"usage": span.usage, "error": span.error}
    if span.kind == "tool":
        call = ToolCall(
            tool=span.name,
            arguments=fields_of(span.input),
            result=span.output,
            error=span.error,
            seconds=span.seconds,
        )
        return Step(**made, inputs=call.arguments, tool_calls=(call,), output=fields_of(span.output))
    messages = span.messages or messages_of(span.input)
    raw = last(messages_of(span.output), "assistant")
    raw = raw if raw is not None else span.output if isinstance(span.output, str) else ""
    return Step(**made, messages=messages, raw=raw)
