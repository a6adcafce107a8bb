"""Reading files record by record: JSON documents, one JSON value a line, CSV, each of them gzipped too.

Lines are read one after the other, so that a file may be larger than memory; a document that is one JSON value is read
as a whole, as JSON allows nothing else.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from agentsym.deploy.traces.found import Record, Unusable
from agentsym.errors import DataError
from agentsym.learning.tables import near

_GZIP = b"\x1f\x8b"
_CSV = (".csv", ".tsv")
_UNSOUND = re.compile(r"\\u(?:d[89a-f]|0000)", re.IGNORECASE)
_DEEP = "it is nested too deeply"
LONGEST = 64 * 2**20
"""The longest line that is read, in characters; a longer one is no record."""


def records(path: Path) -> Iterator[Record | Unusable]:
    """Yield the records of a file, and what cannot be read of it.

    Raises:
        DataError: there is no such file, or it cannot be opened.
    """
    with _opened(path) as file:
        is_csv = any(suffix.lower() in _CSV for suffix in path.suffixes[-2:])
        found = _csv_records(path, file) if is_csv else _json_records(path, file)
        try:
            yield from found
        except (OSError, EOFError, zlib.error) as error:
            yield Unusable(str(path), f"the file breaks off or is damaged ({error})")


def _opened(path: Path) -> IO[str]:
    if path.is_dir():
        raise DataError(f"{path} is a folder; name the files in it")
    if not path.exists():
        raise DataError(f"{path}: there is no such file; {near(path.name, _beside(path))}")
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP
        stream: Any = (gzip.open if zipped else open)(path, "rb")  # closed with what is returned
        return io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _beside(path: Path) -> list[str]:
    return [other.name for other in path.parent.glob("*") if other.is_file()] if path.parent.is_dir() else []


def _json_records(path: Path, file: IO[str]) -> Iterator[Record | Unusable]:
    """Yield the values of a file: of its lines, or those of one document where its first line is no value by itself."""
    first, number = "", 0
    while not first.strip():
        first, number = file.readline(LONGEST), number + 1
        if not first:
            return
    value = _value(first)
    if isinstance(value, str) and _begins(first):
        yield from _document(path, first + file.read())
        return
    yield from _each(f"{path}:{number}", value)
    while line := file.readline(LONGEST):
        number += 1
        if line.strip():
            yield from _each(f"{path}:{number}", _value(line))


def _begins(line: str) -> bool:
    """Whether a line that is no JSON by itself may be the beginning of some: an open bracket and little else."""
    return line.strip() in ("{", "[", "[{") or line.rstrip()[-1:] in ("{", "[", ",")


def _document(path: Path, text: str) -> Iterator[Record | Unusable]:
    yield from _each(f"{path}:1", _value(text))


def _value(text: str) -> Any:
    """Return a JSON value as a tuple of one, or as a text why it is none."""
    try:
        value = json.loads(text, parse_constant=lambda name: None)
        return (_sound(value) if _UNSOUND.search(text) else value,)
    except RecursionError:
        return f"not valid JSON: {_DEEP}"
    except ValueError as error:
        return f"not valid JSON: {error}"


def _sound(value: Any) -> Any:
    """Return a value without halves of characters and NUL, which JSON can hold and databases refuse."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_sound(name): _sound(item) for name, item in value.items()}
    return [_sound(item) for item in value] if isinstance(value, list) else value


def _each(place: str, value: Any) -> Iterator[Record | Unusable]:
    if isinstance(value, str):
        yield Unusable(place, value)
    elif isinstance(value[0], list):
        for number, item in enumerate(value[0]):
            yield f"{place}[{number}]", item
    else:
        yield place, value[0]


def _csv_records(path: Path, file: IO[str]) -> Iterator[Record | Unusable]:
    """Yield the rows of a table; a cell that holds JSON is read as that."""
    csv.field_size_limit(LONGEST)
    header_line = file.readline()
    delimiter = max(",;\t", key=header_line.count)
    (header,) = list(csv.reader([header_line], delimiter=delimiter)) or [[]]
    reader = csv.reader(file, delimiter=delimiter)
    while True:
        place = f"{path}:{reader.line_num + 2}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Unusable(place, f"not valid CSV: {error}")
            continue
        if cells is None:
            return
        if len(cells) != len(header):
            if cells:
                yield Unusable(place, f"{len(cells)} cells under a header of {len(header)}")
            continue
        yield place, {name: cell_value(cell) for name, cell in zip(header, cells, strict=True)}


def cell_value(cell: Any) -> Any:
    """Return what a text is: the JSON object, list, text or number in it, else the text."""
    if not isinstance(cell, str) or cell.lstrip()[:1] not in ("{", "[", '"'):
        return cell
    value = _value(cell)
    return cell if isinstance(value, str) else value[0]
