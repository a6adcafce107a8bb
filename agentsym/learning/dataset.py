"""Data sets: rows of one agent, read from JSONL, CSV, Parquet or memory and checked against its fields.

Whatever is wrong with a file is said with file, line and remedy before a single call is paid for.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from agentsym.errors import DataError
from agentsym.learning.protocols import Row
from agentsym.learning.tables import CSV, as_json, from_text, json_type, near, read_table, short
from agentsym.network.canonical import canonical_json, content_hash
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, PromptNode

Source = Path | str | Iterable[Mapping[str, Any] | Row]


class Column(NamedTuple):
    """What a column of the file is for the agent."""

    name: str
    field: Field
    role: Literal["input", "output"]


class Dataset:
    """Reads the rows of one agent: columns named like its inputs and outputs, `id` optional.

    Args:
        network: the agent; it says which fields there are and of which types.
        columns: column of the file → field of the agent (`--map`).
        label: the column that holds the agent's one label (`--label`).
        notice: is told, once for each, of columns that are ignored; by default it is logged as a warning.

    Raises:
        DataError: `columns` or `label` name a field that the agent does not have.
    """

    def __init__(
        self,
        network: Network,
        *,
        columns: Mapping[str, str] | None = None,
        label: str | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        self._inputs = {field.name: field for field in network.inputs}
        self._outputs = {field.name: field for field in network.output_fields()}
        self._labels = choice_labels(network)
        self._agent = network.name
        self._notice = notice or logging.getLogger(__name__).warning
        self._ignored: set[str] = set()
        self._label = label
        self._named = dict(columns or {})
        if label is not None:
            self._named[label] = self._label_field(label)
        known = [*self._inputs, *self._outputs]
        for column, field in self._named.items():
            if field not in known:
                raise DataError(
                    f"--map {column}={field}: agent {self._agent!r} has no such field; {near(field, known)}"
                )
        if twice := [field for field, count in Counter(self._named.values()).items() if count > 1]:
            raise DataError(f"two columns are given for {twice[0]!r} (by --map or --label); give it one")

    def load(self, source: Source) -> tuple[Row, ...]:
        """Read all rows; errors are those of `rows`."""
        return tuple(self.rows(source))

    def rows(self, source: Source) -> Iterator[Row]:
        """Yield the rows of a file (JSONL, CSV, Parquet: by its suffix) or of dictionaries, one by one.

        A row without `id` gets the hash of its content; a label that is empty or null counts as not given.

        Raises:
            DataError: the file cannot be read, or a row does not fit the agent; names file, line and remedy.
        """
        path = Path(source).expanduser() if isinstance(source, str | Path) else None
        is_text = path is not None and path.suffix.lower() in CSV
        records: Iterable[tuple[int, Mapping[str, Any] | Row]]
        if isinstance(source, str | Path):
            records = read_table(Path(source).expanduser(), {*self._inputs, *self._outputs, *self._named, "id"})
        else:
            records = enumerate(source, start=1)
        plans: dict[tuple[str, ...], list[Column]] = {}
        ids: dict[str, str] = {}
        hashes: Counter[str] = Counter()
        for line, record in records:
            where = f"{path}:{line}" if path else f"row {line}"
            if isinstance(record, Row):
                row = record
            else:
                keys = tuple(record)
                if keys not in plans:
                    plans[keys] = self._plan(keys, where)
                inputs, expected = self._values(record, plans[keys], where, is_text)
                row_id = _row_id(record.get("id"), inputs, expected, where, hashes)
                place = f"{path.name}:{line}" if path else f"rows:{line}"
                row = Row(id=row_id, inputs=inputs, expected=expected, source=place)
            if row.id in ids:
                raise DataError(f"{where}: the id {row.id!r} stands at {ids[row.id]} already; ids must differ")
            ids[row.id] = where
            yield row
        if not ids:
            raise DataError(f"{path or 'the data set'} has no rows; it needs at least one")
        columns = dict.fromkeys(key for keys in plans for key in keys)
        for column in self._named:
            if plans and column not in columns:
                raise DataError(f"{path or 'the data set'}: no row has a column {column!r}; {near(column, columns)}")

    def _label_field(self, column: str) -> str:
        """Return the field that `--label` means: the mapped one, its namesake, the only output or choice."""
        if column in self._named:
            return self._named[column]
        choices = [name for name, field in self._outputs.items() if field.type == "choice"]
        for candidates in ([name for name in self._outputs if name == column], list(self._outputs), choices):
            if len(candidates) == 1:
                return candidates[0]
        raise DataError(
            f"--label {column}: agent {self._agent!r} has several outputs ({', '.join(self._outputs)}); "
            f"say which one it is with --map {column}=FIELD"
        )

    def _plan(self, keys: Sequence[str], where: str) -> list[Column]:
        """Say what each column is, tell of those that are ignored, and raise if an input is missing."""
        renamed = {field for column, field in self._named.items() if column in keys}
        plan: list[Column] = []
        ignored: list[str] = []
        for key in keys:
            name = self._named.get(key, "" if key in renamed else key)
            if key != self._label and name in self._inputs:
                plan.append(Column(key, self._inputs[name], "input"))
            elif name in self._outputs:
                plan.append(Column(key, self._outputs[name], "output"))
            elif key != "id":
                ignored.append(key)
        found = {column.field.name for column in plan if column.role == "input"}
        for missing in (name for name in self._inputs if name not in found):
            near = difflib.get_close_matches(missing, ignored, n=1, cutoff=0.5)
            remedy = (
                f"--map {near[0]}={missing} takes it from {near[0]!r}"
                if near
                else f"--map COLUMN={missing} renames one"
            )
            raise DataError(
                f"{where}: the input {missing!r} of agent {self._agent!r} is missing "
                f"(there are: {', '.join(map(repr, keys)) or 'no columns'}); {remedy}"
            )
        for key in ignored:
            if key not in self._ignored:
                self._ignored.add(key)
                file = where.rpartition(":")[0] or "the data"
                self._notice(f"{file}: column {key!r} is ignored, agent {self._agent!r} has no such field")
        return plan

    def _values(
        self, record: Mapping[str, Any], plan: list[Column], where: str, is_text: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return inputs and labels of a row, each of its field's type."""
        inputs: dict[str, Any] = {}
        expected: dict[str, Any] = {}
        for name, field, role in plan:
            value = record[name]
            at = f"{where}: column {name!r}"
            if role == "output" and (value is None or (is_text and value == "")):
                continue
            value = as_json(from_text(value, field, at) if is_text else value, at)
            if not field.accepts(value):
                raise DataError(
                    f"{at}: {short(value)} is {json_type(value)}, but {field.name!r} is of type {field.type}"
                )
            labels = self._labels.get(field.name, ()) if role == "output" and field.type == "choice" else ()
            if labels and value not in labels:
                raise DataError(f"{at}: {value!r} is no label of {field.name!r}; {near(value, labels)}")
            (inputs if role == "input" else expected)[field.name] = value
        return inputs, expected


