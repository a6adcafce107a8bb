"""What becomes of a client's connection: small answers leave at once, and the last one says that it is the last."""

from __future__ import annotations

import socket
import threading

import httpx

from agentsym.deploy.listener import listen
from tests.deploy.conftest import Start, eventually, slow


def test_the_socket_names_its_protocol_so_that_asyncio_sends_small_pieces_at_once() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP


def test_an_answer_of_a_stopping_server_tells_the_client_not_to_use_the_connection_again(start: Start) -> None:
    running = start(slow)
    header = running.token("invoke")
    assert "connection" not in running.client.post("/invoke", json={"inputs": {"text": "a"}}, headers=header).headers
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(running.client.post("/invoke", json={"inputs": {"text": "wait 0.5"}}, headers=header))

    asking = threading.Thread(target=ask)
    asking.start()
    eventually(lambda: running.service.running)
    running.server.stop()
    asking.join(20)
    assert answers[0].status_code == 200
    assert answers[0].headers["connection"] == "close"
