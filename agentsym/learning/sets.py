"""The rows of a run: train, validation, test and must-pass, read, parted and freed of duplicates.

What was done to them on the way (a split, dropped duplicates, ignored columns) is told in notices, since it decides
what the final figures mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from agentsym.learning.dataset import Dataset, Source, split, without_duplicates
from agentsym.learning.metrics import place
from agentsym.learning.protocols import Row
from agentsym.network.network import Network

HELD_OUT = 0.2
SMALL_VALIDATION = 50


class Sets(NamedTuple):
    """The rows of a run, and what was done to get them."""

    train: tuple[Row, ...]
    val: tuple[Row, ...] = ()
    test: tuple[Row, ...] = ()
    must_pass: tuple[Row, ...] = ()
    notices: tuple[str, ...] = ()

    def all(self) -> Iterator[tuple[str, tuple[Row, ...]]]:
        """Yield (name, rows) of each set."""
        yield from (
            ("train", self.train),
            ("val", self.val),
            ("test", self.test),
            ("must_pass", self.must_pass),
        )


def open_sets(
    network: Network,
    train: Source,
    *,
    val: Source | None = None,
    test: Source | None = None,
    must_pass: Source | None = None,
    columns: Mapping[str, str] | None = None,
    label: str | None = None,
    seed: int = 0,
) -> Sets:
    """Read all sets of a run; without `val` (None) a seeded stratified fifth of train is set apart.

    Raises:
        DataError: a file or row cannot be used.
    """
    notices: list[str] = []
    dataset = Dataset(network, columns=columns, label=label, notice=notices.append)
    held = {name: _load(dataset, source) for name, source in (("val", val), ("test", test), ("must_pass", must_pass))}
    rows, dropped = without_duplicates(dataset.load(train), *held.values())
    if dropped:
        what = (
            "row of train was dropped, since it stands"
            if dropped == 1
            else "rows of train were dropped, since they stand"
        )
        notices.append(f"{dropped} {what} in another set too")
    if val is None:
        rows, held["val"] = split(rows, fraction=HELD_OUT, seed=seed)
        notices.append(
            f"no validation set was given: {len(held['val'])} of {len(rows) + len(held['val'])} rows are set apart"
        )
    if 0 < len(held["val"]) < SMALL_VALIDATION:
        size = f"{len(held['val'])} row{'s' * (len(held['val']) > 1)}"
        notices.append(f"validation has only {size}; below {SMALL_VALIDATION} a gate is easily fooled")
    sets = Sets(rows, held["val"], held["test"], held["must_pass"])
    return sets._replace(notices=(*notices, *unlabeled(sets.all())))


def unlabeled(sets: Iterable[tuple[str, Sequence[Row]]]) -> Iterator[str]:
    """Tell of each label that stands in some of the rows and is missing in others."""
    named = dict(sets)
    fields = dict.fromkeys(field for rows in named.values() for row in rows for field in row.expected)
    for name, rows in named.items():
        for field in fields:
            if bare := [row for row in rows if field not in row.expected]:
                yield (
                    f"{len(bare)} of {len(rows)} rows of {name} have no label {field!r}, first {place(bare[0])}; exact "
                    "and f1 compare what is labeled, and leave a row without any label to the teacher (the embedded "
                    "one gives it 0)"
                )


def _load(dataset: Dataset, source: Source | None) -> tuple[Row, ...]:
    return dataset.load(source) if source is not None and source != () else ()
