"""The demo's messages all differ, its sets do not leak into one another, and a due time follows from every row."""

import importlib.util
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import chain, product
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIELDS = ["id", "message", "arrived", "intent", "urgency"]
Row = dict[str, str]


@pytest.fixture(scope="module")
def sets() -> dict[str, list[Row]]:
    folder = ROOT / "pipelines" / "support_triage" / "data"
    return {
        name: [json.loads(line) for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()]
        for name in ("train", "val", "test")
    }


@pytest.fixture(scope="module")
def rows(sets: dict[str, list[Row]]) -> list[Row]:
    return list(chain.from_iterable(sets.values()))


@pytest.fixture(scope="module")
def deadline() -> Callable[[str, str], str]:
    spec = importlib.util.spec_from_file_location("deadline", ROOT / "tools" / "deadline.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.deadline


def words(text: str) -> list[str]:
    return re.findall(r"\w+(?:'\w+)*", text.lower())


def grams(text: str) -> frozenset[str]:
    text = " ".join(words(text))
    return frozenset(text[i : i + 3] for i in range(len(text) - 2))


def test_every_row_has_the_same_fields_all_filled(rows: list[Row]) -> None:
    assert all(list(row) == FIELDS for row in rows)
    assert all(value and value == value.strip() for row in rows for value in row.values())


def test_ids_are_unique(rows: list[Row]) -> None:
    assert len({row["id"] for row in rows}) == len(rows)


def test_there_are_enough_messages_and_intents(rows: list[Row]) -> None:
    assert len(rows) >= 400
    assert len({row["intent"] for row in rows}) >= 12


def test_every_set_has_every_label_and_intents_in_even_shares(sets: dict[str, list[Row]]) -> None:
    everything = list(chain.from_iterable(sets.values()))
    for part in sets.values():
        for field in ("intent", "urgency"):
            assert {row[field] for row in part} == {row[field] for row in everything}
        shares = Counter(row["intent"] for row in part).values()
        assert max(shares) <= 1.5 * min(shares)


def test_the_intent_does_not_tell_the_urgency(rows: list[Row]) -> None:
    pairs = Counter((row["intent"], row["urgency"]) for row in rows)
    intents, levels = ({row[field] for row in rows} for field in ("intent", "urgency"))
    assert all(pairs[pair] >= 5 for pair in product(intents, levels))


def test_no_message_stands_twice(rows: list[Row]) -> None:
    assert len({tuple(words(row["message"])) for row in rows}) == len(rows)


def test_messages_are_as_long_as_people_write_them(rows: list[Row]) -> None:
    assert all(6 <= len(row["message"].split()) <= 45 for row in rows)


def test_no_five_words_in_a_row_stand_in_more_than_three_messages(rows: list[Row]) -> None:
    seen: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        tokens = words(row["message"])
        seen.update({tuple(tokens[i : i + 5]) for i in range(len(tokens) - 4)})
    assert [run for run, count in seen.items() if count > 3] == []


@pytest.mark.parametrize(("seen", "unseen"), [("train", "val"), ("train", "test"), ("val", "test")])
def test_no_message_is_nearly_one_of_an_earlier_set(sets: dict[str, list[Row]], seen: str, unseen: str) -> None:
    known = [(row["id"], grams(row["message"])) for row in sets[seen]]
    for row in sets[unseen]:
        mine = grams(row["message"])
        near = [name for name, theirs in known if len(mine & theirs) > 0.8 * len(mine | theirs)]
        assert not near, f"{row['id']} is nearly {near}"


def test_arrivals_spread_over_one_year_and_over_all_hours(rows: list[Row]) -> None:
    times = [datetime.strptime(row["arrived"], "%Y-%m-%dT%H:%M") for row in rows]
    assert {time.year for time in times} == {2026}
    assert {time.month for time in times} == set(range(1, 13))
    assert {time.weekday() for time in times} == set(range(7))
    assert sum(not 8 <= time.hour < 18 for time in times) > len(times) / 10


def test_due_follows_from_urgency_and_arrival(rows: list[Row], deadline: Callable[[str, str], str]) -> None:
    for row in rows:
        arrived = datetime.fromisoformat(row["arrived"])
        due = datetime.fromisoformat(deadline(row["urgency"], row["arrived"]))
        days = (due - arrived).total_seconds() / 86400
        longest = {"now": 1 / 24, "today": 4, "this_week": 8}[row["urgency"]]
        assert 0 < days < longest + 1e-9
        assert row["urgency"] == "now" or due.weekday() < 5
