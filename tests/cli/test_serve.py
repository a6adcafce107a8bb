"""`agentsym serve` and `agentsym tokens` as they are installed: start, stop, kill, start again, and what is refused."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from agentsym.store.store import Store
from tests.cli.conftest import AGENT, Call

SLOW = """
import asyncio
from agentsym import Agent, FunctionNode

async def wait(text: str) -> str:
    word, _, seconds = text.partition(" ")
    if word == "wait":
        await asyncio.sleep(float(seconds))
    return text

agent = Agent("slow", nodes=[FunctionNode("wait", wait, inputs=["text"], output={"said": str})])
"""
ADDRESS = re.compile(r"answers at (http://\S+)")
Begin = Callable[..., "Served"]


class Served(NamedTuple):
    """A server in a process of its own; `said` collects its lines of stderr."""

    process: subprocess.Popen[str]
    url: str
    said: list[str]
    reader: threading.Thread

    def ends(self, seconds: float = 20) -> int:
        """Wait for its end and return its exit code."""
        code = self.process.wait(seconds)
        self.reader.join(5)
        return code


@pytest.fixture
def begin(place: Path, start: Callable[..., subprocess.Popen[str]]) -> Iterator[Begin]:
    """Start servers; whatever still runs at the end is killed."""
    (place / "slow.py").write_text(SLOW, "utf-8")
    processes: list[subprocess.Popen[str]] = []

    def begin(*args: str, **environment: str) -> Served:
        process = start("serve", *args, **environment)
        processes.append(process)
        said: list[str] = []
        assert process.stderr is not None
        reader = threading.Thread(target=said.extend, args=(iter(process.stderr.readline, ""),), daemon=True)
        address: list[str] = []
        for line in iter(process.stderr.readline, ""):
            said.append(line)
            if found := ADDRESS.search(line):
                address.append(found[1])
                break
        assert address, said
        reader.start()
        return Served(process, address[0], said, reader)

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, place: Path) -> str:
    """A place for a store: a file, or a database on a server."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return str(place / "traces.db")


def _bearer(store: Store, *scopes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {store.tokens.create('test', scopes, actor='test').secret}"}


def _ask(url: str, header: dict[str, str], text: str = "x") -> httpx.Response:
    return httpx.post(f"{url}/invoke", json={"inputs": {"text": text}}, headers=header, timeout=30)


def test_what_was_acknowledged_survives_a_kill_and_a_restart_takes_seconds(begin: Begin, where: str) -> None:
    with Store.open(where) as store:
        header = _bearer(store, "invoke", "feedback")
        served = begin("slow.py", "--store", where, "--port", "0")
        port = served.url.rpartition(":")[2]
        known: list[str] = []
        judged: list[str] = []

        def load() -> None:
            try:
                while True:
                    trace_id = _ask(served.url, header).json()["trace_id"]
                    known.append(trace_id)
                    said = {"trace_id": trace_id, "kind": "thumb", "score": 1}
                    if httpx.post(f"{served.url}/feedback", json=said, headers=header).status_code == 201:
                        judged.append(trace_id)
            except httpx.HTTPError:
                return

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(judged) < 40:
            time.sleep(0.01)
        served.process.send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join()
        assert served.ends() == -signal.SIGKILL
        assert set(store.traces.known(known)) == set(known)
        assert set(store.traces.feedback_of(judged)) == set(judged)
        again = begin("slow.py", "--store", where, "--port", port)
        assert _ask(again.url, header).status_code == 200


def test_a_stop_lets_what_runs_finish_and_ends_with_0(begin: Begin) -> None:
    served = begin("slow.py", "--port", "0", "--no-auth")
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(_ask(served.url, {}, "wait 2")))
    asking.start()
    time.sleep(0.7)
    served.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{served.url}/health", timeout=2)
    asking.join()
    assert answers[0].status_code == 200
    assert served.ends() == 0
    with Store.open() as store:
        assert store.traces.trace(answers[0].json()["trace_id"]) is not None
    assert not any("Traceback" in line for line in served.said)


