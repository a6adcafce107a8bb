"""A store is named by a path or a URL, and no password is ever shown."""

from pathlib import Path

import pytest

from agentsym.errors import UsageError
from agentsym.store import Store, default_place
from agentsym.store.place import Server, place_of

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("store", "path"),
    [
        ("runs/a.db", "runs/a.db"),
        (Path("/x/a.db"), "/x/a.db"),
        ("sqlite:///a.db", "a.db"),
        ("sqlite:////x/a.db", "/x/a.db"),
        ("~/a.db", str(Path.home() / "a.db")),
        ("sqlite:///~/a.db", str(Path.home() / "a.db")),
    ],
)
def test_a_path_and_a_url_of_a_file_are_files(store: str | Path, path: str) -> None:
    assert place_of(store) == Path(path)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_url_of_a_server_shows_everything_but_the_password(scheme: str) -> None:
    place = place_of(f"{scheme}://me:{SECRET}@db.example.org:5433/agents?sslmode=require&password={SECRET}")
    assert isinstance(place, Server)
    assert str(place) == repr(place) == "postgresql://me:***@db.example.org:5433/agents?sslmode=require"
    assert (place.url.drivername, place.url.password) == ("postgresql+psycopg", SECRET)


def test_special_characters_of_a_password_are_read_as_they_were_meant() -> None:
    place = place_of("postgresql://me:a%40b%2Fc%3Ad@host/db")
    assert isinstance(place, Server) and place.url.password == "a@b/c:d"


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (f"postgresql://me:{SECRET}@{SECRET}@host/db", "several `@`"),
        (f"postgresql://me:x@{SECRET}/{SECRET}@host/db", "several `@`"),
        (f"postgresql://me:x@host:{SECRET}/db", "cannot be read"),
        (f"postgresql://me:x@a:{SECRET}@host/db", "cannot be read"),
        (f"mysql://me:{SECRET}@host/db", "mysql:// is not supported"),
        (f"postgresql+asyncpg://me:{SECRET}@host/db", r"postgresql\+asyncpg:// is not supported"),
        ("sqlite://a.db", "three slashes"),
        ("sqlite:///a.db?mode=ro", "three slashes"),
        ("sqlite://", "in memory"),
        (":memory:", "in memory"),
        ("", "in memory"),
    ],
)
def test_what_is_no_store_is_refused_without_showing_a_secret(store: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        Store.open(store)
    assert "postgresql://USER:PASSWORD@HOST" in str(refused.value)
    assert SECRET not in str(refused.value) and refused.value.__suppress_context__


def test_the_environment_names_the_store_before_the_folder(
    clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_place() == clean_environment / "agentsym" / "agentsym.db"
    monkeypatch.setenv("AGENTSYM_STORE", str(clean_environment / "mine.db"))
    with Store.open() as store:
        assert store.path == default_place() == clean_environment / "mine.db"
    monkeypatch.setenv("AGENTSYM_STORE", "postgresql://me@host/db")
    assert str(default_place()) == "postgresql://me@host/db"
    monkeypatch.setenv("AGENTSYM_STORE", " ")
    assert default_place() == clean_environment / "agentsym" / "agentsym.db"
    monkeypatch.delenv("AGENTSYM_HOME")
    found = default_place()
    assert isinstance(found, Path) and found.is_relative_to(clean_environment / "data")


def test_a_password_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text(" a@b/c:%\n", "utf-8")
    monkeypatch.setenv("AGENTSYM_STORE_PASSWORD_FILE", str(file))
    monkeypatch.setenv("AGENTSYM_STORE", "postgresql://me@host/db")
    found = default_place()
    assert isinstance(found, Server) and found.url.password == " a@b/c:%"
    assert str(found) == "postgresql://me:***@host/db"
    for given in (f"postgresql://me:{SECRET}@host/db", f"postgresql://me@host/db?password={SECRET}"):
        place = place_of(given)
        assert isinstance(place, Server)
        assert SECRET in (place.url.password, place.url.query.get("password"))
    assert place_of("a.db") == Path("a.db")


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"\n", "is empty"), (SECRET.encode() + b"\xff", "it is no text")]
)
def test_a_password_file_that_holds_none_is_told_of(
    content: bytes | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("AGENTSYM_STORE_PASSWORD_FILE", str(file))
    with pytest.raises(UsageError, match=words) as refused:
        place_of("postgresql://me@host/db")
    assert "AGENTSYM_STORE_PASSWORD_FILE" in str(refused.value) and SECRET not in str(refused.value)
