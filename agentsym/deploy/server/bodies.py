"""Reading the body of a request as JSON: no deeper than is sensible, and nothing in it that cannot be stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from agentsym.deploy.server.replies import Refused

DEPTH = 64


async def json_of(request: Request) -> Any:
    """Return the JSON value of a request's body.

    Raises:
        Refused: it is not sent as JSON, or is no JSON that can be stored.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "unsupported_media_type", "send JSON, with Content-Type: application/json")
    try:
        return parsed(await request.body())
    except ClientDisconnect:
        raise Refused(400, "disconnected", "the client went away before the body was whole") from None


def as_object(value: Any, known: frozenset[str], where: str) -> dict[str, Any]:
    """Return a value that must be an object with only fields that are known; raise Refused where it is not."""
    if not isinstance(value, dict):
        raise invalid(f"{where} must be a JSON object with {', '.join(sorted(known))}")
    if not value.keys() <= known:
        raise invalid(f"{where} has unknown fields; it may have {', '.join(sorted(known))}")
    return value


def parsed(body: bytes) -> Any:
    """Return a JSON value; raise Refused where it is none, or nested too deeply, or holds half a character."""
    try:
        value = json.loads(body, parse_constant=_refuse)
    except RecursionError:
        raise invalid(f"the JSON is nested more than {DEPTH} levels deep") from None
    except ValueError as error:
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused(400, "invalid_json", f"the body is no JSON{place}") from None
    if body.count(b"[") + body.count(b"{") > DEPTH:
        _check_depth(value)
    if b"\\u" in body:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise invalid("a text holds half of a surrogate pair, which is no character") from None
    return value


def invalid(message: str) -> Refused:
    """Return the refusal of a request that is JSON, but not as it should be."""
    return Refused(422, "invalid_request", message)


def text_of(body: Mapping[str, Any], name: str, most: int) -> str | None:
    """Return a text field of a body, None where it is not there; raise Refused where it is no short, plain text."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > most or not value.isprintable():
        raise invalid(f"{name} must be a text of 1 to {most} printable characters")
    return value


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEPTH:
            raise invalid(f"the JSON is nested more than {DEPTH} levels deep")
        inner: list[Any] = []
        for item in level:
            inner.extend(item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        level = [item for item in inner if isinstance(item, dict | list)]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
