"""What the agent is about: mails with an order, some of which correct it further down.

Agent, rows, student and teacher share these few facts.
"""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from agentsym import Agent, PromptNode
from evals.structure import subjects

OF, CARRY, CORRECTED = 20, 9, 5
"""Of so many mails, the last two are how many add up with a carry, and how many correct their order."""
_GREETINGS = ("Good morning!", "Hello,", "Dear all,", "Good afternoon.", "Hi,")
_WISHES = ("Please send us", "We should like to have", "This time we need", "Kindly deliver")
_CORRECTIONS = ("Sorry, we miscounted:", "On second thoughts:", "Please correct this:", "No, wait:")
_ENDINGS = ("Best wishes", "Many thanks", "Kind regards", "Yours")


class Kind(NamedTuple):
    """What kind of mail is wanted: whether the sum has a carry, and how often the order is corrected."""

    carry: bool
    corrections: int


def agent() -> Agent:
    """Return the agent before it has learned: it reads the order, adds it up, and says the total."""
    return Agent(
        "order_desk",
        nodes=[
            PromptNode("read", "Find the order in the mail.", inputs=["mail"], output={"order": str}),
            PromptNode("reckon", "Add up the order.", inputs=["order"], output={"figure": str}),
            PromptNode("reply", "Put the total into a sentence.", inputs=["figure"], output={"reply": str}),
        ],
        edges=[("read", "reckon"), ("reckon", "reply")],
        outputs=["reply"],
    )


def right_order(mail: str) -> str:
    """Return the order that a mail means: the one that it names last."""
    return subjects.orders(mail)[-1]


def rows(name: str, seed: int, count: int) -> list[dict[str, Any]]:
    """Return rows of a data set, in which no mail corrects its order twice.

    Args:
        name: the set, such as `train`; other sets have other rows.
        seed: draws them.
        count: how many; a multiple of 20 has the exact shares.
    """
    chance = Random(f"mails {name} {seed}")
    kinds = [Kind(at < CARRY, int(at % 4 == 0 and at // 4 < CORRECTED)) for at in range(OF)]
    return _made(chance, [kinds[at % OF] for at in range(count)])


def twice_corrected(seed: int, count: int) -> list[dict[str, Any]]:
    """Return rows whose mails correct their order twice."""
    return _made(Random(f"mails twice {seed}"), [Kind(at % 2 == 0, 2) for at in range(count)])


def metric(row: dict[str, Any], output: dict[str, Any]) -> tuple[float, str]:
    """Score a reply, and say what was wanted."""
    if output["reply"] == row["reply"]:
        return 1.0, ""
    return 0.0, f'The reply was to be "{row["reply"]}", but it is "{output["reply"]}".'


def _made(chance: Random, kinds: list[Kind]) -> list[dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        size = len(made)
        while len(made) == size:
            mail = _mail(chance, kind)
            reply = subjects.sentence(str(subjects.total(right_order(mail))))
            made.setdefault(mail, {"mail": mail, "reply": reply})
    rows = list(made.values())
    chance.shuffle(rows)
    return rows


def _mail(chance: Random, kind: Kind) -> str:
    """Write a mail; an order that is corrected comes to something else than the one that takes its place."""
    orders = [subjects.order(chance) for _ in range(kind.corrections)]
    last = subjects.order(chance)
    while subjects.has_carry(last) != kind.carry or subjects.total(last) in map(subjects.total, orders):
        last = subjects.order(chance)
    first, *others = (*orders, last)
    text = f"{chance.choice(_GREETINGS)} {chance.choice(_WISHES).lower()} {first}."
    corrections = "".join(f" {chance.choice(_CORRECTIONS)} {order}." for order in others)
    return f"{text}{corrections} {chance.choice(_ENDINGS)}"
