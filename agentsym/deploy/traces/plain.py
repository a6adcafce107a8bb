"""Plain rows: `{"inputs": {…}, "output": {…}, "feedback": {…}}`, one a line, or flat columns.

The form for whoever writes traces down by a few lines of code of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import AliasChoices, ConfigDict, Field

from agentsym.deploy.traces.chats import messages_of
from agentsym.deploy.traces.found import Found, Loose, Opinion, Piece
from agentsym.deploy.traces.opinions import score_of
from agentsym.deploy.traces.spans import iso, seconds_of
from agentsym.network.canonical import content_hash
from agentsym.store.live.traces import Kind


class _Feedback(Loose):
    kind: Kind | None = None
    score: Any = None
    label: Any = Field(None, validation_alias=AliasChoices("label", "expected"))
    edit: Any = None
    text: str = Field("", validation_alias=AliasChoices("text", "comment"))
    author: str = ""


class _Row(Loose):
    model_config = ConfigDict(extra="allow")

    id: str | int | None = Field(None, validation_alias=AliasChoices("id", "trace_id"))
    thread: str | int | None = Field(None, validation_alias=AliasChoices("thread", "thread_id", "session_id"))
    at: Any = Field(None, validation_alias=AliasChoices("at", "timestamp", "time"))
    inputs: Any = Field(None, validation_alias=AliasChoices("inputs", "input"))
    output: Any = Field(None, validation_alias=AliasChoices("output", "outputs"))
    error: str | None = None
    feedback: list[_Feedback] | _Feedback | None = None


def is_plain(data: Any) -> bool:
    """Whether a record is an object at all: any other one of the formats has been asked before."""
    return isinstance(data, Mapping)


def pieces(place: str, data: Any) -> Iterator[Piece | tuple[str, Any]]:
    """Yield the record, which is one row."""
    yield place, data


def piece(place: str, data: Any) -> Piece:
    """Read one row; raises ValueError (pydantic's included) where it is none."""
    row = _Row.model_validate(data)
    if row.id not in (None, ""):
        return Piece(str(row.id), place, row)
    # what it says, not where it stands: tomorrow's file may have the name of today's; and it may be judged meanwhile
    content = [row.inputs, row.output, row.at, row.thread, row.model_extra]
    return Piece(f"row-{content_hash(content)[:24]}", place, row, alone=True)


def traces(trace_id: str, found: Sequence[Piece]) -> Iterator[Found]:
    """Yield the row as a trace: flat columns are inputs and outputs at once, as their names will tell."""
    row, place = found[0].data, found[0].place
    flat = dict(row.model_extra or {})
    given = row.feedback if isinstance(row.feedback, list) else [] if row.feedback is None else [row.feedback]
    yield Found(
        source=trace_id,
        thread="" if row.thread is None else str(row.thread),
        at=iso(seconds_of(row.at)),
        place=place,
        input=flat if row.inputs is None else row.inputs,
        output=flat if row.output is None else row.output,
        attributes=flat,
        messages=messages_of(row.inputs),
        opinions=tuple(opinion for item in given for opinion in _opinions(item)),
        error=row.error or None,
    )


def _opinions(said: _Feedback) -> Iterator[Opinion]:
    for kind, label in (("label", said.label), ("edit", said.edit)):
        if label is not None:
            yield Opinion.model_validate({"kind": kind, "label": label, "text": said.text, "author": said.author})
    if said.score is not None or (said.text and said.label is None and said.edit is None):
        score = score_of(said.score)
        if said.score is not None and score is None:
            raise ValueError(f"feedback.score is {said.score!r}; it must lie in [0, 1]")
        given: Kind = "thumb" if said.kind in (None, "label", "edit") else said.kind
        yield Opinion(kind=given, score=score, text=said.text, author=said.author)