def _row_id(given: Any, inputs: Any, expected: Any, where: str, hashes: Counter[str]) -> str:
    """Return the row's id; without one, the hash of its content (numbered, if the row comes again)."""
    if given is None or given == "":
        row_id = content_hash({"inputs": inputs, "expected": expected})[:12]
        hashes[row_id] += 1
        return row_id if hashes[row_id] == 1 else f"{row_id}-{hashes[row_id]}"
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise DataError(f"{where}: the id is {json_type(given)}; it must be a string or an integer")
    return str(given)


def choice_labels(network: Network) -> dict[str, tuple[str, ...]]:
    """Return the labels of every choice that a network writes, by field."""
    labels: dict[str, tuple[str, ...]] = {}
    for node in network.nodes:
        if isinstance(node, AgentNode):
            found = choice_labels(node.agent)
        elif isinstance(node, PromptNode):
            names = [field.name for field in node.output if f"choices/{field.name}" in node.parameters]
            found = {name: node.choices(name).labels for name in names}
        else:
            found = {}
        for name, new in found.items():
            labels[name] = tuple(dict.fromkeys((*labels.get(name, ()), *new)))
    return labels


def split(rows: Sequence[Row], fraction: float = 0.2, *, seed: int = 0) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Set a part of the rows aside, stratified by their labels: (what stays, what is set aside).

    Which rows go depends on ids and seed only, not on their order. Each combination of labels gives its
    share, by largest remainder; the only row of a combination always stays. Fields whose values hardly repeat
    (free text) do not count as labels.

    Args:
        rows: at least two.
        fraction: the share to set aside, in (0, 1); at least one row goes.
        seed: another seed sets other rows aside.

    Raises:
        DataError: fewer than two rows, or a fraction outside (0, 1).
    """
    if len(rows) < 2 or not 0.0 < fraction < 1.0:
        raise DataError(
            f"{fraction} of {len(rows)} rows cannot be set aside; give validation rows of their own (--val)"
        )
    strata: dict[str, list[Row]] = defaultdict(list)
    for row, key in zip(rows, _strata(rows), strict=True):
        strata[key].append(row)

    def rank(text: str) -> str:
        return hashlib.sha256(f"{seed}:{text}".encode("utf-8", "surrogatepass")).hexdigest()

    shares = {key: min(int(len(members) * fraction), len(members) - 1) for key, members in strata.items()}
    by_remainder = sorted(strata, key=lambda key: (-(len(strata[key]) * fraction % 1.0), rank(key)))
    missing = max(1, round(len(rows) * fraction)) - sum(shares.values())
    for key in by_remainder:
        if missing > 0 and shares[key] < len(strata[key]) - 1:
            shares[key] += 1
            missing -= 1
    aside = {
        row.id
        for key, members in strata.items()
        for row in sorted(members, key=lambda row: rank(row.id))[: shares[key]]
    }
    return tuple(row for row in rows if row.id not in aside), tuple(row for row in rows if row.id in aside)


def _strata(rows: Sequence[Row]) -> list[str]:
    """Return each row's combination of labels; fields are taken in as long as combinations still repeat."""
    fields = dict.fromkeys(name for row in rows for name in row.expected)
    values = {name: [canonical_json(row.expected.get(name)) for row in rows] for name in fields}
    keys = [""] * len(rows)
    for name in sorted(fields, key=lambda name: len(set(values[name]))):
        finer = [f"{key}\n{value}" for key, value in zip(keys, values[name], strict=True)]
        if len(set(finer)) * 2 > len(rows):
            break
        keys = finer
    return keys


def without_duplicates(train: Sequence[Row], *others: Iterable[Row]) -> tuple[tuple[Row, ...], int]:
    """Return the rows whose inputs stand in none of the other sets, and how many were dropped.

    Inputs are the same if they differ only in case, blanks or the Unicode form of their texts.
    """
    known = {canonical_json(_normalised(row.inputs)) for other in others for row in other}
    kept = tuple(row for row in train if canonical_json(_normalised(row.inputs)) not in known)
    return kept, len(train) - len(kept)


def _normalised(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    if isinstance(value, Mapping):
        return {key: _normalised(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_normalised(item) for item in value]
    return value
