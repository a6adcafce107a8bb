"""A small trade whose customers are scripted: what they write, what was wanted, and how that drifts.

Every message is made of a way to put something and of details, drawn by seed; the label belongs to the way. After the
drift two messages in five speak of things that nobody spoke of before, in words that the agent has never seen; what
was right stays right.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from agentsym import Agent, Choice, Examples, PromptNode

INTENTS = {
    "delivery": "A parcel is late or lost; when it arrives.",
    "refund": "The customer wants money back.",
    "fault": "Something is broken or does not work.",
    "account": "A password, login or address of the customer's account.",
}
OLD = {
    "delivery": (
        "My parcel with the {thing} is late, it should have been here {day}.",
        "When does the parcel with my {thing} arrive? It was promised for {day}.",
        "The courier lost the parcel with my {thing} {day}.",
    ),
    "refund": (
        "I sent the {thing} back {day} and want my money back.",
        "Please give me back the money that I paid for the {thing} {day}.",
        "Where is my money back for the {thing} that I returned {day}?",
    ),
    "fault": (
        "The {thing} is broken, it stopped working {day}.",
        "Since {day} my {thing} does not work any more.",
        "The {thing} that you sent {day} came broken.",
    ),
    "account": (
        "I forgot the password of my account {day} when I looked for the {thing}.",
        "Change the address of my account before {day}, the {thing} must not go to the old one.",
        "My login does not open the account since I bought the {thing} {day}.",
    ),
}
NEW = {
    "delivery": (
        "The locker code for the {thing} was never texted to me {day}.",
        "Your drone dropped the {thing} on the roof {day}.",
    ),
    "refund": (
        "The voucher for the {thing} bounced at the till {day}.",
        "Cashback for the {thing} still shows as pending {day}.",
    ),
    "fault": (
        "The {thing} keeps beeping error seven {day}.",
        "Firmware update froze the {thing} {day}.",
    ),
    "account": (
        "The passkey prompt loops forever {day} at the {thing} page.",
        "Two-factor texts for the {thing} shop go to my old sim {day}.",
    ),
}
THINGS = ("kettle", "lamp", "mixer", "toaster", "fan", "heater", "speaker", "scale", "drill", "iron", "radio", "clock")
DAYS = tuple(f"on {day} the {n}" for n in range(1, 29) for day in ("Monday", "Tuesday", "Friday", "Sunday"))
DRIFT = 0.4


class Asked(NamedTuple):
    """One message, and what was wanted."""

    message: str
    intent: str
    new: bool


def agent() -> Agent:
    """Return the agent as it is deployed: it knows the trade as it was."""
    node = PromptNode(
        "sort",
        instructions="Decide what the customer wants.",
        inputs=["message"],
        output={"intent": Choice(INTENTS)},
        examples=Examples(
            [
                {"input": {"message": way.format(thing="pan", day="yesterday")}, "output": {"intent": intent}}
                for intent, ways in OLD.items()
                for way in ways
            ],
            max_per_label=40,
        ),
    )
    return Agent("counter", nodes=[node], description="Sorts what customers write.")


def asked(seed: int, requests: int, drift_at: int) -> Iterator[Asked]:
    """Yield messages, no two alike."""
    rng = random.Random(seed)
    seen: set[str] = set()
    while len(seen) < requests:
        new = len(seen) >= drift_at and rng.random() < DRIFT
        intent = rng.choice(sorted(INTENTS))
        way = rng.choice((NEW if new else OLD)[intent])
        message = way.format(thing=rng.choice(THINGS), day=rng.choice(DAYS))
        if message not in seen:
            seen.add(message)
            yield Asked(message, intent, new)
