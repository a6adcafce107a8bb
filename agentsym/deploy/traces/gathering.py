"""Gathering what belongs together: the pieces of a trace may stand anywhere in the files.

A thousand traces are open at a time; the one that has had no piece for longest is closed for the next, so a file of any
length is read in the same memory.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentsym.deploy.traces.formats import FORMATS, Reader, format_of
from agentsym.deploy.traces.found import Format, Found, Opinion, Piece, Unusable
from agentsym.deploy.traces.langfuse import is_score
from agentsym.deploy.traces.reading import records

OPEN = 1000


def traces(paths: Sequence[Path], format: Format | None = None) -> Iterator[Found | Unusable]:
    """Yield the traces in some files, and what cannot be read of them.

    Args:
        paths: the files; scores may lie in files of their own.
        format: the format of all of them; None finds it out for each.

    Raises:
        DataError: a file is not there, or cannot be opened.
    """
    gathering = _Gathering()
    for path in sorted(paths, key=lambda path: not _holds_scores(path)):  # what was said of a trace, before the trace
        reader = None if format is None else FORMATS[format]
        gathering.begin_file()
        for record in records(path):
            if isinstance(record, Unusable):
                yield record
                continue
            place, data = record
            if reader is None and (name := format_of(data)) is not None:
                reader = FORMATS[name]
            if reader is None:
                yield Unusable(place, "this is no object, and no trace in any known format")
                continue
            yield from gathering.add(reader, place, data)
    yield from gathering.rest()


def _holds_scores(path: Path) -> bool:
    first = next(iter(islice(records(path), 1)), None)
    return first is not None and not isinstance(first, Unusable) and isinstance(first[1], dict) and is_score(first[1])


class _Gathering:
    """The open traces, and those that were closed."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, tuple[Reader, list[Piece]]] = OrderedDict()
        self._said: defaultdict[str, list[Piece]] = defaultdict(list)
        self._closed: set[int] = set()
        self._alone: Counter[int] = Counter()

    def begin_file(self) -> None:
        """Count equal pieces that stand alone anew: another file may hold the same ones once more."""
        self._alone.clear()

    def add(self, reader: Reader, place: str, data: Any) -> Iterator[Found | Unusable]:
        """Take in a record, and yield what is closed for it."""
        for at, part in reader.pieces(place, data):
            try:
                piece = reader.piece(at, part)
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                yield Unusable(at, _why(error))
                continue
            if piece.alone:
                piece = self._numbered(piece)
            if piece.alone and (piece.trace in self._open or hash(piece.trace) in self._closed):
                yield Unusable(at, "another file holds the same row")
            elif hash(piece.trace) in self._closed:
                yield Unusable(at, f"trace {piece.trace} was complete {OPEN} traces ago; sort the file by trace")
            elif isinstance(piece.data, Opinion):
                self._said[piece.trace].append(piece)
            else:
                self._open.setdefault(piece.trace, (reader, []))[1].append(piece)
                self._open.move_to_end(piece.trace)
        while len(self._open) > OPEN:
            yield from self._close(next(iter(self._open)))

    def _numbered(self, piece: Piece) -> Piece:
        """Tell equal pieces of a file apart by their number."""
        self._alone[hash(piece.trace)] += 1
        number = self._alone[hash(piece.trace)]
        return piece if number == 1 else piece._replace(trace=f"{piece.trace}-{number}")

    def rest(self) -> Iterator[Found | Unusable]:
        """Close all that is open; opinions of traces that never came are told."""
        for trace in list(self._open):
            yield from self._close(trace)
        for trace, pieces in self._said.items():
            yield from (Unusable(piece.place, f"a score of trace {trace}, which is in no file") for piece in pieces)

    def _close(self, trace: str) -> Iterator[Found | Unusable]:
        reader, pieces = self._open.pop(trace)
        self._closed.add(hash(trace))
        try:
            yield from list(reader.traces(trace, [*pieces, *self._said.pop(trace, [])]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            yield Unusable(pieces[0].place, _why(error))


def _why(error: Exception) -> str:
    """Say in one line why something cannot be read; values are left out, as they may be somebody's."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the record"
        return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    return str(error) or type(error).__name__
