"""The response cache: one file for many threads and processes, and a clear word when it is not one."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentsym.errors import StoreError
from agentsym.models.cache import ResponseCache, default_cache_path
from agentsym.models.protocol import Reply
from agentsym.network.records import ToolCall, Usage


def test_a_reply_comes_back_as_it_was(tmp_path: Path) -> None:
    reply = Reply(
        text="ça va 😀\n\0",
        tool_calls=(ToolCall(tool="find", arguments={"n": 1.5, "who": None}, id="x"),),
        usage=Usage(calls=1, prompt_tokens=3, usd=None),
    )
    with ResponseCache(tmp_path / "deep" / "cache.db") as cache:
        assert cache.get("key") is None
        cache.put("key", reply)
    with ResponseCache(tmp_path / "deep" / "cache.db") as cache:
        assert cache.get("key") == reply


def test_the_first_reply_stays(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "cache.db") as cache:
        cache.put("key", Reply(text="first"))
        cache.put("key", Reply(text="second"))
        assert cache.get("key") == Reply(text="first")


def test_the_default_is_a_file_in_the_users_cache_folder(clean_environment: Path) -> None:
    assert default_cache_path().name == "cache.db"
    assert "agentsym" in default_cache_path().parts
    with ResponseCache() as cache:
        assert cache.path == default_cache_path()
        assert cache.path.exists()


def test_many_threads_share_one_cache(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "cache.db") as cache, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: cache.put(f"{n % 50}", Reply(text=f"{n % 50}")), range(400)))
        found = list(threads.map(lambda n: cache.get(f"{n % 50}"), range(400)))
    assert found == [Reply(text=f"{n % 50}") for n in range(400)]


def test_several_processes_make_and_fill_one_file_at_once(tmp_path: Path) -> None:
    program = """
import sys
from agentsym.models.cache import ResponseCache
from agentsym.models.protocol import Reply
sys.stdin.readline()
with ResponseCache(sys.argv[1]) as cache:
    for n in range(50):
        cache.put(f"{sys.argv[2]}-{n}", Reply(text=f"{n}"))
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "cache.db"), str(number)], stdin=subprocess.PIPE
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    with ResponseCache(tmp_path / "cache.db") as cache:
        assert all(cache.get(f"{number}-{n}") == Reply(text=f"{n}") for number in range(4) for n in range(50))


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes, " * 500)
    with pytest.raises(StoreError, match=r"notes\.txt.*delete it.*or name another file"):
        ResponseCache(path)
    assert path.read_text() == "my notes, " * 500


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE responses (key TEXT PRIMARY KEY, reply TEXT NOT NULL)")
    database.commit()
    database.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program's database"):
        ResponseCache(path)
    assert path.read_bytes() == before


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with ResponseCache(path) as cache:
        for n in range(500):
            cache.put(f"{n}", Reply(text="x" * 200))
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    with pytest.raises(StoreError, match="delete it"), ResponseCache(path) as cache:
        cache.get("1")


def test_a_reply_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with ResponseCache(path) as cache:
        database = sqlite3.connect(path)
        database.execute("INSERT INTO responses VALUES ('key', '{\"text\": 5}')")
        database.commit()
        database.close()
        with pytest.raises(StoreError, match="delete it"):
            cache.get("key")


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="name another file"):
        ResponseCache(tmp_path / "file" / "cache.db")
