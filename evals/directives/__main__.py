"""The command: `python -m evals.directives` prints a table and which lines hold."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import evals.directives

NO_TORCH = "this eval trains a small transformer and needs torch: python -m pip install 'torch==2.13.0'"


def default_model_path() -> Path:
    """Return where the trained model is kept: in the user's cache folder of agentsym."""
    from platformdirs import user_cache_path

    return user_cache_path("agentsym", appauthor=False) / "evals" / "directives-1.npz"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    if find_spec("torch") is None:
        raise SystemExit(NO_TORCH)
    from evals.directives import experiment

    options = _parser(experiment.CONFIGURATIONS, experiment.STEPS).parse_args(arguments)
    if not options.model.exists():
        print(f"training the model, about a minute; it is kept in {options.model}", file=sys.stderr)
    before, ceiling = experiment.bounds(options.model)
    outcomes, wall = {}, {}
    for name in options.only:
        started = time.monotonic()
        outcomes[name] = experiment.measure(name, options.seeds, options.steps, options.workers, options.model)
        wall[name] = time.monotonic() - started
    held = experiment.verdicts({name: [outcome.exact for outcome in found] for name, found in outcomes.items()})
    table = {name: _row(found, wall[name]) for name, found in outcomes.items()}
    if options.json:
        seeds = {name: [outcome._asdict() for outcome in found] for name, found in outcomes.items()}
        shown = {"seeds": options.seeds, "steps": options.steps, "before": before, "hand-written": ceiling}
        print(json.dumps({**shown, "configurations": table, "lines": held, "outcomes": seeds}, indent=1))
        return
    print(f"exact match of {options.seeds} seeds after {options.steps} steps")
    print(f"without directives {before:.3f}, with those of the hidden task {ceiling:.3f}")
    print(f"{'configuration':24}{'mean':>7}{'median':>8}{'≥ .98':>7}{'forwards':>10}{'CPU s':>8}{'wall s':>8}")
    for name, row in table.items():
        print(
            f"{name:24}{row['mean']:7.3f}{row['median']:8.3f}{row['solved']:7d}{row['forwards']:10d}"
            f"{row['cpu_seconds']:8.0f}{row['wall_seconds']:8.0f}"
        )
    for claim, holds in held.items():
        print(f"{'holds' if holds else 'MISSED'}: {claim}")


def _parser(configurations: dict[str, Any], steps: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.directives",
        description=evals.directives.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = list(configurations)
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--only", nargs="*", default=names, choices=names, help="names of configurations")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", type=Path, default=default_model_path(), help="the trained model; made if missing")
    parser.add_argument("--json", action="store_true")
    return parser


def _row(found: Sequence[Any], wall: float) -> dict[str, Any]:
    exact = [outcome.exact for outcome in found]
    return {
        "mean": statistics.fmean(exact),
        "median": statistics.median(exact),
        "solved": sum(value >= 0.98 for value in exact),
        "forwards": sum(outcome.forwards for outcome in found),
        "cpu_seconds": sum(outcome.cpu_seconds for outcome in found),
        "wall_seconds": wall,
    }


if __name__ == "__main__":
    main()
