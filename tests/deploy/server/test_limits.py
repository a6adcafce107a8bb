"""Requests that are too large, slow, many or malformed: each is refused at once, as JSON, and serving goes on."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.deploy.conftest import Running, Start, eventually, slow

JSON = {"content-type": "application/json"}


def _raw(running: Running, *pieces: bytes, pause: float = 0.0, wait: float = 10.0) -> bytes:
    """Send bytes over a socket, and return what comes until the server closes it."""
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        found = b""
        while chunk := connection.recv(65536):
            found += chunk
        return found


def _serves(running: Running) -> bool:
    return running.client.get("/health").status_code == 200


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(start: Start) -> None:
    running = start(max_body=1000)
    header = {**running.token("invoke"), **JSON}
    fits = json.dumps({"inputs": {"text": "x" * 900}})
    assert running.client.post("/invoke", content=fits, headers=header).status_code == 200
    large = json.dumps({"inputs": {"text": "x" * 1000}}).encode()
    sent = running.client.post("/invoke", content=large, headers=header)
    assert sent.status_code == 413 and sent.json()["error"]["type"] == "too_large"

    def chunks() -> Iterator[bytes]:
        for place in range(0, len(large), 100):
            yield large[place : place + 100]

    assert running.client.post("/invoke", content=chunks(), headers=header).status_code == 413
    assert _serves(running)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"inputs": {"text": NaN}}', 400),
        (b'{"inputs": {"text": ' + b"9" * 5000 + b"}}", 400),
        (b"[" * 100_000, 422),
        (b'{"inputs": {"text": ' + b"[" * 70 + b"]" * 70 + b"}}", 422),
        (b'{"inputs": {"text": "\\ud800"}}', 422),
        (b"[]", 422),
        (b"null", 422),
        (b'{"inputs": []}', 422),
        (b'{"inputs": {"text": "a"}, "more": 1}', 422),
        (b'{"inputs": {"text": "a"}, "thread_id": 7}', 422),
        (b'{"inputs": {"text": "a"}, "thread_id": "a\\nb"}', 422),
    ],
)
def test_a_malformed_body_is_refused_with_json_that_repeats_nothing(start: Start, body: bytes, status: int) -> None:
    running = start()
    sent = running.client.post("/invoke", content=body, headers={**running.token("invoke"), **JSON})
    assert sent.status_code == status
    error = sent.json()["error"]
    assert error["type"] and error["message"] and "Traceback" not in sent.text
    assert running.store.traces.recent("things") == ()


def test_only_json_is_taken(start: Start) -> None:
    running = start()
    header = {**running.token("invoke"), "content-type": "application/x-www-form-urlencoded"}
    assert running.client.post("/invoke", content='{"inputs": {"text": "a"}}', headers=header).status_code == 415


def test_a_head_that_drips_is_cut_off(start: Start) -> None:
    running = start(header_seconds=0.5)
    began = time.monotonic()
    said = _raw(running, b"POST /invoke HTTP/1.1\r\nHo", b"st: x\r\n", b"X-A: b\r\n", pause=0.1)
    assert said.startswith(b"HTTP/1.1 408") and b'"too_slow"' in said
    assert time.monotonic() - began < 5
    assert _raw(running) == b"" or _raw(running).startswith(b"HTTP/1.1 408")
    assert _serves(running)


def test_a_second_head_that_drips_on_a_kept_connection_is_cut_off(start: Start) -> None:
    running = start(header_seconds=0.5)
    whole = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    said = _raw(running, whole, b"GET /health HT", pause=0.2)
    assert said.startswith(b"HTTP/1.1 200") and b"HTTP/1.1 408" in said


def test_a_body_that_drips_is_cut_off(start: Start) -> None:
    running = start(body_seconds=0.5)
    bearer = running.token("invoke")["authorization"].encode()
    head = b"POST /invoke HTTP/1.1\r\nHost: x\r\nAuthorization: " + bearer + b"\r\nContent-Type: application/json\r\n"
    said = _raw(running, head + b"Content-Length: 500\r\n\r\n", b"{", b'"', pause=0.1)
    assert said.startswith(b"HTTP/1.1 408") and b'"too_slow"' in said
    assert _serves(running)


def test_slow_clients_do_not_keep_others_out(start: Start) -> None:
    running = start(header_seconds=2.0)
    host, port = running.url.removeprefix("http://").split(":")
    dripping = [socket.create_connection((host, int(port))) for _ in range(200)]
    try:
        for connection in dripping:
            connection.sendall(b"GET /")
        began = time.monotonic()
        assert httpx.get(f"{running.url}/health").status_code == 200
        assert time.monotonic() - began < 2
    finally:
        for connection in dripping:
            connection.close()


def test_connections_that_are_too_many_are_closed(start: Start) -> None:
    running = start(connections=5)
    host, port = running.url.removeprefix("http://").split(":")
    held = [socket.create_connection((host, int(port))) for _ in range(5)]
    try:
        with pytest.raises(httpx.TransportError):
            eventually(lambda: httpx.get(f"{running.url}/health").status_code != 200, 3)
    finally:
        for connection in held:
            connection.close()
    assert eventually(lambda: _answers(running))


def _answers(running: Running) -> bool:
    try:
        return httpx.get(f"{running.url}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_too_many_or_too_long_headers_are_refused(start: Start) -> None:
    running = start()
    many = b"".join(b"X-%d: 1\r\n" % number for number in range(200))
    assert _raw(running, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + many + b"\r\n").startswith(
        b"HTTP/1.1 431"
    )
    long = b"X-Long: " + b"x" * 20_000 + b"\r\n"
    said = _raw(running, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + long + b"\r\n")
    assert said.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
    assert _serves(running)


@pytest.mark.parametrize(
    "target",
    [
        "/..%2finvoke",
        "//invoke",
        "/invoke/",
        "/./invoke",
        "/health/../versions",
        "/health%2f..%2fversions",
        "/%00",
        "/ready/x",
    ],
)
def test_paths_that_are_not_quite_one_of_ours_lead_nowhere(start: Start, target: str) -> None:
    running = start()
    bearer = running.token("admin")["authorization"].encode()
    request = b"GET " + target.encode() + b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n"
    assert _raw(running, request + b"\r\n").startswith(b"HTTP/1.1 401")
    said = _raw(running, request + b"Authorization: " + bearer + b"\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 404") and b"evil.example" not in said


def test_nothing_of_a_request_comes_back_in_a_header(start: Start) -> None:
    running = start()
    bearer = running.token("invoke")["authorization"].encode()
    body = b'{"inputs": {"text": "a"}, "thread_id": "a\\r\\nX-Injected: 1"}'
    head = (
        b"POST /invoke?mode=%0d%0aX-Injected:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "
        + bearer
        + b"\r\nX-Thread-Id: injected-%0d%0aX-Injected: 1\r\nContent-Type: application/json\r\nContent-Length: "
        + str(len(body)).encode()
    )
    answer_head = _raw(running, head + b"\r\n\r\n" + body).partition(b"\r\n\r\n")[0]
    assert answer_head.startswith(b"HTTP/1.1 422") and b"njected" not in answer_head
    bare = b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: b\nX-Injected: 1\r\n\r\n"
    assert b"X-Injected" not in _raw(running, bare + b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/one\r\n\r\n"])
def test_what_is_no_http_is_refused_as_json(start: Start, rubbish: bytes) -> None:
    running = start(header_seconds=0.5)
    said = _raw(running, rubbish)
    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 408")) and b'{"error"' in said
    assert _serves(running)


def test_a_web_socket_is_refused(start: Start) -> None:
    running = start()
    host, port = running.url.removeprefix("http://").split(":")
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n" + upgrade + b"Sec-WebSocket-Version: 13\r\n\r\n")
        assert b" 101 " not in connection.recv(65536).split(b"\r\n")[0]


def test_no_other_web_page_may_ask(start: Start) -> None:
    running = start()
    asks = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    sent = running.client.options("/invoke", headers={**asks, **running.token("invoke")})
    assert "access-control-allow-origin" not in sent.headers


def test_as_many_run_as_may_and_further_ones_wait_or_are_refused(start: Start) -> None:
    running = start(slow, concurrency=2, waiting=1)
    header = running.token("invoke")
    statuses: list[int] = []
    busy: list[httpx.Response] = []

    def ask() -> None:
        sent = httpx.post(f"{running.url}/invoke", json={"inputs": {"text": "wait 1"}}, headers=header, timeout=20)
        statuses.append(sent.status_code)
        if sent.status_code == 503:
            busy.append(sent)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    eventually(lambda: running.service.running == 2)
    assert _serves(running)
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 200, 503, 503]
    assert busy[0].headers["retry-after"] and busy[0].json()["error"]["type"] == "overloaded"
    assert len(running.store.traces.recent("slow")) == 3


def test_a_token_may_send_so_many_requests_a_minute(start: Start) -> None:
    running = start(rate=3)
    header, other = running.token("invoke"), running.token("invoke", name="other")
    body = {"inputs": {"text": "a dog"}}
    sent = [running.client.post("/invoke", json=body, headers=header) for _ in range(4)]
    assert [one.status_code for one in sent] == [200, 200, 200, 429]
    assert 1 <= int(sent[-1].headers["retry-after"]) <= 21
    assert running.client.post("/invoke", json=body, headers=other).status_code == 200
    assert running.client.post("/batch", json=[body] * 3, headers=other).status_code == 429
