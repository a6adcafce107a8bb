"""The audit log: a chain that several processes write, and in which no entry can be changed unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from agentsym.store import Store
from agentsym.store.live.audit import GENESIS, Broken, Entry
from tests.store.live.conftest import Race

COLUMNS = ("at", "actor", "event", "object_id", "details", "prev_hash", "hash")
TRIGGERS = {"sqlite": ("audit_refuse_update", "audit_refuse_delete"), "postgresql": ("audit_append_only",)}


@pytest.fixture
def log(store: Store) -> tuple[Entry, ...]:
    """Five entries, the oldest first."""
    return tuple(store.audit.write("ann", "noted", f"thing {n}", {"number": n}) for n in range(1, 6))


@contextmanager
def tampering(store: Store) -> Iterator[Connection]:
    """A connection of somebody who has taken the triggers away first."""
    with store._writer.begin() as connection:
        for trigger in TRIGGERS[connection.dialect.name]:
            on = " ON audit" if connection.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER {trigger}{on}"))
        yield connection


def test_every_entry_follows_from_the_one_before(store: Store, log: tuple[Entry, ...]) -> None:
    assert store.audit.verify() == log[-1]
    assert [entry.seq for entry in log] == [1, 2, 3, 4, 5]
    assert [entry.prev_hash for entry in log] == [GENESIS, *(entry.hash for entry in log[:-1])]
    for entry in log:  # as README says that anybody can check it
        content = json.dumps(entry.model_dump(exclude={"hash"}), sort_keys=True, ensure_ascii=True)
        assert entry.hash == hashlib.sha256(content.encode()).hexdigest()


def test_an_empty_log_is_sound(store: Store) -> None:
    assert store.audit.verify() is None and not store.audit.holds(GENESIS)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'bob'", "DELETE FROM audit WHERE seq = 5"])
def test_the_database_refuses_to_change_entries(store: Store, log: tuple[Entry, ...], statement: str) -> None:
    with pytest.raises(DBAPIError, match="audit is append-only"), store._writer.begin() as connection:
        connection.execute(text(statement))
    assert store.audit.verify() == log[-1]


@pytest.mark.parametrize("column", COLUMNS)
def test_any_flipped_byte_names_its_entry(store: Store, log: tuple[Entry, ...], column: str) -> None:
    value = getattr(log[2], column)
    set_it = text(f"UPDATE audit SET {column} = :value WHERE seq = 3")
    with tampering(store):
        pass
    for place in range(len(value)):
        with store._writer.begin() as connection:
            changed = value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
            connection.execute(set_it, {"value": changed})
        found = store.audit.verify()
        assert isinstance(found, Broken) and found.seq == 3, (column, place)
    with store._writer.begin() as connection:
        connection.execute(set_it, {"value": value})
    assert store.audit.verify() == log[-1]


@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.parametrize("bit", [1, 2, 4, 8, 64, 1 << 30])
def test_a_flipped_bit_in_a_number_names_the_entry(store: Store, log: tuple[Entry, ...], number: int, bit: int) -> None:
    with tampering(store) as connection:
        if number ^ bit in range(1, 6):
            connection.execute(text("UPDATE audit SET seq = 100 WHERE seq = :there"), {"there": number ^ bit})
        connection.execute(text("UPDATE audit SET seq = :to WHERE seq = :of"), {"of": number, "to": number ^ bit})
    found = store.audit.verify()
    assert isinstance(found, Broken) and found.seq in (number, number ^ bit)


@pytest.mark.parametrize("number", range(1, 5))
def test_an_entry_that_was_taken_out_is_missed(store: Store, log: tuple[Entry, ...], number: int) -> None:
    with tampering(store) as connection:
        connection.execute(text("DELETE FROM audit WHERE seq = :number"), {"number": number})
    assert store.audit.verify() == Broken(seq=number, problem=f"it is missing; {number + 1} comes next")


def test_entries_that_were_cut_off_at_the_end_are_missed_by_their_hash(store: Store, log: tuple[Entry, ...]) -> None:
    assert store.audit.holds(log[-1].hash)
    with tampering(store) as connection:
        connection.execute(text("DELETE FROM audit WHERE seq = 5"))
    assert store.audit.verify() == log[3] and not store.audit.holds(log[-1].hash)


def test_two_entries_that_changed_places_are_seen(store: Store, log: tuple[Entry, ...]) -> None:
    with tampering(store) as connection:
        for here, there in ((2, 100), (3, 2), (100, 3)):
            connection.execute(text("UPDATE audit SET seq = :there WHERE seq = :here"), {"here": here, "there": there})
    found = store.audit.verify()
    assert found == Broken(seq=2, problem="it does not follow from the entry before")


@pytest.mark.parametrize("number", [-3, 0])
def test_an_entry_put_in_before_the_first_is_seen(store: Store, log: tuple[Entry, ...], number: int) -> None:
    inserted(store, log[0].model_copy(update={"seq": number, "actor": "mallory"}))
    assert store.audit.verify() == Broken(seq=number, problem="there is no such number in a log that begins with 1")


def test_an_entry_put_in_between_with_a_hash_of_its_own_is_seen(store: Store, log: tuple[Entry, ...]) -> None:
    with tampering(store) as connection:
        connection.execute(text("UPDATE audit SET seq = seq + 100 WHERE seq > 2"))
        connection.execute(text("UPDATE audit SET seq = seq - 99 WHERE seq > 100"))
    content = log[1].model_copy(update={"seq": 3, "actor": "mallory", "prev_hash": log[1].hash})
    plain = json.dumps(content.model_dump(exclude={"hash"}), sort_keys=True, ensure_ascii=True)
    inserted(store, content.model_copy(update={"hash": hashlib.sha256(plain.encode()).hexdigest()}))
    assert store.audit.verify() == Broken(seq=4, problem="it does not follow from the entry before")


def inserted(store: Store, entry: Entry) -> None:
    names = ", ".join(entry.model_dump())
    values = ", ".join(f":{name}" for name in entry.model_dump())
    with store._writer.begin() as connection:
        connection.execute(text(f"INSERT INTO audit ({names}) VALUES ({values})"), entry.model_dump())


@pytest.mark.parametrize("value", ["CAST(x'ff' AS TEXT)", "x'616e6e'", "CAST(x'616e6eff' AS TEXT)"])
@pytest.mark.parametrize("column", COLUMNS)
def test_bytes_that_are_no_text_are_named_too(store: Store, log: tuple[Entry, ...], column: str, value: str) -> None:
    if store._writer.dialect.name != "sqlite":
        pytest.skip("PostgreSQL holds only texts in a column of texts")
    with tampering(store) as connection:
        connection.execute(text(f"UPDATE audit SET {column} = {value} WHERE seq = 3"))
    found = store.audit.verify()
    assert isinstance(found, Broken) and found.seq == 3


def test_four_processes_write_one_chain(store: Store, race: Race) -> None:
    assert race("write", 4) == ["written"] * 4
    last = store.audit.verify()
    assert isinstance(last, Entry) and last.seq == 200
    entries = store.audit.entries(most=1000)
    assert len({entry.hash for entry in entries}) == 200
    for number in range(4):
        mine = [entry.data()["number"] for entry in entries[::-1] if entry.actor == f"process {number}"]
        assert mine == list(range(50))


def test_a_log_of_many_pages_is_walked_to_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsym.store.live.audit.PAGE", 3)
    for length in range(1, 8):
        written = store.audit.write("ann", "noted", "x", {})
        assert written.seq == length and store.audit.verify() == written
    with tampering(store) as connection:
        connection.execute(text("UPDATE audit SET actor = 'bob' WHERE seq = 7"))
    assert store.audit.verify() == Broken(seq=7, problem="its content is not what was hashed when it was written")


def test_entries_are_found_by_object_and_page(store: Store, log: tuple[Entry, ...]) -> None:
    again = store.audit.write("bob", "seen", "thing 2", {"at": {"nested": [1, None]}})
    assert store.audit.entries(object_id="thing 2") == (again, log[1])
    assert store.audit.entries(most=2) == (again, log[4])
    assert store.audit.entries(before=5, most=2) == (log[3], log[2])
    assert store.audit.last("noted", "thing 2") == log[1] and store.audit.last("noted", "other") is None
    assert again.data() == {"at": {"nested": [1, None]}}


@pytest.mark.parametrize("odd", ["nul \0", "half \ud83d", "\ufdd00000"])
def test_no_character_breaks_the_chain(store: Store, odd: str) -> None:
    written = store.audit.write(odd, odd, odd, {odd: [odd, float("nan")]})
    assert store.audit.entries() == (written,) and store.audit.verify() == written
    assert written.data()[odd][0] == odd
