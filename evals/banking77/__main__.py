"""Optimize one prompt node over 77 intents of real messages to a bank, offline, from bare label names.

`python -m evals.banking77 --data DIR --json` runs three seeds and nothing else, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from evals.banking77.experiment import FILES, VARIANTS, run, summary


def main() -> None:
    """Run the seeds and print their figures, or with --json one document."""
    parser = argparse.ArgumentParser(prog="python -m evals.banking77", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with train.jsonl, val.jsonl and test.jsonl")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ablations", action="store_true", help="also: examples only, no examples, no gate")
    parser.add_argument(
        "--optimizer",
        choices=("symbolic", "paper"),
        default="symbolic",
        help="paper runs every row of the batch at each step, symbolic only those that can tell something new",
    )
    parser.add_argument("--workers", type=int, default=1, help="seeds at once, each in a process of its own")
    parser.add_argument("--save", type=Path, help="folder for the learned agent of seed 0")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    options = parser.parse_args()
    missing = [f"{name}.jsonl" for name in FILES if not (options.data / f"{name}.jsonl").is_file()]
    if missing:
        sys.exit(f"error: {options.data} lacks {', '.join(missing)}; name the folder of the data with --data")
    variants = list(VARIANTS) if options.ablations else ["full"]
    jobs = [(variant, seed) for variant in variants for seed in range(options.seeds)]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        runs = list(
            pool.map(
                run,
                [str(options.data)] * len(jobs),
                [variant for variant, _ in jobs],
                [seed for _, seed in jobs],
                [options.optimizer] * len(jobs),
                [str(options.save) if options.save and job == ("full", 0) else None for job in jobs],
            )
        )
    means = summary(runs)
    plain = [{name: value for name, value in run.items() if name != "scores"} for run in runs]
    if options.json:
        print(json.dumps({**means, "runs": plain}, indent=1))
        return
    for row in plain:
        print(
            f"{row['variant']:28} seed {row['seed']}: test {row['test']['before']:.3f} -> {row['test']['after']:.3f}, "
            f"{row['accepted']} of {row['steps']} steps kept, {row['student_calls']['all']:,} student calls, "
            f"{row['cpu_s']:.0f} CPU s, {row['peak_mib']} MiB"
        )
    for variant, figures in means["variants"].items():
        print(f"{variant:28} mean:   test {figures['test']['before']:.3f} -> {figures['test']['after']:.3f}")
    if "full_over_examples_only" in means:
        gain = means["full_over_examples_only"]
        print(f"full over examples only: {gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]")


if __name__ == "__main__":
    main()
