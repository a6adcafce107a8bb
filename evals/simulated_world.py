"""Symbolic learning in a simulated world: what each part of the algorithm is worth, over 100 seeds.

Twelve hidden rules, four to a node of a three-node chain; a row needs four of them and scores by the share that stands
in the right node's prompt. Student, loss, gradient and optimizer are doubles that follow fixed chances (a quarter of
the answers is malformed, a third harmful), so what is measured is the machinery: gate, retries, back-propagation,
batches, validation. Everything runs through the public API. Run `python -m evals.simulated_world --help`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

from agentsym import Agent, PromptNode, Rules
from agentsym.errors import OutputError
from agentsym.learning import ReplacementSampler, Trainer
from agentsym.learning.protocols import Row, Task, Verdict
from agentsym.models.protocol import Reply, Request
from agentsym.network.edits import AddItem, Edit, SetParameter
from agentsym.network.network import Network
from agentsym.network.records import Gradient, LossReport, Step, Suggestion, Trajectory
from agentsym.store.store import Store

NODES = ("first", "second", "third")
RULES = {node: tuple(f"{node} rule {number}" for number in range(4)) for node in NODES}
EVERY_RULE = tuple(rule for node in NODES for rule in RULES[node])

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "full": {},
    "no rollback": {"gate": "always"},
    "no retry": {"retries": 0},
    "harder mix": {"mix": (0.50, 0.233)},
    "harder mix, no retry": {"mix": (0.50, 0.233), "retries": 0},
    "batch 1": {"batch": 1},
    "front to back": {"order": "forward"},
    "last node only": {"order": "last"},
    "noisy judge": {"noise": 0.3},
    "noisy judge, validated": {"noise": 0.3, "gate": "validated"},
}
PASS_LINES: dict[str, tuple[float, float]] = {
    "full": (0.88, 0.98),
    "no rollback": (0.55, 0.74),
    "no retry": (0.80, 1.0),
    "batch 1": (0.64, 0.80),
    "front to back": (0.0, 0.36),
    "last node only": (0.0, 0.36),
}


def chain() -> Agent:
    """Return the three-node chain with empty rule lists."""
    reads = {"first": "task", "second": "first_done", "third": "second_done"}
    nodes = [
        PromptNode(
            node,
            "Follow your rules.",
            inputs=[reads[node]],
            output={"answer" if node == "third" else f"{node}_done": str},
            rules=Rules(max_per_label=20),
        )
        for node in NODES
    ]
    frozen = [f"{node}/{name}" for node in NODES for name in ("instructions", "examples")]
    return Agent("chain", nodes, list(pairwise(NODES)), outputs=["answer"]).freeze(*frozen)


class StudentDouble:
    """Answers with what it read, and the rules of its own prompt that exist in this world."""

    name = "student double"
    remote = False

    async def complete(self, request: Request) -> Reply:
        system, user = (message.content for message in request.messages[:2])
        node = next(node for node in NODES if re.search(_field(node), system))
        received = re.findall(r"go [a-z-]+ \d+|\w+ rule \d", user)
        own = [rule for rule in RULES[node] if f"- {rule}" in system.splitlines()]
        field = "answer" if node == "third" else f"{node}_done"
        return Reply(text=json.dumps({field: ", ".join([*received, *own]) or "nothing"}))


def _field(node: str) -> str:
    return r"(?m)^JSON: answer$" if node == "third" else rf"(?m)^JSON: {node}_done$"


class TeacherDouble:
    """Reports violated rules, keeps a node's own rules as its gradient and passes the rest back."""

    name = "teacher double"

    def __init__(self, seed: int, malformed: float, harmful: float) -> None:
        self.chance = random.Random(f"teacher/{seed}")
        self.malformed, self.harmful = malformed, harmful

    async def loss(
        self, network: Network, trajectory: Trajectory, row: Row, verdict: Verdict, **counted: Any
    ) -> LossReport:
        done = set(trajectory.output.get("answer", "").split(", "))
        violated = ", ".join(rule for rule in row.expected["answer"].split(", ") if rule not in done)
        return LossReport(
            example_id=row.id, score=verdict.score or 0.0, text=violated, requirement=violated, satisfied=not violated
        )

    async def gradient(
        self, network: Network, trajectory: Trajectory, step: Step, loss: LossReport, messages: Sequence[str], lr: float
    ) -> Gradient:
        violated = [rule for message in messages for rule in message.split(", ")]
        own = [rule for rule in violated if rule in RULES[step.node]]
        rest = ", ".join(rule for rule in violated if rule not in RULES[step.node])
        return Gradient(
            example_id=loss.example_id,
            step=step.index,
            node=step.node,
            suggestions=tuple(Suggestion(parameter=f"{step.node}/rules", advice=rule) for rule in own),
            requirements=dict.fromkeys(step.parents, rest) if rest else {},
            satisfied=not own and not rest,
            score=loss.score,
        )

    async def propose(self, task: Task) -> Sequence[Edit]:
        draw = self.chance.random()
        if draw < self.malformed:
            raise OutputError("malformed on purpose")
        if draw < self.malformed + self.harmful:
            return [SetParameter(path=task.parameter, value=[], why="harmful on purpose")]
        wanted = Counter(
            suggestion.advice
            for item in task.evidence
            for gradient in item.gradients
            for suggestion in gradient.suggestions
            if suggestion.parameter == task.parameter
        )
        best = max(RULES[task.node], key=lambda rule: (wanted[rule], -RULES[task.node].index(rule)))
        return [AddItem(path=task.parameter, item=best, why="the most frequent violated rule")]


