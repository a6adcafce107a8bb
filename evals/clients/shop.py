"""A bicycle workshop's desk: a small agent of two nodes, and messages to learn from.

A message tells of a fault in one sentence and when it has to be mended in another, so there are more messages than
sentences, and those of validation are made of sentences that training never shows.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from agentsym import Agent, Choice, PromptNode

Row = dict[str, Any]

FAULTS: Mapping[str, Sequence[str]] = {
    "brakes": (
        "When I pull the lever nothing slows me down.",
        "There is a loud squeal whenever I stop at a junction.",
        "The pads have worn down to the metal.",
        "The left lever goes all the way to the handlebar.",
        "I can hardly stop on the hill behind the school.",
        "The callipers rub on the rim and squeal.",
        "New pads were fitted and they still do not stop me.",
        "The hydraulic lever feels soft and spongy.",
        "Stopping in the rain takes me twenty metres.",
        "One of the pads fell out on the way home.",
        "The rotor is bent and makes a squeal.",
        "The lever cable has snapped.",
    ),
    "tyres": (
        "I rode over glass and heard the air go out.",
        "It has a puncture at the back again.",
        "The tube loses all its air over night.",
        "The rubber is cracked on both sides.",
        "There is a nail in the tread of the front wheel.",
        "I pump it up and an hour later it is flat.",
        "The tread is so smooth that I slip on leaves.",
        "The valve is broken and no air gets in.",
        "A thorn went through and it is flat now.",
        "The rubber has come off the rim on one side.",
        "I patched the puncture twice and it leaks still.",
        "The tube bulges out through a slit.",
    ),
    "gears": (
        "The chain jumps off when I change down.",
        "I cannot shift into the easy ones on a climb.",
        "The derailleur got bent when it fell over.",
        "The chain is rusty and skips under load.",
        "The shifter clicks and nothing happens.",
        "It slips from third to fourth by itself.",
        "The cassette has teeth missing.",
        "The chain grinds in the lowest sprocket.",
        "The twist grip turns freely and does not shift.",
        "The derailleur rattles against the spokes.",
        "The hub skips whenever I pedal hard.",
        "The sprocket wobbles and the chain comes off.",
    ),
    "lights": (
        "The lamp at the front stays dark.",
        "The dynamo hums and the bulb does not glow.",
        "Nobody sees me in the dark from behind.",
        "The battery of the rear lamp is empty after a day.",
        "The bulb flickers on cobbles.",
        "A wire to the dynamo is torn.",
        "The reflector broke and the beam points at the ground.",
        "The switch of the lamp is stuck.",
        "Water got into the lamp and it went dark.",
        "The beam is so weak that I ride in the dark.",
        "The cable of the rear bulb hangs loose.",
        "My torch holder broke so it is dark at night.",
    ),
}
SLOTS: Mapping[str, Sequence[str]] = {
    "today": (
        "I need it back this evening.",
        "Can you do it while I wait?",
        "I have to ride to work tonight.",
        "It must be done before you close.",
        "I am standing outside and wait.",
        "My shift begins this evening and I depend on it.",
    ),
    "week": (
        "Some day before Sunday would be fine.",
        "I can leave it with you for a few days.",
        "Thursday or Friday suits me.",
        "There is no hurry, a few days are fine.",
        "I shall fetch it on Friday.",
        "Any day that suits you, before the weekend.",
    ),
    "quote": (
        "How much would that be?",
        "Please tell me the price first.",
        "What does it cost to mend?",
        "I would like to know the price before I decide.",
        "Is the price worth it?",
        "Send me an offer with the cost, please.",
    ),
}


def desk() -> Agent:
    """Return the agent before it has learned: it knows the names of the labels and nothing of what they mean."""
    sort = PromptNode(
        "sort",
        instructions="Find out which part of the bicycle the customer writes about.",
        inputs=["message"],
        output={"part": Choice(list(FAULTS))},
    )
    plan = PromptNode(
        "plan",
        instructions="Decide what the desk offers: repair today, repair within the week, or a quote.",
        inputs=["message", "part"],
        output={"slot": Choice(list(SLOTS))},
    )
    return Agent("desk", nodes=[sort, plan], edges=[("sort", "plan")])


def rows(count: int, *, held_out: bool, seed: int = 0) -> list[Row]:
    """Return `count` messages with their labels, every label equally often.

    Args:
        count: how many.
        held_out: whether they are made of the last third of the sentences, or of the others.
        seed: draws the sentences.
    """
    draw = random.Random(f"{seed} {held_out}")
    labels = [(part, slot) for part in FAULTS for slot in SLOTS]
    made: dict[str, Row] = {}
    while len(made) < count:
        part, slot = labels[len(made) % len(labels)]
        message = f"{draw.choice(_of(FAULTS[part], held_out))} {draw.choice(_of(SLOTS[slot], held_out))}"
        made.setdefault(message, {"message": message, "part": part, "slot": slot})
    return list(made.values())


def _of(sentences: Sequence[str], held_out: bool) -> Sequence[str]:
    known = len(sentences) * 2 // 3
    return sentences[known:] if held_out else sentences[:known]
