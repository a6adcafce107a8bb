"""Versions of an agent that tell themselves apart: the examples of both of its prompts name their edition.

So what a run was really asked with can be read from its trace, and be held against the version that its answer names.
"""

from __future__ import annotations

import re

from agentsym import Agent, Choice, Examples, PromptNode
from agentsym.store.live.lifecycle import Release
from agentsym.store.live.traces import Trace
from agentsym.store.store import Store
from evals.deployed.world import INTENTS, OLD

ACTOR = "evals"
_EDITION = re.compile(r"edition (\d+)\b")


def edition(number: int) -> Agent:
    """Return an edition of an agent of two steps: what the customer wants, and how soon."""
    thing = f"pan, edition {number},"
    sort = PromptNode(
        "sort",
        instructions="Decide what the customer wants.",
        inputs=["message"],
        output={"intent": Choice(INTENTS)},
        examples=Examples(
            [
                {"input": {"message": ways[0].format(thing=thing, day="yesterday")}, "output": {"intent": intent}}
                for intent, ways in OLD.items()
            ]
        ),
    )
    hurry = PromptNode(
        "hurry",
        instructions="Decide how soon it must be done.",
        inputs=["message", "intent"],
        output={"when": Choice({"now": "", "later": ""})},
        examples=Examples(
            [
                {
                    "input": {"message": ways[1].format(thing=thing, day="today"), "intent": intent},
                    "output": {"when": "now" if intent == "account" else "later"},
                }
                for intent, ways in OLD.items()
            ]
        ),
    )
    return Agent("counter", nodes=[sort, hurry], edges=[("sort", "hurry")])


def editions_of(trace: Trace) -> set[int]:
    """Return the editions whose prompts a run has sent."""
    assert trace.trajectory is not None
    shown = (
        message.content for step in trace.trajectory.steps for message in step.messages if message.role == "system"
    )
    return {int(number) for text in shown for number in _EDITION.findall(text)}


def held(store: Store, number: int) -> Release:
    """Propose an edition, and take it as far as it can come without being live."""
    releases = store.releases
    deployment = releases.deployment("counter")
    assert deployment is not None
    release = releases.propose("counter", edition(number), parent=deployment.live, actor=ACTOR)
    for state in ("validated", "shadow", "held"):
        release = releases.move(release, state, actor=ACTOR, reason="another edition")
    return release