class NoisyMetric:
    """The share of the needed rules that were followed, plus one normal draw a score, clamped."""

    def __init__(self, seed: int, noise: float) -> None:
        self.chance = random.Random(f"noise/{seed}")
        self.noise = noise

    def __call__(self, row: Mapping[str, Any], output: Mapping[str, Any]) -> float:
        score = share(row["answer"], output["answer"])
        return min(1.0, max(0.0, score + self.chance.gauss(0.0, self.noise))) if self.noise else score


def share(needed: str, answer: str) -> float:
    """Return the share of the needed rules that an answer has followed."""
    wanted, done = needed.split(", "), set(answer.split(", "))
    return sum(rule in done for rule in wanted) / len(wanted)


def rows(seed: int, name: str, count: int) -> list[Row]:
    """Draw rows that need four of the twelve rules each."""
    chance = random.Random(f"{name}/{seed}")
    drawn = [", ".join(sorted(chance.sample(EVERY_RULE, 4), key=EVERY_RULE.index)) for _ in range(count)]
    return [
        Row(id=f"{name}-{number}", inputs={"task": f"go {name} {number}"}, expected={"answer": needed})
        for number, needed in enumerate(drawn)
    ]


def run(seed: int, configuration: Mapping[str, Any], folder: str) -> float:
    """Train one chain and return the held-out score of its head."""
    malformed, harmful = configuration.get("mix", (0.25, 0.35))
    noise = configuration.get("noise", 0.0)
    gate = configuration.get("gate", "paper")
    agent = chain()
    with Store.open(Path(folder) / f"{seed}.db") as store:
        trained = Trainer(
            agent,
            rows(seed, "train", 60),
            optimizer="paper",
            val=rows(seed, "val", 20) if gate == "validated" else (),
            metric=NoisyMetric(seed, noise),
            student=StudentDouble(),
            teacher=TeacherDouble(seed, malformed, harmful),
            gate=gate,
            sampler=ReplacementSampler(configuration.get("batch", 4), seed),
            store=store,
            cache=False,
            steps=20,
            lr=1.0,
            lr_decay=1.0,
            patience=None,
            retries=configuration.get("retries", 3),
            order=configuration.get("order", "reverse"),
            rescore_base=bool(noise),
            seed=seed,
        ).fit()
    answer = trained.head.invoke({"task": "go"}, student=StudentDouble())["answer"]
    held_out = rows(seed, "held-out", 200)
    return sum(share(row.expected["answer"], answer) for row in held_out) / len(held_out)


def measure(name: str, seeds: int, workers: int) -> list[float]:
    """Return the held-out score of every seed of one configuration."""
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(run, seed, CONFIGURATIONS[name], folder) for seed in range(seeds)]
        return [job.result() for job in jobs]


def verdicts(means: Mapping[str, float]) -> dict[str, bool]:
    """Return for each line of the table whether it holds."""
    found = {name: low <= means[name] <= high for name, (low, high) in PASS_LINES.items() if name in means}
    pairs = {
        "retries help in the harder mix by .08": ("harder mix", "harder mix, no retry", 0.08),
        "validation helps a noisy judge by .04": ("noisy judge, validated", "noisy judge", 0.04),
    }
    for claim, (better, worse, by) in pairs.items():
        if better in means and worse in means:
            found[claim] = means[better] - means[worse] >= by
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m evals.simulated_world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=list(CONFIGURATIONS), help="names of configurations")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    scores = {name: measure(name, options.seeds, options.workers) for name in options.only}
    means = {name: statistics.fmean(values) for name, values in scores.items()}
    held = verdicts(means)
    if options.json:
        table = {name: {"mean": means[name], "sd": statistics.pstdev(values)} for name, values in scores.items()}
        print(json.dumps({"seeds": options.seeds, "configurations": table, "lines": held}, indent=1))
        return
    for name, values in scores.items():
        print(f"{name:26} {means[name]:.3f} ({statistics.pstdev(values):.3f})")
    for claim, holds in held.items():
        print(f"{'holds' if holds else 'MISSED'}: {claim} {PASS_LINES.get(claim, '')}")


if __name__ == "__main__":
    main()
