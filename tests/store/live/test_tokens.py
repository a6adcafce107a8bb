"""Tokens: only the one who has the secret gets in, and the secret is nowhere else."""

from __future__ import annotations

import logging
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from agentsym.errors import ConflictError, UsageError
from agentsym.store import Store
from agentsym.store.live import tokens as module
from agentsym.store.live.audit import Entry


def test_a_token_opens_what_its_scopes_say(store: Store) -> None:
    made = store.tokens.create(" phone ", ("invoke", "feedback", "invoke"), actor="ann")
    found = store.tokens.check(made.secret)
    assert found == made.token and found.name == "phone" and found.scopes == ("invoke", "feedback")
    assert found.may("invoke") and found.may("feedback") and not found.may("admin")
    admin = store.tokens.check(store.tokens.create("boss", ("admin",), actor="ann").secret)
    assert admin is not None and all(admin.may(scope) for scope in module.SCOPES)


def changed(secret: str) -> list[str]:
    """Texts that are almost the secret."""
    prefix, token_id, rest = secret.split("_", 2)
    flipped = [secret[:place] + chr(ord(each) ^ 1) + secret[place + 1 :] for place, each in enumerate(secret)]
    return [
        *flipped, secret[:-1], secret + "A", secret + "\0", f" {secret}", f"{secret}\n", secret.upper(), "", "_", "__",
        prefix, f"{prefix}_{token_id}", f"{prefix}_{token_id}_", f"{prefix}__{rest}", f"{token_id}_{rest}", rest,
        f"{prefix}_{token_id}_{rest}_", f"{prefix}_%_{rest}", f"{prefix}_{token_id}\0_{rest}",
        f"{prefix}_' OR 1=1 --_{rest}", f"{secret}é", f"{secret}\ud83d", secret.replace("a", "а"),  # noqa: RUF001
        module._hash(secret), f"{prefix}_{token_id}_{module._hash(secret)}",
    ]  # fmt: skip


def test_what_is_almost_the_secret_opens_nothing(store: Store) -> None:
    made = store.tokens.create("phone", ("admin",), actor="ann")
    for wrong in changed(made.secret):
        assert wrong == made.secret or store.tokens.check(wrong) is None, wrong
    other = store.tokens.create("other", ("admin",), actor="ann")
    mixed = f"agentsym_{other.token.id}_{made.secret.split('_', 2)[2]}"
    assert store.tokens.check(mixed) is None


def test_a_token_of_another_store_opens_nothing(store: Store, tmp_path: Any) -> None:
    store.tokens.create("phone", ("admin",), actor="ann")
    with Store.open(tmp_path / "other.db") as other:
        assert store.tokens.check(other.tokens.create("phone", ("admin",), actor="ann").secret) is None


def test_an_expired_token_opens_nothing(store: Store) -> None:
    made = store.tokens.create("phone", ("invoke",), actor="ann", days=0.5 / 86400)
    assert store.tokens.check(made.secret) is not None
    time.sleep(0.6)
    assert store.tokens.check(made.secret) is None
    long = store.tokens.create("phone", ("invoke",), actor="ann", days=30).token
    assert long.expires is not None
    assert datetime.fromisoformat(long.expires) - datetime.fromisoformat(long.created) == timedelta(days=30)


