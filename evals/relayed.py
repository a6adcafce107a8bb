"""A language model as teacher, and as a student too, on a small part of support_triage: what its replies are worth.

`python -m evals.relayed teacher --teacher relay:DIR --record FOLDER` puts every request into DIR, where any capable
language model answers from the files alone; `--teacher recorded:FOLDER` replays such a run and asks nobody.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from agentsym import Agent
from agentsym.errors import AgentsymError
from agentsym.learning.dataset import Dataset
from agentsym.learning.protocols import Row
from agentsym.learning.recording import record_to
from agentsym.learning.trainer import Trainer
from agentsym.models.protocol import LanguageModel
from agentsym.models.resolve import resolve
from agentsym.network.code import load_file
from agentsym.network.parameters import Option
from agentsym.store.store import Store
from evals.recordings import check

PIPELINE = Path(__file__).parents[1] / "pipelines" / "support_triage"
TRAIN, VAL = 24, 16
HIGHEST_START = 0.8


class Kind(NamedTuple):
    """One kind of run: whether the language model is the student of the urgency node too, how long, on which rows."""

    student: bool
    steps: int
    batch: int
    seed: int


# A language model knows most urgencies unaided; with the rows of seed 0 it starts at 0.81, above the mark. Seed 1 is
# the first with which the reader starts with no more than half of the intents.
KINDS = {
    "teacher": Kind(student=False, steps=4, batch=8, seed=0),
    "student": Kind(student=True, steps=2, batch=6, seed=1),
}


def few(rows: Sequence[Row], count: int, seed: int) -> tuple[Row, ...]:
    """Draw rows so that every urgency comes equally often, and the intents as evenly as that allows."""
    left = sorted(rows, key=lambda row: row.id)
    Random(seed).shuffle(left)
    levels = sorted({row.expected["urgency"] for row in left})
    drawn: list[Row] = []
    seen: Counter[str] = Counter()
    while len(drawn) < count:
        level = levels[len(drawn) % len(levels)]
        here = [row for row in left if row.expected["urgency"] == level]
        row = min(here, key=lambda row: seen[row.expected["intent"]])
        seen[row.expected["intent"]] += 1
        left.remove(row)
        drawn.append(row)
    return tuple(drawn)


def starting_agent(kind: Kind) -> Agent:
    """Return the shipped agent as it starts; with a language model as student, the intent is left to the reader."""
    agent: Agent = load_file(PIPELINE / "agent.py", "support_triage").agent
    if not kind.student:
        return agent
    intent, *others = agent.nodes
    reader = intent.with_weight("model", Option("embedded", ("embedded",), learnable=False))
    return agent.replace(nodes=(reader, *others))


def run(
    name: str, teacher: LanguageModel, student: LanguageModel | None = None, *, recorder: Any = None
) -> dict[str, Any]:
    """Train once and return the figures.

    Args:
        name: of the kind.
        teacher: the language model that criticises and rewrites.
        student: the one that runs the urgency node, where the kind has one. Somebody else must answer for it: who has
            read the validation rows as a student cannot write the edits any more.
        recorder: keeps the traffic.

    Raises:
        AgentsymError: the start is too good to show anything, or the run failed.
    """
    kind = KINDS[name]
    agent = starting_agent(kind)
    data = {part: Dataset(agent).load(PIPELINE / "data" / f"{part}.jsonl") for part in ("train", "val")}
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "store.db") as store:
        trainer = Trainer(
            agent,
            few(data["train"], TRAIN, kind.seed),
            val=few(data["val"], VAL, kind.seed),
            optimizer="paper",
            student=student if kind.student else "embedded",
            teacher=teacher,
            steps=kind.steps,
            batch=kind.batch,
            lr=0.5,
            patience=None,
            seed=kind.seed,
            concurrency=32,
            cache=False,
            store=store,
            recorder=recorder,
            watch=_check_start,
        )
        trained = trainer.fit()
    before, after = trained.val or (0.0, 0.0)
    return {
        "kind": name,
        "teacher": teacher.name,
        "student": student.name if student is not None and kind.student else "embedded",
        "rows": {"train": TRAIN, "val": VAL},
        "val": {"before": before, "after": after, "gain": after - before},
        "steps": len(trained.steps),
        "accepted": trained.accepted,
        "calls": {phase: usage.calls for phase, usage in trained.ledger.by_phase().items()},
        "version": trained.best.version,
        "status": trained.status,
    }


def _check_start(kind: str, data: Any) -> None:
    if kind == "checkpoint" and data["state"].step == 0:
        start = data["state"].best_score
        if start > HIGHEST_START:
            raise AgentsymError(f"the agent starts at {start:.3f}, above {HIGHEST_START}: nothing can be shown here")
    if kind in ("checkpoint", "gate", "notice"):
        print(kind, data.get("decision") or data.get("text") or data["state"].best_score, file=sys.stderr)


def main() -> None:
    """Run one kind and print its figures, or with --json one document."""
    parser = argparse.ArgumentParser(prog="python -m evals.relayed", description=__doc__)
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("--teacher", required=True, help="relay:DIR, recorded:FOLDER, or any other model string")
    parser.add_argument("--student", help="likewise; for the kind `student`")
    parser.add_argument("--record", type=Path, help="write the traffic there")
    parser.add_argument("--how", default="", help="how the replies were made: a line for the recording")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    options = parser.parse_args()
    recorder = record_to(options.record, how=options.how) if options.record else None
    if KINDS[options.kind].student and not options.student:
        parser.error("the kind `student` needs a --student")
    student = resolve(options.student) if options.student else None
    figures = run(options.kind, resolve(options.teacher), student, recorder=recorder)
    if options.record:
        figures["recording"] = check(options.record)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    val = figures["val"]
    print(f"teacher {figures['teacher']}, student {figures['student']}")
    print(f"validation {val['before']:.3f} -> {val['after']:.3f}")
    if options.record:
        made = figures["recording"]
        print(f"{made['calls']} replies, {made['parsed_at_first_try']:.1%} could be used as they first came")


if __name__ == "__main__":
    main()
