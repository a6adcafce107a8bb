"""The teacher of this eval: a rule program that sees outputs and what was expected, never the hidden task.

Once a step it draws which nodes are edited; a node that back-propagation does not reach stays as it is all the same.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from agentsym.learning.protocols import Row, Task, Verdict
from agentsym.models.protocol import Phase
from agentsym.network.edits import Edit, SetParameter
from agentsym.network.network import Network
from agentsym.network.records import Gradient, LossReport, Step, Suggestion, Trajectory
from evals.directives.world import DIRECTIVES, MOST_DIRECTIVES, NODES, REMEDIES, rules_at, similarity, symptoms

RANDOM_PROPOSALS = 0.30
SECOND_EDIT = 0.35


class TeacherDouble:
    """Scores, names symptoms, hands them back from node to node, and toggles one directive of a node that it drew.

    Args:
        seed: seeds what it draws.
        rests: say "satisfied" of an answer without symptoms, which ends learning once a batch is right. By default its
            random proposals go on, so that what is right already is the gate's to keep.
    """

    name = "rule program"

    def __init__(self, seed: int, *, rests: bool = False) -> None:
        self.rests = rests
        self.chance = random.Random(f"teacher/{seed}")
        self._drawn: tuple[str, ...] = ()

    async def loss(
        self,
        network: Network,
        trajectory: Trajectory,
        row: Row,
        verdict: Verdict,
        *,
        phase: Phase = "loss",
        rollout: int = 0,
    ) -> LossReport:
        """Score by similarity and name the symptoms; the first loss of a batch forgets the draw of the last one."""
        self._drawn = ()
        answer, expected = trajectory.output["answer"], row.expected["answer"]
        seen = symptoms(answer, expected)
        text = ", ".join(seen) or "no symptom"
        return LossReport(
            example_id=row.id,
            score=similarity(answer, expected),
            text=text,
            requirement=text,
            satisfied=self.rests and not seen,
        )

    async def gradient(
        self, network: Network, trajectory: Trajectory, step: Step, loss: LossReport, messages: Sequence[str], lr: float
    ) -> Gradient:
        """Suggest what the messages say, if the node was drawn; require the same of the node before."""
        self._drawn = self._drawn or self._draw()
        said = ", ".join(messages)
        suggested = (Suggestion(parameter=f"{step.node}/rules", advice=said),) if step.node in self._drawn else ()
        return Gradient(
            example_id=loss.example_id,
            step=step.index,
            node=step.node,
            suggestions=suggested,
            requirements=dict.fromkeys(step.parents, said),
            score=loss.score,
        )

    async def propose(self, task: Task) -> Sequence[Edit]:
        """Toggle a directive: a random one, or one that remedies a symptom of the batch."""
        seen = {
            symptom
            for item in task.evidence
            for gradient in item.gradients
            for suggestion in gradient.suggestions
            if suggestion.parameter == task.parameter
            for symptom in suggestion.advice.split(", ")
        }
        directive = pick(self.chance, [symptom for symptom in REMEDIES if symptom in seen])
        return toggle(self.chance, task, directive) if directive else ()

    def _draw(self) -> tuple[str, ...]:
        """Draw the node that is edited in this step and, sometimes, the other one as well."""
        one = self.chance.choice(NODES)
        both = self.chance.random() < SECOND_EDIT
        return NODES if both else (one,)


def pick(chance: random.Random, seen: Sequence[str]) -> str | None:
    """Return a directive: a random one with 30 %, else a remedy of a symptom drawn from those seen; None if none is."""
    if chance.random() < RANDOM_PROPOSALS:
        return chance.choice(list(DIRECTIVES))
    return chance.choice(REMEDIES[chance.choice(seen)]) if seen else None


def toggle(chance: random.Random, task: Task, directive: str) -> list[Edit]:
    """Return the edit that drops a directive if it is there, else adds it, evicting one if two are.

    What a node holds is a set of directives; its prompt lists them in the order of the vocabulary.
    """
    held = [rule.text for rule in rules_at(task.network, task.node)]
    if directive in held:
        held.remove(directive)
        why = f"drop {directive}"
    else:
        evicted = [chance.choice(held)] if len(held) >= MOST_DIRECTIVES else []
        held = [text for text in held if text not in evicted] + [directive]
        why = f"add {directive}" + "".join(f", evict {text}" for text in evicted)
    return [SetParameter(path=task.parameter, value=sorted(held, key=list(DIRECTIVES).index), why=why)]
