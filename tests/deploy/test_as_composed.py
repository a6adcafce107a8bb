"""What compose.yaml starts, started without Docker: its commands with its variables, on a real PostgreSQL.

Only what a container has of its own is replaced: names of hosts, paths of mounts, and ports, for two servers share one
machine here.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from agentsym.cli.agents import find_agent
from agentsym.deploy.evolution.watching import LEASE
from agentsym.store.store import Store
from tests.cli.conftest import COMMAND
from tests.deploy.conftest import eventually
from tests.deploy.files import DEPLOY, compose
from tests.deploy.test_live import variant
from tests.postgres import PostgresServer, programs

AGENT = """
import time
from agentsym import Agent, Choice, FunctionNode, PromptNode

def wait(text: str) -> str:
    time.sleep(0.2)
    return text

agent = Agent(
    "things",
    nodes=[
        PromptNode("sort", "Say what it is.", inputs=["text"], output={"kind": Choice(["fruit", "tool", "animal"])}),
        FunctionNode("wait", wait, inputs=["text"], output={"seen": str}),
    ],
    edges=[("sort", "wait")],
)
"""
ADDRESS = re.compile(r"answers at http://0\.0\.0\.0:(\d+)")
WORDS = {"fruit": ("apple", "pear", "plum", "grape"), "tool": ("saw", "drill", "file", "axe"), "animal": ("dog", "cat")}


class Composed(NamedTuple):
    """What stands in for Docker: a folder, the store's URL as compose would reach it, and the processes."""

    folder: Path
    store: str
    processes: list[subprocess.Popen[str]]

    def start(self, service: str, *, port: int = 0, more: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start a service as compose.yaml says."""
        found = compose({"AGENTSYM_AGENT": f"{self.folder}/agent.py:agent"})["services"][service]
        command = [self._here(str(word)).replace("--port=8000", f"--port={port}") for word in found["command"]]
        variables = {key: self._here(value) for key, value in found["environment"].items() if value is not None}
        variables["AGENTSYM_STORE"] = self.store
        process = subprocess.Popen(
            [COMMAND, *command, *more],
            cwd=self.folder,
            env={**os.environ, **variables, "AGENTSYM_HOME": str(self.folder / "home")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def run(self, *words: str) -> Any:
        """Run a command as an operator would in one of the containers; return the document it prints."""
        password = {"AGENTSYM_STORE": self.store, "AGENTSYM_STORE_PASSWORD_FILE": str(self.folder / "db-password")}
        done = subprocess.run(
            [COMMAND, *words, "--json"], env={**os.environ, **password}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _here(self, text: str) -> str:
        """Put paths of a container where they are here."""
        return (
            text.replace("/run/secrets", str(self.folder))
            .replace("/etc/agentsym", str(self.folder))
            .replace("/var/lib/agentsym", str(self.folder))
        )


@pytest.fixture
def composed(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Composed]:
    """An agent, a policy, and a database that wants a password; whatever still runs at the end is killed."""
    password, name = secrets.token_urlsafe(12) + "@/:%", postgres_server.database().split("/")[3].partition("?")[0]
    postgres_server.sql("DROP ROLE IF EXISTS guarded")
    postgres_server.sql(f"CREATE ROLE guarded LOGIN PASSWORD '{password}'")
    postgres_server.sql(f"ALTER DATABASE {name} OWNER TO guarded")
    postgres_server.sql("ALTER SCHEMA public OWNER TO guarded", name)
    (tmp_path / "db-password").write_text(f"{password}\n", "utf-8")
    (tmp_path / "agent.py").write_text(AGENT, "utf-8")
    (tmp_path / "policy.yaml").write_text((DEPLOY / "policy.yaml").read_text("utf-8"), "utf-8")
    made = Composed(tmp_path, postgres_server.url(name, "guarded"), [])
    yield made
    for process in made.processes:
        process.kill()
        process.communicate(timeout=20)
    postgres_server.sql(f"DROP DATABASE {name} WITH (FORCE)")
    postgres_server.sql("DROP ROLE guarded")


@pytest.fixture
def opened(composed: Composed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store, opened with the password's file."""
    monkeypatch.setenv("AGENTSYM_STORE_PASSWORD_FILE", str(composed.folder / "db-password"))
    with Store.open(composed.store) as store:
        yield store


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def begun(composed: Composed) -> tuple[str, list[str]]:
    """Start what `docker compose up` starts before `evolve`; return the first token and where the servers are."""
    for _ in range(2):  # at every `up`
        done = composed.start("first-token")
        out, said = done.communicate(timeout=60)
        assert (done.returncode, out) == (0, ""), said
    secret = (composed.folder / "first-token").read_text("utf-8").strip()
    servers = [composed.start("serve", port=free_port()) for _ in range(2)]
    return secret, [_address(server) for server in servers]


def _address(server: subprocess.Popen[str]) -> str:
    assert server.stderr is not None
    said = []
    for line in iter(server.stderr.readline, ""):
        said.append(line)
        if found := ADDRESS.search(line):
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return f"http://127.0.0.1:{found[1]}"
    raise AssertionError("".join(said))


def ask(url: str, secret: str, text: str) -> dict[str, Any]:
    header = {"authorization": f"Bearer {secret}"}
    sent = httpx.post(f"{url}/invoke", json={"inputs": {"text": text}}, headers=header, timeout=30)
    assert sent.status_code == 200, sent.text
    found: dict[str, Any] = sent.json()
    return found


def judge(url: str, secret: str, trace: str, kind: str) -> None:
    body = {"trace_id": trace, "kind": "label", "label": {"kind": kind}}
    sent = httpx.post(f"{url}/feedback", json=body, headers={"authorization": f"Bearer {secret}"}, timeout=30)
    assert sent.status_code == 201, sent.text


def test_two_servers_of_one_database_serve_the_version_that_was_promoted(
    composed: Composed, opened: Store, postgres_server: PostgresServer
) -> None:
    secret, urls = begun(composed)
    here, there = urls
    assert httpx.post(f"{here}/invoke", json={"inputs": {"text": "a dog"}}).status_code == 401
    answers = [ask(url, secret, "a dog") for url in urls]
    assert len({answer["version"] for answer in answers}) == 1
    judge(there, secret, answers[0]["trace_id"], "animal")  # what one has answered may be judged at the other
    assert composed.run("evolve", "status")["live"] == answers[0]["version"]
    _evolves(composed, opened)
    better = variant(find_agent(f"{composed.folder}/agent.py:agent").agent, "the better one")
    release = opened.releases.propose("things", better, parent=answers[0]["version"], actor="test")
    for state in ("validated", "shadow", "held"):
        release = opened.releases.move(release, state, actor="test", reason="test")  # type: ignore[arg-type]
    assert composed.run("evolve", "promote", better.version[:12], "--reason", "it is better")["live"] == better.version
    for url in urls:
        eventually(lambda url=url: ask(url, secret, "a dog")["version"] == better.version)  # type: ignore[misc]
    _restored(composed, opened, postgres_server)
    for process in composed.processes[-3:]:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(20) for process in composed.processes[-3:]] == [0, 0, 0]