def test_runs_that_outlast_the_grace_are_ended_and_told(begin: Begin) -> None:
    served = begin("slow.py", "--port", "0", "--no-auth", "--grace", "1")
    answers: list[httpx.Response] = []
    lines: list[str] = []

    def listen() -> None:
        body = {"inputs": {"text": "wait 60"}}
        with httpx.stream("POST", f"{served.url}/stream", json=body, timeout=30) as response:
            lines.extend(response.iter_lines())

    threads = [
        threading.Thread(target=lambda: answers.append(_ask(served.url, {}, "wait 60"))),
        threading.Thread(target=listen),
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.7)
    began = time.monotonic()
    served.process.send_signal(signal.SIGINT)
    assert served.ends() == 0
    assert time.monotonic() - began < 30  # the runs would take 60
    for thread in threads:
        thread.join()
    assert answers[0].status_code == 503 and answers[0].json()["error"]["type"] == "stopping"
    assert "event: error" in lines and any('"stopping"' in line for line in lines)


def test_a_second_ctrl_c_ends_at_once(begin: Begin) -> None:
    served = begin("slow.py", "--port", "0", "--no-auth")
    ended: list[httpx.HTTPError] = []

    def ask() -> None:
        try:
            _ask(served.url, {}, "wait 60")
        except httpx.HTTPError as error:
            ended.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.7)
    served.process.send_signal(signal.SIGINT)
    time.sleep(1.3)
    assert served.process.poll() is None
    served.process.send_signal(signal.SIGINT)
    assert served.ends(3) == 130
    asking.join()
    assert ended


