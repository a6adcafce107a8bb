"""A streamed answer, put together from the events in which it comes.

Pieces of text are handed on at once; tool calls come in fragments, and the tokens used in an event of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from agentsym.errors import Disconnected
from agentsym.models.chat_errors import error_in
from agentsym.models.chat_protocol import Asked, load, made_reply, reply_of, text_of
from agentsym.models.protocol import Reply, Request

_DONE = "[DONE]"


async def data_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the data of each server-sent event: one line, as all servers of this protocol send it.

    A last line without its end is dropped: it was cut.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].decode("utf-8", "replace").strip()


class Assembly:
    """The answer as far as it has come."""

    def __init__(self, request: Request, asked: Asked) -> None:
        self._request = request
        self._asked = asked
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._usage: Any = None
        self._finish: Any = None
        self._model: Any = None
        self._begun = False
        self._done = False

    def add(self, data: str) -> str:
        """Take in the data of one event and return the text that it brings.

        Raises:
            ModelError: it is no JSON object, or an error.
        """
        if data == _DONE:
            self._done = True
            return ""
        return self.take(load(data, self._asked))

    def take(self, event: Mapping[str, Any]) -> str:
        """Take in one event and return the text that it brings.

        Raises:
            ModelError: it is an error.
        """
        if error := error_in(self._asked, event):
            raise error
        self._usage = event.get("usage") or self._usage
        self._model = event.get("model") or self._model
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return ""
        self._begun = True
        self._finish = choice.get("finish_reason") or self._finish
        delta = choice.get("delta")
        return self._take_delta(delta) if isinstance(delta, dict) else ""

    def reply(self) -> Reply:
        """Return the whole reply.

        Raises:
            Disconnected: the stream ended before the answer did.
            AnswerRefused: the model declined, or a filter took the answer away.
            BadReply: there was no choice in it, or a tool call has no name.
        """
        if not self._done and self._finish is None:
            raise Disconnected(f"{self._asked.name}: the stream broke off after {len(''.join(self._text))} characters")
        if not self._begun:
            return reply_of({}, self._request, self._asked)
        return made_reply(
            self._request,
            self._asked,
            text="".join(self._text),
            calls=[self._calls[index] for index in sorted(self._calls)],
            usage=self._usage,
            finish=self._finish,
            refusal="".join(self._refusal),
            model=self._model,
        )

    def _take_delta(self, delta: dict[str, Any]) -> str:
        text = text_of(delta.get("content"))
        if text:
            self._text.append(text)
        if isinstance(delta.get("refusal"), str):
            self._refusal.append(delta["refusal"])
        for position, part in enumerate(delta.get("tool_calls") or ()):
            if isinstance(part, dict):
                self._take_call(part.get("index", position), part)
        return text

    def _take_call(self, index: int, part: dict[str, Any]) -> None:
        call = self._calls.setdefault(index, {"id": "", "function": {"name": "", "arguments": ""}})
        call["id"] = part.get("id") or call["id"]
        function = part.get("function") or {}
        for name in ("name", "arguments"):
            call["function"][name] += function.get(name) or ""
