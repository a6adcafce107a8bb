"""A lesson: an agent with a faulty tool, its rows, and what the doubles know of its subject.

The agent is a chain of three: a prompt node reads a note, the tool works on what was read, a prompt node says the
result. The tool in the middle is wrong for 30 of 100 rows, the first node for another 15.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from agentsym import Agent, PromptNode, ToolNode, as_tool
from evals.repair.rewrites import Patches, Rewrite, rewrites

PLAIN, TWO = "plain", "two"
PLAIN_ROWS, SYMPTOM_ROWS, TWO_ROWS = 11, 2, 3
"""Of 20 rows: those that work from the start, those of each of three symptoms, and those that name two values."""
Inputs = dict[str, Any]


@dataclass(frozen=True)
class Lesson:
    """One agent and its subject.

    Attributes:
        tool: the faulty tool; the tool node bears its name.
        reads: id of the first node.
        says: id of the last node.
        tasks: the instructions of the first and of the last node.
        fields: what the first node writes, and so what the tool takes; the first of them is a value copied from the
            note.
        result: the field that the tool writes.
        pattern: finds every value in a note that could be meant by the first field.
        item: kind of row and source of chance → what the tool is given in such a row.
        note: what the tool is given, another value or "" → a note that says so; the other value stands first.
        rest: note → the fields beside the first.
        right: what the tool is given → what it must return.
        template: the sentence of the last node, with a place for the result.
        symptoms: symptom → a pattern of what a faulty visit of the tool looks like.
        patches: symptom → what the teacher might do about it.
        slips: patches of the tool that break what works.
        idle: a patch of another function that changes nothing.
        tests: what every rewrite must pass: that it comes to an end, with something of the right form.
        rules: sentences that the teacher might tell the first node.
        habits: what a sentence makes of the value that is read: pattern of the sentence → the change.
    """

    tool: Callable[..., Any]
    reads: str
    says: str
    tasks: tuple[str, str]
    fields: Mapping[str, type]
    result: str
    pattern: re.Pattern[str]
    item: Callable[[str, Random], Inputs]
    note: Callable[[Inputs, str], str]
    rest: Callable[[str], Inputs]
    right: Callable[[Inputs], Any]
    template: str
    symptoms: Mapping[str, re.Pattern[str]]
    patches: Mapping[str, Patches]
    slips: tuple[str, str]
    idle: str
    tests: str
    rules: tuple[str, ...]
    habits: Mapping[str, Callable[[str], str]]

    @property
    def name(self) -> str:
        """The name of the tool, by which the lesson is known."""
        return self.tool.__name__

    @property
    def value(self) -> str:
        """The field that is copied from the note."""
        return next(iter(self.fields))

    def agent(self) -> Agent:
        """Return the agent before it has learned."""
        first, last = self.tasks
        nodes = [
            PromptNode(self.reads, first, inputs=["note"], output=dict(self.fields)),
            ToolNode(
                self.name, as_tool(self.tool, learnable=True, tests=self.tests, timeout_s=5.0), output=self.result
            ),
            PromptNode(self.says, last, inputs=[self.result], output={"reply": str}),
        ]
        edges = [(self.reads, self.name), (self.name, self.says)]
        return Agent(self.name, nodes=nodes, edges=edges, outputs=["reply"])

    def rewrites(self) -> tuple[Rewrite, ...]:
        """Return the candidates among which the teacher draws."""
        return rewrites(self.patches, self.slips, self.idle)

    def values(self, note: str) -> list[str]:
        """Return the values that a note names, in order; the last one is meant."""
        return self.pattern.findall(note)

    def reading(self, note: str) -> Inputs:
        """Return what is rightly read from a note."""
        return {self.value: self.values(note)[-1], **self.rest(note)}

    def saying(self, result: Any) -> str:
        """Return the reply to a result."""
        return self.template.format(result)

    def rows(self, name: str, seed: int, count: int) -> list[dict[str, Any]]:
        """Return rows of a data set.

        Args:
            name: the set, such as `train`; other sets have other rows.
            seed: draws them.
            count: how many; a multiple of 20 has the exact shares.
        """
        chance = Random(f"{self.name} {name} {seed}")
        kinds = [PLAIN] * PLAIN_ROWS + [kind for kind in self.symptoms for _ in range(SYMPTOM_ROWS)] + [TWO] * TWO_ROWS
        made: dict[str, dict[str, Any]] = {}
        while len(made) < count:
            kind = kinds[len(made) % len(kinds)]
            inputs = self.item(PLAIN if kind == TWO else kind, chance)
            other = self.item(PLAIN, chance)[self.value] if kind == TWO else ""
            note = self.note(inputs, other)
            made.setdefault(note, {"note": note, "reply": self.saying(self.right(inputs))})
        rows = list(made.values())
        chance.shuffle(rows)
        return rows


def metric(row: Mapping[str, Any], output: Mapping[str, Any]) -> tuple[float, str]:
    """Score a reply, and say what was wanted."""
    if output["reply"] == row["reply"]:
        return 1.0, ""
    return 0.0, f'The reply was to be "{row["reply"]}", but it is "{output["reply"]}".'
