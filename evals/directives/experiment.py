"""The experiment: train the agent from each seed in each configuration and see which lines hold."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from agentsym import Agent
from agentsym.learning import ReplacementSampler, Trainer
from agentsym.store.store import Store
from evals.directives.student import Student
from evals.directives.teacher import TeacherDouble
from evals.directives.world import HIDDEN, NODES, chain, rows, rules_at

STEPS, BATCH, TRAIN, HELD_OUT = 40, 8, 60, 200
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "full": {},
    "no gate": {"gate": "always"},
    # Shown, not judged: a teacher that falls silent where it sees nothing wrong hardly needs a gate in this world.
    "no gate, teacher rests": {"gate": "always", "rests": True},
    "no back-propagation": {"order": "last"},
}
_loaded: dict[Path, Any] = {}  # the model of a worker process, read once


class Outcome(NamedTuple):
    """One seed: exact match on the held-out rows, the directives found, and what it took."""

    seed: int
    exact: float
    directives: dict[str, list[str]]
    requests: int
    forwards: int
    cpu_seconds: float


def run(seed: int, name: str, steps: int, model_path: Path) -> Outcome:
    """Train one agent and return what its head reaches."""
    started = time.process_time()
    student = Student(_model(model_path))
    forwards, completed = student.model.forwards, student.model.completed
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "run.db") as store:
        settings = {"gate": "paper", "order": "reverse", **CONFIGURATIONS[name]}
        teacher = TeacherDouble(seed, rests=settings.pop("rests", False))
        trained = Trainer(
            chain(),
            rows(seed, "train", TRAIN),
            optimizer="paper",
            val=(),
            metric=None,  # the teacher scores: of a run that a metric finds perfect it would not be asked at all
            student=student,
            teacher=teacher,
            sampler=ReplacementSampler(BATCH, seed),
            store=store,
            cache=False,
            steps=steps,
            lr=1.0,
            lr_decay=1.0,
            patience=None,
            seed=seed,
            **settings,
        ).fit()
    counted = trained.ledger.total().calls
    if student.asked != counted or counted < len(NODES) * BATCH * steps:
        raise AssertionError(f"{student.asked} requests reached the student, the ledger counted {counted}")
    exact = exact_match(trained.head, student, seed)
    spent = student.model.forwards - forwards
    if student.model.completed - completed != student.asked or not spent:
        raise AssertionError(f"of {student.asked} requests the model completed {student.model.completed - completed}")
    found = {node: [rule.text for rule in rules_at(trained.head, node)] for node in NODES}
    return Outcome(seed, exact, found, student.asked, spent, time.process_time() - started)


def exact_match(agent: Agent, student: Student, seed: int = 0) -> float:
    """Return the share of held-out texts that an agent transforms without a mistake."""
    held_out = rows(seed, "held-out", HELD_OUT)
    outputs = agent.batch([row.inputs for row in held_out], student=student, concurrency=50)
    return sum(output == row.expected for row, output in zip(held_out, outputs, strict=True)) / len(held_out)


def bounds(model_path: Path) -> tuple[float, float]:
    """Return the exact match of the agent without directives, and with those of the hidden task."""
    student = Student(_model(model_path))
    return exact_match(chain(), student), exact_match(chain(HIDDEN), student)


def measure(name: str, seeds: int, steps: int, workers: int, model_path: Path) -> list[Outcome]:
    """Return the outcome of every seed of one configuration."""
    # A fresh interpreter a worker: torch may have started threads here, which a fork would not survive.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(run, seed, name, steps, model_path) for seed in range(seeds)]
        return [job.result() for job in jobs]


def verdicts(exact: Mapping[str, Sequence[float]]) -> dict[str, bool]:
    """Return for each line whether it holds, of those whose configuration was run."""
    mean = {name: statistics.fmean(values) for name, values in exact.items()}
    held: dict[str, bool] = {}
    if "full" in exact:
        held["full: median ≥ .95"] = statistics.median(exact["full"]) >= 0.95
        held["full: mean ≥ .70"] = mean["full"] >= 0.70
    for name, most in {"no gate": 0.60, "no back-propagation": 0.05}.items():
        if name in exact:
            held[f"{name}: mean ≤ {most:.2f}"] = mean[name] <= most
    return held


def _model(path: Path) -> Any:
    """Read the model once a process, and keep torch to one thread."""
    if path not in _loaded:
        import torch

        from evals.directives.model import load_or_train

        torch.set_num_threads(1)
        _loaded[path] = load_or_train(path)
    return _loaded[path]