def _restored(composed: Composed, opened: Store, server: PostgresServer) -> None:
    """Dump the database and restore it as the page says; what was acknowledged is there, and the log is sound."""
    traces = [trace.id for trace in opened.traces.recent("things")]
    base, name = composed.store.split("?")
    (host,) = re.findall(r"host=(.*)", name)
    variables = {**os.environ, "PGHOST": host, "PGUSER": "guarded"}
    variables["PGPASSWORD"] = (composed.folder / "db-password").read_text("utf-8").strip()
    server.sql("ALTER ROLE guarded CREATEDB")
    for program, *words in (
        ("pg_dump", "--format=custom", "--file=agentsym.dump", base.rpartition("/")[2]),
        ("createdb", "--encoding=UTF8", "--template=template0", "restored"),
        ("pg_restore", "--no-owner", "--exit-on-error", "--dbname=restored", "agentsym.dump"),
    ):
        command = [str(programs() / program), *words]
        done = subprocess.run(command, cwd=composed.folder, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    try:
        with Store.open(server.url("restored", "guarded")) as again:
            assert len(traces) > 2 and set(again.traces.known(traces)) == set(traces)
            assert again.tokens.all() == opened.tokens.all()
            assert again.audit.verify() == opened.audit.verify()
            assert again.releases.deployment("things") == opened.releases.deployment("things")
    finally:
        server.sql("DROP DATABASE restored WITH (FORCE)")


def _evolves(composed: Composed, opened: Store) -> None:
    """Start `evolve` as compose does, and see that it looks and has nothing to do."""
    process = composed.start("evolve")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("waits: ")
    assert eventually(lambda: opened.leases.holder("evolve things") is None)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_of_two_lets_the_agent_learn_and_the_other_takes_over_when_it_dies(
    composed: Composed, opened: Store
) -> None:
    secret, (here, there) = begun(composed)
    rows = [(f"{what} {word} {n}", kind) for kind, words in WORDS.items() for word in words for n, what in _WAYS]
    with ThreadPoolExecutor(8) as pool:

        def tell(row: tuple[str, str]) -> None:
            judge(there, secret, ask(here, secret, row[0])["trace_id"], row[1])

        list(pool.map(tell, rows))
    watchers = [composed.start("evolve", more=("--every", "1")) for _ in range(2)]
    by_pid = {str(process.pid): process for process in watchers}

    def learning(among: Callable[[str], bool]) -> str | None:
        """Return the process that has begun to learn and has the lease."""
        holder = opened.leases.holder("evolve things")
        pid = holder.split(":")[1] if holder else ""
        return pid if pid in by_pid and among(pid) and opened.runs() else None

    first = eventually(lambda: learning(lambda pid: True), 60)
    time.sleep(1)
    assert learning(lambda pid: True) == first, "the lease is kept as long as a turn takes"
    assert composed.run("evolve", "status")["evolving"].split(":")[1] == first
    runs = len(opened.runs())
    assert runs == 1
    by_pid[first].kill()
    eventually(lambda: learning(lambda pid: pid != first) and len(opened.runs()) > runs, LEASE + 30)
    assert ask(here, secret, "a dog")["version"] == ask(there, secret, "a dog")["version"]
    (second,) = (process for pid, process in by_pid.items() if pid != first)
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) == 0
    assert opened.leases.holder("evolve things") is None


_WAYS = tuple(enumerate(("I see a", "here is my", "where is the", "give me a", "that is no", "buy the")))
