"""The student's double: agentsym's embedded reader behind the provider's protocol.

It has nothing but the messages and the schema of the request, so a better prompt gives better answers, as with a real
model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from agentsym.models.embedded import EmbeddedModel
from agentsym.models.protocol import Request
from agentsym.network.records import Message

_TOLD = re.compile(r"\n*[^\n]*JSON schema:\n\n(\{.*\})\s*\Z")
"""A schema at the end of a system message, as clients put it there for servers that take none otherwise."""


class Reader:
    """Answers requests for an object of a schema."""

    def __init__(self) -> None:
        self._model = EmbeddedModel()

    async def __call__(self, body: Mapping[str, Any]) -> str:
        """Answer one request.

        Raises:
            ModelError: the request asks for prose, or for something that can be neither chosen nor copied.
        """
        messages = tuple(
            Message(role=message["role"], content=_TOLD.sub("", message["content"]))
            for message in body["messages"]
            if message["role"] in ("system", "user")
        )
        return (await self._model.complete(Request(messages=messages, schema_=schema_of(body)))).text


def schema_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the schema that a request wants its answer in, by `response_format` or in words; None without one."""
    form = body.get("response_format") or {}
    schema: dict[str, Any] | None = form.get("json_schema", {}).get("schema")
    for message in body["messages"]:
        told = _TOLD.search(message["content"] or "")
        if schema is None and told and message["role"] == "system":
            schema = json.loads(told.group(1))
    return schema
