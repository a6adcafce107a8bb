"""The seam between agents and whoever answers: one request, one reply, one protocol.

Every model is behind it (a provider, a local transformer, the embedded reader, a recording, a double in a test), and
whoever asks goes through the door (`door.py`), never to a model directly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol, runtime_checkable

from agentsym.network.canonical import Frozen, content_hash
from agentsym.network.records import Message, ToolCall, Usage

Phase = Literal["forward", "loss", "backward", "optimizer", "gate", "test"]
_NOT_ASKED = {"messages": {"__all__": {"tool_calls": {"__all__": {"seconds"}}}}}


class Request(Frozen):
    """What a model is asked.

    Attributes:
        messages: the chat so far.
        schema_: JSON schema that the answer's text must satisfy; None asks for prose.
        tools: JSON-schema descriptions of the functions that the model may call.
        temperature: None leaves it to the model.
        max_tokens: longest answer in tokens; None leaves it to the model.
        rollout: number of an independent sample; equal requests with other rollouts are asked anew.
    """

    messages: tuple[Message, ...]
    schema_: dict[str, Any] | None = None
    tools: tuple[dict[str, Any], ...] = ()
    temperature: float | None = None
    max_tokens: int | None = None
    rollout: int = 0

    def key(self, model: str) -> str:
        """Return the cache key: the SHA-256 of the model's name (with its address) and everything asked.

        How long a tool took is not asked.
        """
        return content_hash([model, self.model_dump(mode="json", exclude=_NOT_ASKED)])


class Reply(Frozen):
    """What a model answered: a text (JSON, if a schema was asked for) or tool calls, and what it cost.

    Attributes:
        text: the answer.
        tool_calls: the tools that it wants called; one whose arguments cannot be read has its `error` set.
        usage: what it cost; `usd` None leaves the price to the door.
        worth: what the answer has cost whoever got it first; for one from the cache that is more than `usage`.
        truncated: whether the answer was cut off at its longest length.
        model: the model that has answered, as its server names it; "" where it does not say.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    worth: Usage = Usage()
    truncated: bool = False
    model: str = ""


class LanguageModel(Protocol):
    """Anything that answers a request.

    Attributes:
        name: the model string, and where it is served from somewhere else than usual ` at ADDRESS`; part of the
            cache's key.
        remote: whether an answer costs time or money, so that it is worth caching; the caps hold for all.
    """

    name: str
    remote: bool

    async def complete(self, request: Request) -> Reply:
        """Answer one request.

        Raises:
            ModelError: when there is no answer; its subclasses say why. A model sends one request a call: what is
                worth another one (`Transient`) is sent again by the door.
        """
        ...


@runtime_checkable
class StreamingModel(Protocol):
    """A language model that can hand out its answer while it is written."""

    def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Yield the pieces of the answer's text as they come, and the whole reply at the end; raises as `complete`."""
        ...
