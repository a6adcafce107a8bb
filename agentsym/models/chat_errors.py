"""From what a server or the network says to the error that agentsym raises.

Which failure is worth another request, and which one ends a run, is decided by these types everywhere else, so every
client names failures here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from agentsym.errors import (
    AnswerRefused,
    ContextTooLong,
    KeyRefused,
    ModelError,
    OutOfCredit,
    RateLimited,
    RequestRefused,
    ServerFailed,
    TimedOut,
    UnknownModel,
    Unreachable,
)
from agentsym.models.chat_protocol import Asked
from agentsym.models.secrets import excerpt

_NO_CREDIT = re.compile(r"insufficient_quota|exceeded_current_quota|insufficient.balance|out of credit", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context_length_exceeded|context.(length|window|size)|prompt is too long|input is too long|too many input tokens",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content_filter|content_policy|content management policy|input was flagged", re.IGNORECASE)
_NO_MODEL = re.compile(r"model_not_found|model does not exist|model .{0,80} not found|unknown model", re.IGNORECASE)


def failure(asked: Asked, status: int, text: str, headers: Mapping[str, str]) -> ModelError:
    """Return the error for a reply with an HTTP status other than 200.

    Args:
        asked: who was asked.
        status: the HTTP status.
        text: the body, or the server's words.
        headers: of the reply; names in lower case, or a mapping that does not care.
    """
    said = words(text)
    tail = f" (HTTP {status})" + (f": {said}" if said else "")
    everything = text[:4000]
    if status in (400, 403, 422) and _FILTERED.search(everything):
        return AnswerRefused(f"{asked.name}: the provider's filter refuses the request{tail}")
    if status in (401, 403):
        return KeyRefused(f"{asked.place} {_key_wish(asked)}{tail}")
    if status == 402 or (status == 429 and _NO_CREDIT.search(everything)):
        return OutOfCredit(f"{asked.name}: the account has no credit left{tail}")
    if status == 429:
        return RateLimited(f"{asked.name}: too many requests for now{tail}", retry_after(headers))
    if status in (404, 405) or (status == 400 and _NO_MODEL.search(everything)):
        return UnknownModel(f"{asked.place}: there is no such model, or no chat at this address{asked.hint}{tail}")
    if 300 <= status < 400:
        target = excerpt(headers.get("location", "somewhere else"), 120)
        return UnknownModel(f"{asked.place}: the address redirects to {target}; use that as the base URL{tail}")
    if status >= 500:
        return ServerFailed(f"{asked.name}: the server failed{tail}", retry_after(headers))
    if status == 408:
        return TimedOut(f"{asked.name}: the server gave up waiting{tail}", retry_after(headers))
    if _TOO_LONG.search(everything):
        return ContextTooLong(f"{asked.name}: the request does not fit into the context window{tail}")
    return RequestRefused(f"{asked.name}: the server refuses the request{tail}")


def error_in(asked: Asked, body: Mapping[str, Any]) -> ModelError | None:
    """Return the error that a body or an event of status 200 carries; None if there is none."""
    error = body.get("error")
    if not error:
        return None
    code = error.get("code") or error.get("status") if isinstance(error, dict) else None
    number = int(str(code)) if str(code).isdigit() else 0
    return failure(asked, number if 400 <= number < 600 else 500, json.dumps(body), {})


def words(text: str) -> str:
    """Return what a server says in an error's body: its message, else the beginning of the text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return excerpt(text)
    if isinstance(value, list) and value:
        value = value[0]
    for name in ("error", "message", "detail", "error_description"):
        if isinstance(value, dict) and value.get(name):
            value = value[name]
    return excerpt(value if isinstance(value, str) else text)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a reply asks to wait; None where it does not say."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        given = headers.get(name, "").strip()
        try:
            seconds = float(given) * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        when = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, (when.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _key_wish(asked: Asked) -> str:
    """Say what a server wants that refuses a key, or the lack of one."""
    if asked.keyed:
        return f"does not accept the key{f' in {asked.variable}' if asked.variable else ''}"
    return f"wants a key, and none was sent; {f'set {asked.variable}' if asked.variable else 'hand one in'}"


def unreachable(asked: Asked, said: str) -> Unreachable:
    """Return the error for an address where nobody answers; `said` is the network's own word on it."""
    return Unreachable(f"{asked.place} cannot be reached; is it running, and is the address right? ({said})")
