"""The experiment: one prompt node over 77 intents, from bare label names, in several variants and seeds.

A seed decides which tenth of the training rows each step leaves out. Everything is chosen on train and val; test rows
are for the final figures only.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentsym import Agent, Choice, Examples, PromptNode, Rules
from agentsym.learning import Trainer
from agentsym.learning.statistics import paired_bootstrap
from agentsym.store.store import Store

INSTRUCTIONS = "Decide what the customer of a bank wants."
LEFT_OUT = 0.1  # share of train that a step does not see
FILES = ("train", "val", "test")
VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    "examples only": {"freeze": ("rules", "choices/intent")},
    "definitions and rules only": {"freeze": ("examples",)},
    "no gate": {"gate": "always"},
}


def bare_agent(labels: Sequence[str]) -> Agent:
    """Return the start: one sentence and the label names, with the limits of the task."""
    node = PromptNode(
        "triage",
        INSTRUCTIONS,
        inputs=["message"],
        output={"intent": Choice(labels, max_chars=200)},
        rules=Rules(max_chars=120, max_per_label=5),
        examples=Examples(max_per_label=8),
    )
    return Agent("banking77", [node]).freeze("triage/instructions")


def run(folder: str, variant: str, seed: int, optimizer: str, save: str | None) -> dict[str, Any]:
    """Train one seed of one variant; returns its figures.

    `student_calls` are the prompts that were run, by phase: in batches, at the gate (the baseline included) and in the
    final test. The embedded student is never cached, so each is counted.
    """
    started, cpu = time.perf_counter(), time.process_time()
    data = {name: Path(folder) / f"{name}.jsonl" for name in FILES}
    rows = [json.loads(line) for line in data["train"].read_text("utf-8").splitlines()]
    agent = bare_agent(sorted({row["intent"] for row in rows}))
    options = VARIANTS[variant]
    agent = agent.freeze(*(f"triage/{name}" for name in options.get("freeze", ())))
    with tempfile.TemporaryDirectory() as scratch, Store.open(Path(scratch) / "store.db") as store:
        trained = Trainer(
            agent,
            data["train"],
            val=data["val"],
            test=data["test"],
            student="embedded",
            teacher="embedded",
            optimizer=optimizer,
            gate=options.get("gate"),
            batch=round((1 - LEFT_OUT) * len(rows)),
            seed=seed,
            store=store,
            cache=False,
        ).fit()
    assert trained.tested is not None
    if save is not None:
        trained.save(save)
    calls = {phase: usage.calls for phase, usage in trained.ledger.by_phase().items()}
    return {
        "variant": variant,
        "seed": seed,
        "version": trained.best.version,
        "val": dict(zip(("before", "after"), trained.val, strict=True)) if trained.val else None,
        "test": {"before": _mean(trained.tested.before), "after": _mean(trained.tested.after)},
        "steps": len(trained.steps),
        "accepted": trained.accepted,
        "student_calls": {**calls, "all": sum(calls.values())},
        "wall_s": round(time.perf_counter() - started, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "scores": {"before": trained.tested.before, "after": trained.tested.after},
    }


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the means over the seeds of each variant, and full against examples only, paired row by row."""
    table: dict[str, Any] = {}
    for variant in dict.fromkeys(run["variant"] for run in runs):
        own = [run for run in runs if run["variant"] == variant]
        table[variant] = {
            name: {when: _mean([run[name][when] for run in own]) for when in ("before", "after")}
            for name in ("val", "test")
            if all(run[name] for run in own)  # without a gate nobody looks at validation
        }
    result = {**table["full"], "variants": table}
    if "examples only" in table:
        full, examples = (
            [_mean(scores) for scores in zip(*(r["scores"]["after"] for r in runs if r["variant"] == v), strict=True)]
            for v in ("full", "examples only")
        )
        result["full_over_examples_only"] = paired_bootstrap(examples, full)._asdict()
    return result


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
