"""Run rows with the embedded student in this process and on local Ray clusters of one worker and of two.

Rows per second and CPU milliseconds a row, the latter of this process, of the workers and of Ray's daemons; and what a
cluster costs to start and to hold. Two agents: `light` is support_triage as it ships, `heavy` the agent that BANKING77
taught, with a long prompt and 77 labels. Every round runs all rows once after one that warms up; medians are shown, and
each way must have given the same outcomes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agentsym.cli.agents import find_agent
from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel
from agentsym.models.resolve import resolve
from agentsym.network.network import Network
from agentsym.runtime.context import Context
from agentsym.runtime.executors.local import LocalExecutor
from agentsym.runtime.executors.protocol import Executor
from agentsym.runtime.executors.ray import RayExecutor
from agentsym.runtime.forward import run_many
from evals.ray.processes import Used, resident_mib, used

HEAVY = Path(__file__).parent.parent / "banking77" / "learned"
Rows = Sequence[tuple[str, dict[str, Any]]]


class Round(NamedTuple):
    """One run of all rows: seconds on the clock, CPU seconds, and the outputs."""

    wall_s: float
    cpu: Used
    outputs: list[dict[str, Any]]


def agents(count: int) -> dict[str, tuple[Network, Rows]]:
    """Return name → agent and rows."""
    triage = find_agent("support_triage")
    data = triage.data("train")
    assert data is not None
    mails = [json.loads(line) for line in data.read_text("utf-8").splitlines()]
    mails = [mails[at % len(mails)] for at in range(count)]
    names = [field.name for field in triage.agent.inputs]
    light = [(str(at), {name: mail[name] for name in names}) for at, mail in enumerate(mails)]
    heavy = [(str(at), {"message": mail["message"]}) for at, mail in enumerate(mails)]
    return {"light": (triage.agent, light), "heavy": (find_agent(str(HEAVY)).agent, heavy)}


async def measured(executor: Executor, rounds: int, count: int) -> dict[str, Any]:
    """Run all rows of all agents by an executor, and return the figures and outputs by agent."""
    began, found = time.perf_counter(), dict[str, Any]()
    async with executor:
        found["start_s"] = round(time.perf_counter() - began, 2)
        workers = await _workers(executor)
        student = resolve("embedded")  # one for all rounds, as each worker has one
        for name, (agent, rows) in agents(count).items():
            runs = [await _round(executor, student, workers, agent, rows) for _ in range(rounds + 1)][1:]
            found[name] = {**_figures(runs, count), "outputs": runs[0].outputs}
        found["mib"] = round(resident_mib(), 0)
    return found


async def _workers(executor: Executor) -> set[int]:
    """Return the processes that run rows beside this one, when all are there."""
    if not isinstance(executor, RayExecutor):
        return set()
    crew = executor._crew
    assert crew is not None
    while len(crew.members) < crew.size:
        await asyncio.sleep(0.1)
    return {member.pid for member in crew.members}


async def _round(executor: Executor, student: LanguageModel, workers: set[int], agent: Network, rows: Rows) -> Round:
    context = Context(student=student, door=Door())
    cpu, wall = used(workers), time.perf_counter()
    outputs = [run.trajectory.output async for run in run_many(agent, rows, context, executor=executor)]
    return Round(time.perf_counter() - wall, used(workers) - cpu, outputs)


def _figures(runs: Sequence[Round], count: int) -> dict[str, float]:
    def ms(part: str) -> float:
        return round(statistics.median(1000 * getattr(run.cpu, part) / count for run in runs), 3)

    parts = {part: ms(part) for part in Used._fields}
    return {
        "rows_a_s": round(count / statistics.median(run.wall_s for run in runs), 1),
        **{f"cpu_ms_{part}": value for part, value in parts.items()},
        "cpu_ms": round(sum(parts.values()), 3),
    }


def compare(count: int, rounds: int, workers: Sequence[int]) -> dict[str, Any]:
    """Measure every way and return name → figures.

    Raises:
        ValueError: two ways gave different outcomes.
    """
    ways = {"local": asyncio.run(measured(LocalExecutor(), rounds, count))}
    for number in workers:
        name = f"ray, {number} worker{'s' * (number > 1)}"
        ways[name] = asyncio.run(measured(RayExecutor(workers=number), rounds, count))
    for name in agents(1):
        outputs = [way[name].pop("outputs") for way in ways.values()]
        if any(other != outputs[0] for other in outputs):
            raise ValueError(f"the ways gave different outcomes for {name}")
    return {"rows": count, "rounds": rounds, "cpus": len(os.sched_getaffinity(0)), "ways": ways}


def _table(found: Mapping[str, Any]) -> str:
    lines = [
        f"{found['rows']} rows, medians of {found['rounds']} rounds, {found['cpus']} CPUs",
        f"{'':16}{'agent':>8}{'rows/s':>9}{'CPU ms/row':>12}{'driver':>9}{'workers':>9}{'daemons':>9}",
    ]
    for name, way in found["ways"].items():
        for agent in ("light", "heavy"):
            row = way[agent]
            lines.append(
                f"{name:16}{agent:>8}{row['rows_a_s']:>9.0f}{row['cpu_ms']:>12.2f}{row['cpu_ms_driver']:>9.2f}"
                f"{row['cpu_ms_workers']:>9.2f}{row['cpu_ms_daemons']:>9.2f}"
            )
    for name, way in found["ways"].items():
        if name != "local":
            lines.append(f"{name}: {way['start_s']:.1f} s to start, {way['mib']:,.0f} MiB resident beside the driver")
    return "\n".join(lines)


def main() -> None:
    """Measure and print a table, or with --json one document."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.ray", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1000, help="rows a round (default 1000)")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds (default 5)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="sizes of the clusters (default 1 2)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    args = parser.parse_args()
    found = compare(args.rows, args.rounds, args.workers)
    print(json.dumps(found, indent=1) if args.json else _table(found))


if __name__ == "__main__":
    main()
