"""The calls of a run under way: written before they are sent, settled with their answer, gone when they are counted."""

import pytest

from agentsym.errors import StoreError
from agentsym.network.records import Usage
from agentsym.store import Store, database
from agentsym.store.place import place_of

MOST = Usage(calls=1, prompt_tokens=900, completion_tokens=4096, estimated=True)
USED = Usage(calls=1, prompt_tokens=200, completion_tokens=5, usd=0.01)


def test_a_call_under_way_stands_with_the_most_it_can_use_and_a_settled_one_with_what_it_did(store: Store) -> None:
    first = store.answers.sent("run", "key 1", "forward", "sort", MOST)
    store.answers.sent("run", "key 2", "gate", "", MOST)
    store.answers.sent("another", "key 1", "forward", "sort", MOST)
    store.answers.settled(first, 7, USED, '{"text": "ja – 好"}')
    one, two = store.answers.calls("run")
    assert one == (7, "key 1", "forward", "sort", USED, '{"text": "ja – 好"}')
    assert two == (None, "key 2", "gate", "", MOST, None)


def test_dropping_takes_what_was_settled_before_an_event_and_nothing_else(store: Store) -> None:
    for seq in (3, 4, 5):
        store.answers.settled(store.answers.sent("run", f"at {seq}", "forward", "", MOST), seq, USED, None)
    store.answers.sent("run", "under way", "forward", "", MOST)
    store.answers.settled(store.answers.sent("another", "key", "forward", "", MOST), 3, USED, None)
    store.answers.drop("run", before=5)
    assert [call.key for call in store.answers.calls("run")] == ["at 5", "under way"]
    assert len(store.answers.calls("another")) == 1


def test_what_nobody_will_settle_any_more_counts_as_all_that_it_could_use(store: Store) -> None:
    store.answers.sent("run", "lost", "forward", "", MOST)
    store.answers.settle_all("run", 9)
    (call,) = store.answers.calls("run")
    assert (call.seq, call.usage, call.reply) == (9, MOST, None)


def test_a_second_process_sees_a_call_before_it_is_answered(place: str, store: Store) -> None:
    store.answers.sent("run", "key", "forward", "", MOST)
    with Store.open(place) as another:
        assert [call.key for call in another.answers.calls("run")] == ["key"]


def test_a_store_from_before_gets_the_table_and_keeps_its_events(place: str) -> None:
    engine, _ = database.database_at(place_of(place)).engines()
    with engine.begin() as connection:
        database.upgrade(connection, "0001")
        connection.exec_driver_sql("INSERT INTO events VALUES (1, 'run', 1, 'note', 'then', '{}')")
    engine.dispose()
    with Store.open(place) as store:
        assert [known.kind for known in store.events("run")] == ["note"]
        store.answers.sent("run", "key", "forward", "", MOST)
        assert len(store.answers.calls("run")) == 1


def test_what_cannot_be_written_is_a_store_error(store: Store) -> None:
    with store._writer.begin() as connection:
        connection.exec_driver_sql("DROP TABLE answers")
    with pytest.raises(StoreError, match=r"no such table|does not exist"):
        store.answers.sent("run", "key", "forward", "", MOST)
