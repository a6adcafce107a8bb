"""Errors that nobody foresaw: a line in the log for each, with nothing of what people wrote."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import APIRouter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from agentsym.deploy.server.app import Part
from tests.deploy.conftest import Start, eventually, things

SECRET = "marmalade"
INPUTS = {"inputs": {"text": "a"}}
CHAT = {"model": "things", "messages": [{"role": "user", "content": "a"}], "stream": True}


def _broken(*_: object, **__: object) -> Any:
    raise RuntimeError(SECRET)


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if line.startswith("a request failed: RuntimeError at ")]


@pytest.mark.parametrize(
    ("path", "body"), [("/invoke", INPUTS), ("/batch", [INPUTS]), ("/stream", INPUTS), ("/v1/chat/completions", CHAT)]
)
def test_each_route_logs_class_and_place_and_no_text(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str, body: object
) -> None:
    running = start()
    monkeypatch.setattr(running.service, "answer", _broken)
    monkeypatch.setattr(running.service, "stream", _broken)
    sent = running.client.post(path, json=body, headers=running.token("invoke"))
    assert "internal" in sent.text and SECRET not in sent.text
    assert len(_lines(caplog)) == 1 and "test_faults.py" in _lines(caplog)[0]
    assert SECRET not in caplog.text


def _mounted(_served: Any) -> Part:
    """A part that answers an error and raises it all the same, as Starlette's apps do, or fails halfway."""

    async def fails(_request: Request) -> Response:
        return _broken()

    async def breaks(_request: Request) -> Response:
        async def half() -> Any:
            yield b"half"
            _broken()

        return StreamingResponse(half())

    async def told(_request: Request, _error: Exception) -> Response:
        return PlainTextResponse("it failed", 500)

    routes = [Route("/", fails), Route("/half", breaks)]
    router = APIRouter(prefix="/pages")
    router.mount("/pages", Starlette(routes=routes, exception_handlers={Exception: told}))
    return Part(router)


@pytest.mark.parametrize("path", ["/pages/", "/pages/half"])
def test_a_mounted_app_that_fails_leaves_no_text_in_the_log(
    start: Start, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    running = start(parts=[_mounted])
    with running.client.stream("GET", path, headers=running.token("admin")) as sent:
        assert sent.status_code == (500 if path == "/pages/" else 200)
        try:
            sent.read()
        except Exception as error:
            assert path == "/pages/half", error
    eventually(lambda: _lines(caplog))
    assert SECRET not in caplog.text
    if path == "/pages/":
        assert "Traceback" not in caplog.text
        assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == ["agentsym.serve"]


def test_a_mounted_app_is_counted_under_its_prefix_and_a_plain_route_under_its_path(start: Start) -> None:
    running = start(things, parts=[_mounted])
    header = running.token("admin")
    running.client.get("/pages/", headers=header)
    running.client.get(f"/pages/{SECRET}", headers=header)
    running.client.get("/openapi.json", headers=header)
    text = running.client.get("/metrics", headers=header).text
    assert 'agentsym_requests_total{route="/pages",status="500"} 1.0' in text
    assert 'agentsym_requests_total{route="/pages",status="404"} 1.0' in text
    assert 'agentsym_requests_total{route="/openapi.json",status="200"} 1.0' in text
    assert SECRET not in text and 'route="other"' not in text
