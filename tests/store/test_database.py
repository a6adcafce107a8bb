"""Opening, migrating and locking the file: what can go wrong says what to do, and nothing is ever lost."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from agentsym.errors import StoreError
from agentsym.network.records import Message, Step, Trajectory
from agentsym.store import Store, database, schema, sqlite

WRITER = Path(__file__).with_name("writer.py")


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_six_processes_write_at_once_and_nothing_is_lost(place: str) -> None:
    writers = [start(place, "run", name, 60) for name in "abcdef"]  # all six also make the tables at once
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
    with Store.open(place) as store:
        events = [*store.events("run")]
    assert [event.seq for event in events] == list(range(1, 361))
    for name in "abcdef":
        assert [event.data["number"] for event in events if event.data["by"] == name] == list(range(60))


def test_a_killed_writer_leaves_everything_that_it_had_said_it_stored(place: str) -> None:
    for pause in (0.0, 0.013, 0.031):
        writer = start(place, "run", "a", 10**9, 2_000_000)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        said = [line for line in writer.communicate()[0].split("\n")[:-1] if line]
        with Store.open(place) as store:
            found = [event.seq for event in store.events("run")]
            assert found == list(range(1, len(found) + 1))
            assert not said or found[-1] >= int(said[-1])
            assert store.append("run", "note", {}) == len(found) + 1
    if "://" not in place:
        connection = sqlite3.connect(place)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


def test_readers_do_not_wait_for_a_writer(place: str) -> None:
    with Store.open(place) as store:
        store.append("run", "note", {"n": 1})
        with store._writer.begin() as connection:
            connection.execute(
                schema.events.insert(), {"run_id": "run", "seq": 2, "kind": "k", "at": "t", "data": "{}"}
            )
            assert [event.seq for event in store.events("run")] == [1]
        assert [event.seq for event in store.events("run")] == [1, 2]


def test_the_file_is_set_up_as_measured(tmp_path: Path) -> None:
    with Store.open(tmp_path / "agentsym.db") as store:
        for engine in (store._writer, store._engine):
            with engine.connect() as connection:
                names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
                found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]
                assert found == ["wal", 1, 1, sqlite.BUSY_MS]


def test_the_migrations_make_exactly_the_tables_of_the_schema(place: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with Store.open(place) as store, store._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    scripts = ScriptDirectory(str(Path(database.__file__).with_name("migrations")))
    assert scripts.get_current_head() == schema.HEAD


def test_alembic_is_loaded_only_for_a_migration(place: str) -> None:
    program = (
        "import sys; from agentsym.store import Store; Store.open(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )
    for expected in ("True", "False"):
        command = [sys.executable, "-c", program, place]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == expected


def test_a_failed_migration_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "agentsym.db"
    real = database.upgrade

    def broken(connection: object) -> None:
        real(connection)  # type: ignore[arg-type]
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(database, "upgrade", broken)
    with pytest.raises(StoreError, match="Make room"):
        Store.open(path)
    monkeypatch.undo()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    Store.open(path).close()


def test_a_file_that_is_no_store_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("dear diary, " * 100)
    with pytest.raises(StoreError, match=r"notes.db: this is not a SQLite database. Name another"):
        Store.open(path)
    assert path.read_text() == "dear diary, " * 100
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE recipes (name)")
    other.close()
    with pytest.raises(StoreError, match="belongs to another program"):
        Store.open(tmp_path / "other.db")


def test_a_newer_file_asks_for_a_newer_agentsym(tmp_path: Path) -> None:
    path = tmp_path / "agentsym.db"
    Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"schema 9999, this one knows .*pip install --upgrade agentsym"):
        Store.open(path)


def test_a_folder_that_cannot_be_made_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Set AGENTSYM_HOME"):
        Store.open(tmp_path / "file" / "agentsym.db")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_writable_names_the_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Set AGENTSYM_HOME"):
        Store.open(tmp_path / "agentsym.db")


def test_a_store_that_stays_locked_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 50)
    path = tmp_path / "agentsym.db"
    with Store.open(path) as store:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process has held the store"):
            store.append("run", "note", {})
        connection.execute("ROLLBACK")
        connection.close()
        assert store.append("run", "note", {}) == 1


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/me/local\\040disk ext4 rw 0 0
me@host: /mnt/far fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/x.db", None),
        ("/home/me/x.db", "nfs4"),
        ("/home/me/local disk/x.db", None),
        ("/homes/x.db", None),
        ("/mnt/far/a/b/x.db", "fuse.sshfs"),
    ],
)
def test_network_mounts_are_known(path: str, kind: str | None) -> None:
    assert sqlite.network_file_system(Path(path), MOUNTS) == kind


def test_a_network_mount_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "network_file_system", lambda path: "nfs4")
    with pytest.raises(StoreError, match=r"network mount \(nfs4\).*Set AGENTSYM_HOME"):
        Store.open(tmp_path / "agentsym.db")


def test_a_big_shared_prompt_costs_next_to_nothing(tmp_path: Path) -> None:
    system = Message(role="system", content="Lorem ipsum dolor sit amet. " * 2200)  # 60 kB
    runs = [
        Trajectory(
            id=f"t{n}",
            version="v",
            steps=tuple(
                Step(index=i, node="n", messages=(system, Message(role="user", content=f"{n} {i}"))) for i in range(2)
            ),
        )
        for n in range(1540)
    ]
    with Store.open(tmp_path / "agentsym.db") as store:
        store.append("run", "run", {"agent": "a"})
        before = time.process_time()
        store.append_many("run", [("trajectory", {"trajectory": run}) for run in runs])
        assert time.process_time() - before < 1.0
        assert store.path.stat().st_size < 5_000_000
