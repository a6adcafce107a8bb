"""The provider's own books: what it was asked, what it answered, and what it bills.

They are what a client's account is compared with, so nothing here is taken from the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

_MILLION = 1_000_000


class Price(NamedTuple):
    """US dollars for a million tokens of prompt (`input`) and of answer (`output`)."""

    input: float
    output: float


@dataclass
class Tally:
    """What was billed: answers made, their tokens, and US dollars (0 for a model without a price)."""

    answered: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, usage: Mapping[str, int], price: Price) -> None:
        """Bill one answer."""
        self.answered += 1
        self.prompt_tokens += usage["prompt_tokens"]
        self.completion_tokens += usage["completion_tokens"]
        self.usd += (usage["prompt_tokens"] * price.input + usage["completion_tokens"] * price.output) / _MILLION


@dataclass
class Stats(Tally):
    """What reached the server since it was started or reset.

    An answer that was made counts as answered and is billed, whether or not it arrived whole.

    Attributes:
        requests: chat requests, refused ones too.
        repeats: requests whose body was, byte for byte, that of an earlier one.
        refused: requests that were refused on purpose, by the key or by the plan.
        errors: requests whose brain raised; their texts.
        peak: the most requests that were under way at once.
        connections: connections that carried a chat request.
        by_model: the same bill by the model asked.
        bodies: every chat request's body, if they are kept.
        headers: every chat request's headers, names in lower case, if they are kept.
    """

    requests: int = 0
    repeats: int = 0
    refused: int = 0
    errors: list[str] = field(default_factory=list)
    peak: int = 0
    by_model: dict[str, Tally] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set, repr=False)
    _peers: set[Any] = field(default_factory=set, repr=False)

    @property
    def connections(self) -> int:
        """Connections that carried a chat request."""
        return len(self._peers)

    def arrived(self, raw: bytes, peer: Any) -> None:
        """Count a chat request that has been read."""
        digest = sha256(raw).hexdigest()
        self.requests += 1
        self.repeats += digest in self._seen
        self._seen.add(digest)
        self._peers.add(peer)

    def bill(self, model: str, usage: Mapping[str, int], price: Price) -> None:
        """Bill one answer of a model."""
        self.add(usage, price)
        self.by_model.setdefault(model, Tally()).add(usage, price)

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON value."""
        shown = {name: value for name, value in asdict(self).items() if not name.startswith("_")}
        return {**shown, "connections": self.connections}
