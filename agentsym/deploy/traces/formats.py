"""The formats by name, and which of them a file is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agentsym.deploy.traces import langfuse, mlflow, otlp, plain
from agentsym.deploy.traces.found import Format, Found, Piece


class Reader(NamedTuple):
    """How one format is read.

    Attributes:
        knows: whether a record is in it.
        pieces: (place, record) → the pieces in it, each with its place.
        piece: (place, piece) → what it is and of which trace; raises ValueError where it is nothing.
        traces: (trace id, its pieces) → the runs that they tell of.
    """

    knows: Callable[[Any], bool]
    pieces: Callable[[str, Any], Iterator[Any]]
    piece: Callable[[str, Any], Piece]
    traces: Callable[[str, Sequence[Piece]], Iterator[Found]]


FORMATS: Mapping[Format, Reader] = {
    "otlp": Reader(otlp.is_otlp, otlp.pieces, otlp.piece, otlp.traces),
    "mlflow": Reader(mlflow.is_mlflow, mlflow.pieces, mlflow.piece, mlflow.traces),
    "langfuse": Reader(langfuse.is_langfuse, langfuse.pieces, langfuse.piece, langfuse.traces),
    "jsonl": Reader(plain.is_plain, plain.pieces, plain.piece, plain.traces),
}
"""In the order in which a record is asked what it is: the plain one takes all objects."""


def format_of(record: Any) -> Format | None:
    """Return the format of a record; None where it is in none."""
    return next((name for name, reader in FORMATS.items() if reader.knows(record)), None)
