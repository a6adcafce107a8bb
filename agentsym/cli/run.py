"""`agentsym run`: run an agent on one input, or on a file of rows as a stream.

A row whose run fails is reported and the others go on; the exit code then says that some failed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentsym.cli import options
from agentsym.cli.screen import as_json_line, emit, say, screen
from agentsym.errors import UsageError

if TYPE_CHECKING:
    from agentsym.cli.agents import Found
    from agentsym.learning.protocols import Row
    from agentsym.network.records import Trajectory


def run(
    agent: options.AgentName,
    given: Annotated[
        str | None, typer.Option("--input", metavar="JSON", help="One input, as a JSON object: field → value.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows to run; one JSON object a row is written to stdout.")
    ] = None,
    student: options.Student = None,
    as_json: options.Json = False,
) -> None:
    """Run AGENT on one --input, or on all rows of --data."""
    from agentsym.cli.agents import check_models, find_agent

    if (given is None) == (data is None):
        raise UsageError("give either --input JSON or --data FILE")
    found = find_agent(agent)
    student = check_models(found, student)
    failed = _run_one(found, given, student, as_json) if given is not None else _run_all(found, data, student, as_json)
    if failed:
        raise typer.Exit(1)


def _run_one(found: Found, text: str, student: str, as_json: bool) -> int:
    """Run one input, write its output, and return 1 if it failed."""
    from agentsym.learning.protocols import Row
    from agentsym.runtime.forward import accepted

    try:
        row = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--input is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise UsageError('--input must be a JSON object, for example {"message": "…"}')
    beside = {"id", *found.agent.outputs}  # a whole row of a data set will do
    inputs = accepted(found.agent, {name: value for name, value in row.items() if name not in beside})
    done: list[Trajectory] = []
    _each(found, [Row(id="input", inputs=inputs)], student, lambda _, trajectory: done.append(trajectory))
    trajectory = done[0]
    if as_json:
        emit(
            {
                "agent": found.agent.name,
                "version": trajectory.version,
                **_result(trajectory),
                "usage": trajectory.usage.model_dump(),
                "seconds": trajectory.seconds,
            }
        )
    elif trajectory.status != "error":
        width = max(map(len, trajectory.output), default=0)
        for name, value in trajectory.output.items():
            shown = value if isinstance(value, str) else as_json_line(value)
            screen().print(f"{name:<{width}}  {shown}", soft_wrap=True)
    if trajectory.status == "error":
        say(f"error: {trajectory.error}", "red")
        return 1
    return 0


def _run_all(found: Found, data: Any, student: str, as_json: bool) -> int:
    """Run all rows of a file, write what comes out as it comes, and return how many failed."""
    from agentsym.learning.dataset import Dataset

    rows = Dataset(found.agent, notice=lambda text: say(f"note: {text}")).load(data)
    failed = 0
    results: list[dict[str, Any]] = []

    def take(row: Row, trajectory: Trajectory) -> None:
        nonlocal failed
        result = {"id": row.id, **_result(trajectory)}
        if trajectory.status == "error":
            failed += 1
            say(f"{row.source}: row {row.id} failed: {trajectory.error}", "red")
        if as_json:
            results.append(result)
        else:
            emit(result, indent=None)

    _each(found, rows, student, take)
    if as_json:
        emit(
            {
                "agent": found.agent.name,
                "version": found.agent.version,
                "n": len(rows),
                "failed": failed,
                "rows": results,
            }
        )
    say(f"{len(rows)} rows, {failed} failed")
    return failed


def _each(found: Found, rows: Iterable[Row], student: str, take: Any) -> None:
    """Run rows side by side and hand each (row, trajectory) on, in their order."""
    from agentsym.models.door import Door
    from agentsym.runtime.context import Context, student_model
    from agentsym.runtime.forward import forward
    from agentsym.runtime.loop import run_sync
    from agentsym.runtime.ordered import in_order

    context = Context(student=student_model(student), door=Door())

    async def one(row: Row) -> tuple[Row, Trajectory]:
        return row, await forward(found.agent, row.inputs, context, example_id=row.id)

    async def everything() -> None:
        async for row, trajectory in in_order(one, tuple(rows), 8):
            take(row, trajectory)

    run_sync(everything())


def _result(trajectory: Trajectory) -> dict[str, Any]:
    if trajectory.status == "error":
        return {"error": trajectory.error}
    return {"output": trajectory.output}
