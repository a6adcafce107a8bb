"""What is found in a file of traces, before it is known whether it fits an agent, and after.

Whatever a record holds is data: texts of users and models are carried along and never read as anything else.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from agentsym.network.canonical import Frozen
from agentsym.network.records import Message, Score, Step
from agentsym.store.live.traces import Kind


class Loose(BaseModel):
    """A record of another program: it is read by the keys that are known, and has others too."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Opinion(Frozen):
    """What somebody, or something, has said of a trace.

    Attributes:
        kind: as of feedback in the store.
        name: what was judged; the name of an output field where a label is of one.
        score: in [0, 1].
        label: the output that was wanted: a value, or field → value.
        text: the comment.
        author: who said so.
    """

    kind: Kind
    name: str = ""
    score: Score | None = None
    label: Any = None
    text: str = ""
    author: str = ""


class Found(Frozen):
    """One trace as a file tells it.

    Attributes:
        source: its id there.
        thread: the conversation that it belongs to.
        at: when it began, as an ISO time in UTC; "" where nobody knows.
        place: file and line of its first span.
        input: what went in, of whatever form.
        output: what came out.
        attributes: what else is said of it; `--map attributes.NAME=field` takes values from here.
        messages: the chat, where there was one.
        steps: its node, model and tool spans, in their order.
        opinions: what was said of it.
        seconds: how long it took.
        error: why it failed, if it did.
    """

    source: str
    thread: str = ""
    at: str = ""
    place: str = ""
    input: Any = None
    output: Any = None
    attributes: dict[str, Any] = {}
    messages: tuple[Message, ...] = ()
    steps: tuple[Step, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    seconds: float = 0.0
    error: str | None = None


class ImportedTrace(Frozen):
    """A trace that fits an agent.

    Attributes:
        inputs: the agent's inputs.
        output: what came out then; empty where that does not fit, or the run failed.
        expected: the outputs that a label or an edit says were wanted; None where nobody has said.
        score: what the weightiest opinion gave.
        text: what was said of it.
        steps: node, model and tool spans.
        opinions: all of them.
        at: when, as an ISO time.
        source: its id where it comes from.
        thread: its conversation.
        place: file and line.
        seconds: how long it took.
        error: why it failed, if it did.
    """

    inputs: dict[str, Any]
    output: dict[str, Any] = {}
    expected: dict[str, Any] | None = None
    score: Score | None = None
    text: str = ""
    steps: tuple[Step, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    at: str = ""
    source: str
    thread: str = ""
    place: str = ""
    seconds: float = 0.0
    error: str | None = None


class Unusable(NamedTuple):
    """A record, or a trace, that nothing can be made of: where it stands, and why."""

    place: str
    why: str


class Piece(NamedTuple):
    """A part of a trace that other parts may follow: the trace's id, and what this part is.

    Attributes:
        trace: the trace's id.
        place: file and line.
        data: what it is.
        alone: it is a trace by itself that nobody gave an id; equal ones in a file are several traces.
    """

    trace: str
    place: str
    data: Any
    alone: bool = False


Format = Literal["otlp", "langfuse", "mlflow", "jsonl"]
Record = tuple[str, Any]
"""The place (`file:line`) and the JSON value."""
