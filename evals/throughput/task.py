"""The task: tickets that no two are alike, an agent of two model calls a ticket, and what the provider's double says.

The agent is what a user has after learning (rules, labels with definitions, JSON answers), and every request holds the
ticket's number, so no answer can come from a cache.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from agentsym import Agent, Choice, PromptNode

KINDS = ("card", "refund", "delivery", "login", "address", "invoice", "exchange", "warranty", "voucher", "return")
_WORDS = ("my", "order", "parcel", "number", "still", "again", "nobody", "answers", "please", "help", "waited", "weeks")
_CODE = re.compile(r"code=(\w+)")
_TICKET = re.compile(r"Ticket (\d+):")


class Ticket(NamedTuple):
    """One example: its text, and the label that the agent must find."""

    text: str
    label: str


def tickets(count: int, first: int = 1000) -> Iterator[Ticket]:
    """Yield `count` tickets of about 50 words, numbered from `first`."""
    for number in range(first, first + count):
        words = " ".join(random.Random(number).choices(_WORDS, k=50))
        kind = KINDS[number % len(KINDS)]
        yield Ticket(f"Ticket {number}: {words}. Header code={kind}.", kind)


def desk() -> Agent:
    """Return the agent: `extract` reads code and number of a ticket, `classify` gives the label that they mean."""
    extract = PromptNode(
        "extract",
        instructions="Read the support ticket and report its fact code and its number.",
        inputs=["ticket"],
        output={"fact": str, "ref": int},
        rules=[
            "The fact code is the word after `code=` in the header.",
            "The number is the one after the word Ticket.",
            "What the customer writes between number and header does not change the fact code.",
        ],
    )
    classify = PromptNode(
        "classify",
        instructions="Map the reported fact code to exactly one label.",
        inputs=["fact", "ref"],
        output={"label": Choice({kind: f"The customer writes about {kind}." for kind in KINDS})},
        rules=[f"Choose `{kind}` for the fact code {kind}." for kind in KINDS],
    )
    return Agent("desk", nodes=[extract, classify], edges=[("extract", "classify")], outputs=["label"])


def answer(body: Mapping[str, Any]) -> str:
    """Answer a chat request of either node, as the provider's double does.

    Raises:
        TypeError: the request shows neither a ticket nor a fact.
    """
    asked = body["messages"][-1]["content"]
    if number := _TICKET.search(asked):
        code = _CODE.search(asked)
        assert code is not None
        return json.dumps({"fact": code[1], "ref": int(number[1])})
    fact = re.search(r"^fact: (\w+)$", asked, re.MULTILINE)
    assert fact is not None
    return json.dumps({"label": fact[1]})
