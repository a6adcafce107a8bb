"""Files of rows and their cells: JSONL, CSV and Parquet, read line by line into plain JSON values.

Nothing here knows of agents; `dataset.py` checks what is read against one.
"""

from __future__ import annotations

import csv
import difflib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from agentsym.errors import DataError
from agentsym.network.fields import Field
from agentsym.network.shown import cut

Records = Iterator[tuple[int, dict[str, Any]]]

JSONL = (".jsonl", ".ndjson", ".json")
CSV = (".csv", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")
DELIMITERS = ",;\t|"
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_table(path: Path, known: Iterable[str]) -> Records:
    """Yield (line, cells by column) of a file; its suffix says of which kind it is.

    Args:
        path: the file.
        known: names of the columns that are looked for.

    Raises:
        DataError: there is no such file, or it cannot be read; names file, line and remedy.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a file in it")
    if not path.exists():
        kinds = {*JSONL, *CSV, *PARQUET} - {".txt"}  # most texts are no tables
        there = [other.name for other in path.parent.glob("*") if other.suffix.lower() in kinds]
        beside = near(path.name, there) if there else f"no data lies in {path.parent.absolute()}"
        raise DataError(f"{path}: there is no such file; {beside}")
    match path.suffix.lower():
        case suffix if suffix in JSONL:
            return read_jsonl(path)
        case suffix if suffix in CSV:
            return read_csv(path, known)
        case suffix if suffix in PARQUET:
            return read_parquet(path, known)
    raise DataError(f"{path}: not a known kind of file; it must end in {', '.join(JSONL + CSV + PARQUET)}")


def read_jsonl(path: Path) -> Records:
    """Yield (line, object) for each line of a JSONL file; blank lines are skipped."""
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_no_constant)
        except ValueError as error:
            whole = " (a JSON array? one object a line is wanted: jq -c '.[]' turns it into that)"
            hint = whole if number == 1 and line.lstrip()[:1] == "[" else ""
            raise DataError(f"{path}:{number}: not valid JSON: {error}{hint}") from error
        if not isinstance(value, dict):
            raise DataError(f'{path}:{number}: a row must be an object like {{"message": "…"}}, not {json_type(value)}')
        yield number, value


def read_csv(path: Path, known: Iterable[str]) -> Records:
    """Yield (line, cells by column) of a CSV file; the delimiter is the one that fits its header.

    Args:
        path: the file; quoted cells may hold line breaks, a byte order mark is skipped.
        known: names of columns that are looked for; they tell the delimiter.
    """
    lines = _lines(path)
    first = next(((number, line) for number, line in lines if line.strip()), None)
    if first is None:
        return
    offset, header_line = first
    delimiter = _delimiter(header_line, set(known))
    reader = csv.reader((line for _, line in chain([first], lines)), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    start = offset
    try:
        for cells in reader:
            at, start = start, offset + reader.line_num
            if header is None:
                header = [cell.strip() for cell in cells]
                if twice := [name for name, count in Counter(header).items() if count > 1]:
                    raise DataError(f"{path}:{at}: two columns are called {twice[0]!r}; rename one")
            elif len(cells) == len(header):
                yield at, dict(zip(header, cells, strict=True))
            elif cells:
                raise DataError(
                    f"{path}:{at}: {len(cells)} cells under a header of {len(header)} ({', '.join(header)}); "
                    f"a cell that holds {delimiter!r} must stand in double quotes"
                )
    except csv.Error as error:
        raise DataError(f"{path}:{start}: not valid CSV: {error}; is a double quote left open?") from error


def read_parquet(path: Path, known: Iterable[str]) -> Records:
    """Yield (row, cells by column) of a Parquet file, batch by batch; of unknown columns the names only."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DataError(f"{path}: Parquet needs pyarrow; install it with: pip install 'agentsym[data]'") from error
    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name in set(known)]
            rest = dict.fromkeys(name for name in file.schema_arrow.names if name not in names)
            number = 0
            for batch in file.iter_batches(batch_size=1024, columns=names):
                for record in batch.to_pylist():
                    number += 1
                    yield number, {**record, **rest}
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet file that can be read ({error})") from error


def from_text(text: str, field: Field, at: str) -> Any:
    """Turn a cell of a CSV file into a value of the field's type; `at` names the cell in errors."""
    cell = text.strip()
    match field.type:
        case "integer" if re.fullmatch(r"[+-]?\d+", cell):
            return int(cell)
        case "number" if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", cell):
            return float(cell) if re.search(r"[.eE]", cell) else int(cell)
        case "boolean" if cell.lower() in BOOLEANS:
            return BOOLEANS[cell.lower()]
        case "list" | "object":
            try:
                return json.loads(cell, parse_constant=_no_constant)
            except ValueError as error:
                raise DataError(f"{at}: {short(text)} is no JSON {field.type} ({error})") from error
        case "string" | "choice" | "any":
            return text
    hint = {"number": " (decimals take a point)", "boolean": " (write true or false)"}.get(field.type, "")
    raise DataError(f"{at}: {short(text)} is no {field.type}{hint}")


def as_json(value: Any, at: str) -> Any:
    """Return a value from Parquet or memory as plain JSON: dates as ISO texts, decimals as numbers."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{at}: {value} is not a number that JSON knows; leave the cell empty, or drop the row")
    if isinstance(value, Mapping):
        return {str(key): as_json(item, at) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item, at) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise DataError(
        f"{at}: {short(value)} is {json_type(value)}, which JSON does not know; turn it into a text or number"
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of a UTF-8 file; only line feeds end a line, and a byte order mark is skipped."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if number == 1:
                    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                        raise DataError(f"{path}: this is UTF-16; save it as UTF-8 (iconv -f utf-16 -t utf-8)")
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                try:
                    yield number, raw.decode()
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{path}:{number}: not UTF-8 (byte {error.start + 1} is 0x{raw[error.start]:02x}); "
                        "save the file as UTF-8 (from Western Windows: iconv -f cp1252 -t utf-8)"
                    ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _delimiter(header: str, known: set[str]) -> str:
    """Return the delimiter that finds the most known columns in a header, then the most columns at all."""

    def fit(delimiter: str) -> tuple[int, int]:
        names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
        return len(known.intersection(names)), len(names)

    return max(DELIMITERS, key=fit)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; leave the field out, or write null")


def near(name: str, known: Iterable[str]) -> str:
    """Return the remedy for a name that is not known: the closest ones, or all of them."""
    names = list(known)
    if close := difflib.get_close_matches(name, names, n=3):
        return f"did you mean {' or '.join(map(repr, close))}?"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"there are: {', '.join(map(repr, names[:20]))}{more}" if names else "there are none"


def short(value: Any) -> str:
    """Return a value as it is shown in an error, at most 80 characters."""
    return cut(repr(value), 80)


def json_type(value: Any) -> str:
    """Return what people call a value's type."""
    if value is None:
        return "null"
    names = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), f"a Python {type(value).__name__}")