def test_a_token_ends_in_the_very_moment_that_it_names(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = store.tokens.create("phone", ("invoke",), actor="ann", days=1)
    assert made.token.expires is not None
    end = datetime.fromisoformat(made.token.expires)

    class Clock(datetime):
        moment = end

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls.moment

    monkeypatch.setattr(module, "datetime", Clock)
    assert store.tokens.check(made.secret) is None
    Clock.moment = end - timedelta(microseconds=1)
    assert store.tokens.check(made.secret) == made.token


def test_a_revoked_token_opens_nothing_and_stays_known(store: Store) -> None:
    made = store.tokens.create("phone", ("invoke",), actor="ann")
    store.tokens.revoke("phone", actor="bob")
    assert store.tokens.check(made.secret) is None
    (known,) = store.tokens.all()
    assert known.revoked is not None and datetime.fromisoformat(known.revoked) <= datetime.now(UTC)
    with pytest.raises(UsageError, match=r"there is no good token 'phone'; `agentsym tokens list` shows"):
        store.tokens.revoke("phone", actor="bob")
    assert [(entry.event, entry.actor) for entry in store.audit.entries()] == [
        ("token revoked", "bob"),
        ("token created", "ann"),
    ]


def test_of_two_who_revoke_a_token_at_once_one_does(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = store.tokens.create("phone", ("invoke",), actor="ann")
    seen = store.tokens.all()
    store.tokens.revoke(made.token.id, actor="bob")
    revoked = store.tokens.all()
    monkeypatch.setattr(module.Tokens, "all", lambda _: seen)  # as it was when the second one looked
    with pytest.raises(ConflictError, match="has been revoked meanwhile"):
        store.tokens.revoke("phone", actor="cid")
    monkeypatch.undo()
    assert store.tokens.all() == revoked
    assert [entry.actor for entry in store.audit.entries()] == ["bob", "ann"]


def test_one_of_several_of_a_name_is_revoked_by_its_id(store: Store) -> None:
    first, second = (store.tokens.create("phone", ("invoke",), actor="ann") for _ in range(2))
    with pytest.raises(UsageError, match="several tokens are called 'phone'"):
        store.tokens.revoke("phone", actor="ann")
    store.tokens.revoke(first.token.id, actor="ann")
    assert store.tokens.check(first.secret) is None and store.tokens.check(second.secret) == second.token
    assert [token.id for token in store.tokens.all()] == [second.token.id, first.token.id]


@pytest.mark.parametrize(
    ("name", "scopes", "days", "words"),
    [
        ("", ("invoke",), None, "needs a name of one line"),
        ("  ", ("invoke",), None, "needs a name of one line"),
        ("a\nINFO all is well", ("invoke",), None, "needs a name of one line"),
        ("a\x1b[2J", ("invoke",), None, "needs a name of one line"),
        ("a", (), None, "a token without a scope may do nothing; scopes are invoke, feedback, admin"),
        ("a", ("root", "invoke"), None, "there is no scope root; scopes are"),
        ("a", ("invoke",), 0, "up to 36500 days, not for 0"),
        ("a", ("invoke",), -1, "not for -1"),
        ("a", ("invoke",), 1e12, "not for 1e"),
        ("a", ("invoke",), float("nan"), "not for nan"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(
    store: Store, name: str, scopes: Any, days: float | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        store.tokens.create(name, scopes, actor="ann", days=days)
    assert store.tokens.all() == () and store.audit.entries() == ()


def test_a_name_may_be_written_in_any_script(store: Store) -> None:
    made = store.tokens.create("Ännchen 手机 😀", ("invoke",), actor="ann")
    assert store.tokens.check(made.secret) == made.token


def test_the_secret_is_nowhere_but_in_the_hand_of_who_made_it(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = store.tokens.create("phone", ("invoke",), actor="ann")
    store.tokens.check(made.secret)
    store.tokens.check(made.secret + "x")
    store.tokens.revoke("phone", actor="ann")
    hidden = made.secret.split("_", 2)[2]
    seen = [repr(made), str(made), f"{made}", repr(store.tokens.all()), repr(store.audit.entries()), caplog.text]
    assert not any(hidden in each for each in seen)
    assert hidden not in everything(store)
    assert isinstance(store.audit.verify(), Entry)


def everything(store: Store) -> str:
    """All that the database holds of this test, as text."""
    if store._writer.dialect.name == "sqlite":
        with sqlite3.connect(str(store.path)) as connection:
            dump = "\n".join(connection.iterdump())
        connection.close()
        return dump
    with store._engine.begin() as connection:
        rows = [*connection.execute(text("SELECT * FROM tokens")), *connection.execute(text("SELECT * FROM audit"))]
    assert len(rows) == 3
    return str(rows)
