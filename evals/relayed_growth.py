"""A language model as teacher of code and of the pipeline: it mends one wrong tool, and adds one node that is missing.

`python -m evals.relayed_growth KIND --teacher relay:DIR --record FOLDER` puts every request into DIR, where any capable
language model answers from the files alone; `--teacher recorded:FOLDER` replays such a run and asks nobody. The
students are the doubles of `evals.repair` and `evals.structure`, which follow what their prompts say in plain words;
the teacher is told nothing but what its requests say.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from agentsym.learning import Trainer
from agentsym.learning.recording import record_to
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.models.protocol import LanguageModel, Reply, Request
from agentsym.models.resolve import resolve
from agentsym.store.store import Store
from evals.recordings import check
from evals.repair.__main__ import study as repair
from evals.repair.lessons import LESSONS
from evals.repair.run import Study
from evals.structure.__main__ import study as structure
from evals.structure.variants import VARIANTS

TRAIN, VAL, TEST = 20, 20, 40
SEED = 0


class Kind(NamedTuple):
    """One kind of run: what is learned, with which recipe, in how many steps at most."""

    study: Callable[[], Study]
    recipe: Recipe
    steps: int


def _only_the_tool() -> Study:
    """Return a lesson of which nothing but the tool may be changed: 30 of 100 rows are its fault, 15 another node's."""
    study = repair(LESSONS["shelf_key"], SEED)
    frozen = [path for path in study.agent.parameters() if not path.startswith("shelf_key/")]
    return replace(study, agent=study.agent.freeze(*frozen))


def _only_the_pipeline() -> Study:
    """Return a pipeline of which nothing but its shape may be changed."""
    study = structure(VARIANTS["node"], SEED)
    frozen = [path for path, parameter in study.agent.parameters().items() if parameter.learnable]
    return replace(study, agent=study.agent.freeze(*(path for path in frozen if path != "structure")))


KINDS: Mapping[str, Kind] = {
    "tool": Kind(_only_the_tool, Recipe(groups=6, drafts=2), steps=3),
    "node": Kind(_only_the_pipeline, Recipe(groups=4, drafts=2, stagnation=1), steps=5),
}


class Double:
    """The student's double in this process; it costs nothing, so nothing of it is recorded."""

    name = "student's double"
    remote = False

    def __init__(self, study: Study) -> None:
        self._answer = study.student

    async def complete(self, request: Request) -> Reply:
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        fields = list((request.schema_ or {})["properties"])
        return Reply(text=json.dumps(self._answer(messages, fields), ensure_ascii=False))


def run(name: str, teacher: LanguageModel, *, recorder: Any = None) -> dict[str, Any]:
    """Learn once and return the figures.

    Args:
        name: of the kind.
        teacher: the language model that blames and mends.
        recorder: keeps the traffic.
    """
    kind = KINDS[name]
    study = kind.study()
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "store.db") as store:
        run = Trainer(
            study.agent,
            study.rows("train", TRAIN),
            val=study.rows("val", VAL),
            test=study.rows("test", TEST),
            metric=study.metric,
            student=Double(study),
            teacher=teacher,
            optimizer=kind.recipe,
            steps=kind.steps,
            patience=None,
            target=1.0,
            seed=SEED,
            concurrency=32,
            cache=False,
            store=store,
            recorder=recorder,
            watch=_told,
        ).fit()
    assert run.tested is not None
    phases = run.ledger.by_phase()
    return {
        "kind": name,
        "teacher": teacher.name,
        "status": run.status,
        "val": dict(zip(("before", "after"), run.val or (), strict=False)),
        "test": {"before": _mean(run.tested.before), "after": _mean(run.tested.after)},
        "nodes": [node.id for node in run.best.nodes],
        "steps": len(run.steps),
        "accepted": run.accepted,
        "teacher_calls": sum(phases[phase].calls for phase in ("backward", "optimizer") if phase in phases),
        "version": run.best.version,
    }


def _mean(scores: tuple[float, ...]) -> float:
    return sum(scores) / len(scores)


def _told(kind: str, data: Mapping[str, Any]) -> None:
    if kind in ("checkpoint", "gate", "validation", "notice", "warning"):
        print(kind, data.get("decision") or data.get("text") or data["state"].best_score, file=sys.stderr)


def main() -> None:
    """Run one kind and print its figures, or with --json one document."""
    parser = argparse.ArgumentParser(prog="python -m evals.relayed_growth", description=__doc__)
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("--teacher", required=True, help="relay:DIR, recorded:FOLDER, or any other model string")
    parser.add_argument("--record", type=Path, help="write the traffic there")
    parser.add_argument("--how", default="", help="how the replies were made: a line for the recording")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    options = parser.parse_args()
    recorder = record_to(options.record, how=options.how) if options.record else None
    figures = run(options.kind, resolve(options.teacher), recorder=recorder)
    if options.record:
        figures["recording"] = check(options.record)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    val, test = figures["val"], figures["test"]
    print(f"teacher {figures['teacher']}: {figures['teacher_calls']} calls, {figures['accepted']} accepted")
    print(f"validation {val['before']:.3f} -> {val['after']:.3f}, held-out {test['before']:.3f} -> {test['after']:.3f}")
    print(f"nodes: {', '.join(figures['nodes'])}")


if __name__ == "__main__":
    main()