def test_a_port_that_is_taken_is_refused(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        found = call("serve", "things", "--port", port)
    assert found.code == 2 and f"127.0.0.1:{port}" in found.err and "another port" in found.err
    with Store.open() as store:
        assert store.releases.deployments() == ()


def test_doors_that_are_too_open_are_refused(call: Call) -> None:
    found = call("serve", "things", "--host", "0.0.0.0", "--port", "0")
    assert found.code == 2 and "agentsym tokens create" in found.err
    found = call("serve", "things", "--host", "0.0.0.0", "--port", "0", "--no-auth")
    assert found.code == 2 and "--no-auth" in found.err
    assert call("serve", "things", "--host", "no.such.host.invalid", "--port", "0", "--no-auth").code == 2


def test_changed_files_are_not_guessed_about(begin: Begin, call: Call, place: Path) -> None:
    served = begin("things", "--port", "0", "--no-auth")
    served.process.send_signal(signal.SIGTERM)
    assert served.ends() == 0
    (place / "things" / "agent.py").write_text(AGENT.replace("what kind of thing", "which kind of thing"), "utf-8")
    found = call("serve", "things", "--port", "0")
    assert found.code == 2 and "--take" in found.err and "--keep" in found.err
    both = call("serve", "things", "--take", "--keep")
    assert both.code == 2
    with Store.open() as store:
        before = store.releases.deployment("things")
        assert before is not None
        kept = begin("things", "--port", "0", "--no-auth", "--keep")
        assert httpx.post(f"{kept.url}/invoke", json={"inputs": {"text": "a dog"}}).json()["version"] == before.live
        kept.process.send_signal(signal.SIGTERM)
        kept.ends()
        taken = begin("things", "--port", "0", "--no-auth", "--take")
        assert httpx.post(f"{taken.url}/invoke", json={"inputs": {"text": "a dog"}}).json()["version"] != before.live
        assert store.releases.release("things", before.live).state == "superseded"


def test_a_wrong_policy_or_agent_is_refused(call: Call, place: Path) -> None:
    (place / "policy.yaml").write_text("traces: {sampling: 2}", "utf-8")
    found = call("serve", "things", "--policy", "policy.yaml")
    assert found.code == 2 and "traces.sampling" in found.err
    assert call("serve", "nothing").code == 2
    assert call("serve", "things", "--chat-input", "nothing", "--port", "0").code == 2
    assert call("serve", "things", "--concurrency", "0").code == 2


def test_without_the_extra_it_says_how_to_get_it(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentsym.cli import serve

    monkeypatch.setattr(serve, "find_spec", lambda name: None if name == "uvicorn" else name)
    found = call("serve", "things")
    assert found.code == 2 and 'pip install "agentsym[serve]"' in found.err


def test_the_access_log_holds_one_line_a_request_and_nothing_of_it(begin: Begin) -> None:
    served = begin("slow.py", "--port", "0", "--no-auth", "--access-log")
    _ask(served.url, {}, "marmalade")
    httpx.get(f"{served.url}/marmalade")
    served.process.send_signal(signal.SIGTERM)
    served.ends()
    lines = [line for line in served.said if line.startswith("{")]
    assert len(lines) == 2 and '"route": "/invoke"' in lines[0] and '"route": "other"' in lines[1]
    assert "marmalade" not in "".join(served.said)


def test_tokens_are_made_listed_and_revoked(call: Call) -> None:
    made = call("tokens", "create", "ann", "--scope", "invoke", "--scope", "feedback", "--days", "7", "--json")
    assert made.code == 0
    secret = made.json["secret"]
    assert secret.startswith("agentsym_") and made.json["expires"]
    printed = call("tokens", "create", "bob", "--scope", "admin")
    assert printed.out.strip().startswith("agentsym_") and "not shown again" in printed.err
    listed = call("tokens", "list", "--json")
    assert {(one["name"], tuple(one["scopes"])) for one in listed.json} == {
        ("ann", ("invoke", "feedback")),
        ("bob", ("admin",)),
    }
    shown = call("tokens", "list")
    assert "ann" in shown.out and secret not in shown.out and secret not in listed.out
    with Store.open() as store:
        assert store.tokens.check(secret) is not None
        assert call("tokens", "revoke", "ann").code == 0
        assert store.tokens.check(secret) is None
        assert store.audit.entries()[0].event == "token revoked"
    for wrong in (("revoke", "ann"), ("create", "eve"), ("create", "eve", "--scope", "rule")):
        found = call("tokens", *wrong)
        assert found.code == 2 and found.err.startswith("error: ")
    for days in ("-1", "0", "soon"):
        found = call("tokens", "create", "eve", "--scope", "invoke", "--days", days)
        told = f"--days {days}: it must be a number above 0; leave it out for one that never ends"
        assert found.code == 2 and told in found.err.replace("\n", " ")
    assert "agentsym.db in your data folder" in " ".join(call("tokens", "list", "--help").out.split())


def test_the_dashboard_is_served_too(begin: Begin, place: Path) -> None:
    where = str(place / "traces.db")
    served = begin("slow.py", "--store", where, "--port", "0")
    with Store.open(where) as store, httpx.Client(base_url=served.url, headers={"origin": served.url}) as client:
        secret = store.tokens.create("ana", ("admin",), actor="test").secret
        assert client.get("/dashboard/").headers["location"] == "/dashboard/login"
        assert client.post("/dashboard/login", data={"token": secret}).status_code == 303
        assert store.releases.deployments()[0].live[:12] in client.get("/dashboard/").text


def test_the_first_token_is_made_once_and_its_secret_goes_into_a_file(call: Call, place: Path) -> None:
    first = ("tokens", "create", "first", "--scope", "admin", "--if-none", "--out", "secret")
    made = call(*first)
    secret = (place / "secret").read_text("utf-8").strip()
    assert made.code == 0 and secret not in made.out + made.err
    assert (place / "secret").stat().st_mode & 0o777 == 0o600
    (place / "secret").unlink()
    again = call(*first, "--json")
    assert (again.code, again.json) == (0, None) and not (place / "secret").exists()
    with Store.open() as store:
        assert store.tokens.check(secret) is not None and len(store.tokens.all()) == 1
        assert call("tokens", "revoke", "first").code == 0
        made = call(*first, "--json")
        assert made.code == 0 and "secret" not in made.json
        assert store.tokens.check((place / "secret").read_text("utf-8").strip()) is not None


def test_a_secret_replaces_no_file_and_is_not_lost(call: Call, place: Path) -> None:
    (place / "there").write_text("mine", "utf-8")
    for wrong in ("there", "no/such/folder"):
        found = call("tokens", "create", "ann", "--scope", "invoke", "--out", wrong)
        assert found.code == 2 and wrong in found.err
    assert (place / "there").read_text("utf-8") == "mine"
    assert call("tokens", "create", "ann", "--scope", "rule", "--out", "new").code == 2
    assert not (place / "new").exists()
    with Store.open() as store:
        assert store.tokens.all() == ()


def test_a_server_for_others_wants_a_token_that_is_still_good(call: Call) -> None:
    with Store.open() as store:
        store.tokens.create("ann", ("invoke",), actor="test", days=1e-9)
    found = call("serve", "things", "--host", "0.0.0.0", "--port", "0")
    assert found.code == 2 and "agentsym tokens create" in found.err
