"""A session is known by its cookie only, and ends in time, when it is ended, and with its token."""

from __future__ import annotations

import pytest

from agentsym.store.live import sessions
from agentsym.store.store import Store


def test_a_session_is_found_by_its_secret_and_by_nothing_else(store: Store) -> None:
    token = store.tokens.create("ana", ("admin",), actor="test").token
    begun = store.sessions.begin(token)
    assert store.sessions.find(begun.secret) == begun.session and begun.session.token == token
    for wrong in ("", begun.secret + "x", begun.session.form_key, "é\udc80"):
        assert store.sessions.find(wrong) is None
    with store._engine.connect() as connection:
        held = str(connection.exec_driver_sql("SELECT * FROM sessions").all())
    assert begun.secret not in held and begun.session.form_key not in held
    assert store.audit.entries(most=1)[0].event == "signed in"


def test_a_session_ends_for_good(store: Store) -> None:
    token = store.tokens.create("ana", ("admin",), actor="test").token
    begun, other = store.sessions.begin(token), store.sessions.begin(token)
    store.sessions.end(begun.secret)
    assert store.sessions.find(begun.secret) is None and store.sessions.find(other.secret) is not None
    store.tokens.revoke(token.id, actor="test")
    assert store.sessions.find(other.secret) is None


def test_a_session_ends_in_time_and_is_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    token = store.tokens.create("ana", ("admin",), actor="test").token
    monkeypatch.setattr(sessions, "HOURS", -1)
    begun = store.sessions.begin(token)
    assert store.sessions.find(begun.secret) is None
    store.sessions.begin(token)
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sessions").scalar() == 1


def test_a_session_lasts_no_longer_than_a_token_that_expires(store: Store) -> None:
    token = store.tokens.create("ana", ("admin",), actor="test", days=1e-9).token
    assert store.sessions.find(store.sessions.begin(token).secret) is None
