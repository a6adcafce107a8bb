"""The store on a PostgreSQL server: who waits for whom, what cannot be stored, and what each error tells people."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from operator import itemgetter
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError

from agentsym.errors import StoreError
from agentsym.network.records import Message, Step, Trajectory
from agentsym.store import Store, database, schema
from agentsym.store.inserting import insert_new
from agentsym.store.locks import queue
from agentsym.store.place import place_of
from tests.postgres import PostgresServer

SECRET = "s3cr3t"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    with Store.open(postgres_url) as opened:
        yield opened


def said(number: int, *texts: str) -> tuple[str, dict[str, object]]:
    messages = tuple(Message(role="user", content=content) for content in texts)
    step = Step(index=0, node="n", messages=messages)
    return "trajectory", {"trajectory": Trajectory(id=f"t{number}", version="v", steps=(step,))}


@pytest.mark.parametrize("options", ["", "&options=-cdefault_transaction_isolation%3Dserializable"])
def test_a_run_has_one_writer_at_a_time_and_two_runs_have_two(postgres_url: str, options: str) -> None:
    """Also on a server where by default a transaction sees only what was there when it began."""
    with Store.open(postgres_url + options) as store, ThreadPoolExecutor(2) as threads:
        with store._writer.begin() as connection:
            queue(connection, "run busy")
            assert threads.submit(store.append, "free", "note", {}).result(timeout=20) == 1
            waiting = threads.submit(store.append, "busy", "note", {"by": "the second"})
            while not waiters(store._engine):
                assert not waiting.done()
            row = {"run_id": "busy", "seq": 1, "kind": "note", "at": "t", "data": "{}"}
            connection.execute(schema.events.insert(), row)
        assert waiting.result(timeout=20) == 2


def waiters(engine: Engine) -> int:
    """How many connections wait for a lock that another one holds."""
    with engine.begin() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one())


def test_only_one_of_two_migrates(postgres_url: str) -> None:
    writer, reader = database.database_at(place_of(postgres_url)).engines()
    with ThreadPoolExecutor(1) as threads:
        with writer.begin() as connection:
            queue(connection, "migration")
            opening = threads.submit(Store.open, postgres_url)
            while not waiters(reader):
                assert not opening.done()
            database.upgrade(connection)
        opening.result(timeout=20).close()
    writer.dispose()


def test_writers_of_the_same_texts_do_not_wait_in_a_circle(store: Store) -> None:
    store.append("run", "run", {"agent": "x"})
    low, high = sorted(
        ({"hash": sha256(text.encode()).hexdigest(), "text": text} for text in "ab"), key=itemgetter("hash")
    )
    with ThreadPoolExecutor(1) as threads:
        with store._writer.begin() as another:
            another.execute(insert_new(another, schema.texts), low)
            writing = threads.submit(store.append_many, "run", [said(1, high["text"], low["text"])])
            while not waiters(store._engine):
                assert not writing.done()
            another.execute(insert_new(another, schema.texts), high)
        assert writing.result(timeout=20) == 2


def test_rebuilding_waits_for_writers_and_holds_them_up(store: Store) -> None:
    store.append("a", "run", {"agent": "x"})
    with ThreadPoolExecutor(3) as threads, store._writer.begin() as connection:
        connection.execute(schema.events.insert(), {"run_id": "b", "seq": 1, "kind": "n", "at": "t", "data": "{}"})
        rebuilding = threads.submit(store.rebuild)
        while not waiters(store._engine):
            assert not rebuilding.done()
        writing = threads.submit(store.append, "c", "run", {"agent": "y"})
        while waiters(store._engine) < 2:
            assert not writing.done()
        connection.commit()
        rebuilding.result(timeout=20)
        assert writing.result(timeout=20) == 1
    assert {run.id for run in store.runs()} == {"a", "c"}


@pytest.mark.parametrize("odd", ["nul \0 in it", "lone \ud83d", "\ufdd00000", "\0"])
def test_no_character_that_a_model_may_write_fails_a_run(store: Store, odd: str) -> None:
    step = Step(index=0, node=odd, messages=(Message(role="user", content=odd),), raw=odd, error=odd)
    whole = Trajectory(id=odd, version=odd, example_id=odd, steps=(step,), error=odd, status="error")
    run = f"run {odd}"
    store.append(run, "run", {"agent": odd, "config": {odd: odd}})
    store.append_many(run, [("version", {"hash": odd, "content": {odd: odd}}), ("trajectory", {"trajectory": whole})])
    assert store.run(run).agent == odd and store.run(run).config == {odd: odd}
    assert store.trajectory(odd) == whole
    assert [found.trajectory for found in store.trajectories(run, example_id=odd)] == [whole]
    assert [version.hash for version in store.versions(run)] == [odd]
    store.rebuild()
    assert store.trajectory(odd) == whole


def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"), store._engine.begin() as connection:
        connection.execute(schema.runs.delete())
    store.append("run", "note", {})  # the connection goes back to the pool as it came


def test_the_truth_cannot_be_cut_off_either(store: Store) -> None:
    for table in ("events", "texts", "audit"):
        with pytest.raises(DBAPIError, match=f"{table} is append-only"), store._writer.begin() as connection:
            connection.execute(text(f"TRUNCATE {table} CASCADE"))


def test_numbers_may_outgrow_32_bits(store: Store) -> None:
    store.append("run", "run", {"agent": "x", "summary": {"tokens": 2**40}})
    assert store.run("run").tokens == 2**40


def test_a_store_whose_server_was_away_goes_on(postgres_server: PostgresServer, postgres_url: str) -> None:
    name = postgres_url.split("@/")[1].split("?")[0]
    ending = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
    with Store.open(postgres_url) as store:
        store.append("run", "note", {})
        assert postgres_server.sql(ending) == [(1,)]
        assert store.append("run", "note", {}) == 2
        with store._writer.connect() as connection:
            postgres_server.sql(ending)
            with pytest.raises(DBAPIError) as lost:
                connection.exec_driver_sql("SELECT 1")
        assert "the server ended the connection" in database.database_at(store.path).explain(lost.value)


def test_a_database_of_another_program_is_refused_untouched(postgres_server: PostgresServer) -> None:
    url = postgres_server.database()
    postgres_server.sql("CREATE TABLE recipes (name text)", url)
    with pytest.raises(StoreError, match=r"belongs to another program. Name another database, or another schema"):
        Store.open(url)
    assert postgres_server.sql(TABLES, url) == [("recipes",)]
    postgres_server.sql("CREATE SCHEMA ours", url)
    with Store.open(f"{url}&options=-csearch_path%3Dours") as store:
        assert store.append("run", "note", {}) == 1
    assert postgres_server.sql("SELECT count(*) FROM ours.events", url) == [(1,)]


def test_a_newer_database_asks_for_a_newer_agentsym(postgres_server: PostgresServer) -> None:
    url = postgres_server.database()
    Store.open(url).close()
    postgres_server.sql("UPDATE alembic_version SET version_num = '9999'", url)
    with pytest.raises(StoreError, match=r"schema 9999, this one knows .*pip install --upgrade agentsym"):
        Store.open(url)


def test_a_database_that_cannot_hold_every_text_is_refused(postgres_server: PostgresServer) -> None:
    url = postgres_server.database("ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreError, match=r"encoded in LATIN1.*createdb --encoding=UTF8"):
        Store.open(url)


@pytest.fixture
def guarded_url(postgres_server: PostgresServer) -> str:
    """A database that wants the password of the role `guarded`, who may create nothing in it."""
    url = postgres_server.database()
    postgres_server.sql(f"DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD '{SECRET}'")
    return url.replace("agentsym@", f"guarded:{SECRET}@")


def test_a_wrong_password_is_said_and_the_right_one_never(guarded_url: str) -> None:
    with pytest.raises(StoreError, match=r"does not accept user and password. Put the right one") as refused:
        Store.open(guarded_url.replace(SECRET, f"not-{SECRET}"))
    assert "guarded:***@" in str(refused.value)
    with pytest.raises(StoreError, match="the server wants a password"):
        Store.open(guarded_url.replace(f":{SECRET}", ""))
    with pytest.raises(StoreError, match="GRANT USAGE, CREATE ON SCHEMA public TO guarded") as forbidden:
        Store.open(guarded_url)
    for error in (refused, forbidden):
        assert SECRET not in str(error.value) + repr(place_of(guarded_url))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:s3cr3t@127.0.0.1:1/db", "nobody answers there. Is the server running"),
        ("postgresql://me:s3cr3t@/db?host=/nowhere", "nobody answers there. Is the server running"),
        ("postgresql://me:s3cr3t@no-such-host.invalid/db", "the host is not known"),
    ],
)
def test_a_server_that_is_not_there_is_said(url: str, words: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=words) as error:
        Store.open(url)
    assert SECRET not in str(error.value) and str(error.value).startswith("postgresql://me:***@")


def test_an_unknown_database_is_said_with_how_to_make_it(postgres_server: PostgresServer) -> None:
    with pytest.raises(StoreError, match=r"no such database. Make it with: createdb --encoding=UTF8 nothing"):
        Store.open(postgres_server.url("nothing"))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("53100", "the server's disk is full. Make room"),
        ("53300", "the server has no free connection"),
        ("40P01", "two writers waited for each other"),
        ("XX000", "something else"),
    ],
)
def test_errors_of_the_server_are_explained(postgres_server: PostgresServer, state: str, words: str) -> None:
    """The server raises them itself, in a trigger."""
    url = postgres_server.database()
    with Store.open(url) as store:
        raising = f"BEGIN RAISE EXCEPTION 'something else' USING ERRCODE = '{state}'; END"
        postgres_server.sql(
            f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ {raising} $$;"
            "CREATE TRIGGER fails BEFORE INSERT ON events EXECUTE FUNCTION fail()",
            url,
        )
        with pytest.raises(StoreError, match=words):
            store.append("run", "note", {})
        assert [*store.events("run")] == []


def test_a_store_that_may_only_be_read_is_read_and_says_so_when_written(postgres_server: PostgresServer) -> None:
    url = postgres_server.database()
    with Store.open(url) as store:
        store.append("run", "note", {})
    name = place_of(url).url.database
    postgres_server.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with Store.open(url) as store:
        assert len([*store.events("run")]) == 1
        with pytest.raises(StoreError, match="the database is read-only"):
            store.append("run", "note", {})


def test_without_the_driver_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from agentsym.errors import UsageError\nfrom agentsym.store import Store\n"
        "try: Store.open('postgresql://me:s3cr3t@host/db')\n"
        "except UsageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "agentsym[postgres]"' in done.stdout and SECRET not in done.stdout + done.stderr


def test_a_file_needs_no_driver(tmp_path: Path) -> None:
    Store.open(tmp_path / "a.db").close()  # alembic, which migrates it, loads the dialects of every database
    program = (
        "import sys; from agentsym.store import Store; Store.open(sys.argv[1]).append('run', 'run', {'agent': 'a'})\n"
        "print([name for name in sys.modules if 'psycopg' in name or 'postgres' in name])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.db")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_one_pool_serves_readers_and_writers(store: Store) -> None:
    store.append("run", "note", {})
    assert [event.seq for event in store.events("run")] == [1]
    with store._engine.begin() as connection:
        mine = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        assert connection.execute(mine).scalar() == 1
        assert connection.execute(select(func.current_setting("application_name"))).scalar() == "agentsym"


def test_a_look_makes_nothing(postgres_server: PostgresServer) -> None:
    url = postgres_server.database()
    assert database.look(place_of(url)) is None
    assert postgres_server.sql(TABLES, url) == []
    Store.open(url).close()
    assert database.look(place_of(url)) == schema.HEAD
