"""`agentsym run`: run an agent on one input, or on a file of rows as a stream.

A row whose run fails is reported and the others go on; the exit code then says that some failed. Rows are read as they
are needed, and what ends the stream early takes nothing of what was done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from agentsym.cli import caps, executors, options
from agentsym.cli.screen import emit, say, screen, told
from agentsym.errors import AgentsymError, BudgetExceeded, Unavailable, UsageError
from agentsym.learning.report.wording import count, number
from agentsym.network.shown import shown

if TYPE_CHECKING:
    from agentsym.cli.agents import Found
    from agentsym.learning.protocols import Row
    from agentsym.network.network import Network
    from agentsym.network.records import Trajectory
    from agentsym.runtime.context import Context


def run(
    agent: options.AgentName,
    given: Annotated[
        str | None, typer.Option("--input", metavar="JSON", help="One input, as a JSON object: field → value.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows to run; one JSON object a row is written to stdout.")
    ] = None,
    student: options.Student = None,
    concurrency: caps.Concurrency = None,
    max_calls: caps.MaxCalls = None,
    max_tokens: caps.MaxTokens = None,
    max_usd: caps.MaxUsd = None,
    max_seconds: caps.MaxSeconds = None,
    executor: executors.Name = None,
    ray_address: executors.Address = None,
    workers: executors.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Run AGENT on one --input, or on all rows of --data."""
    from agentsym.cli.agents import check_models, find_agent

    if (given is None) == (data is None):
        raise UsageError("give either --input JSON or --data FILE")
    where = executors.Where.given(executor, ray_address, workers)
    if given is not None and where != executors.Where():
        raise UsageError("--executor ray is for the rows of --data; one --input is run here")
    limits = caps.Caps.given(max_calls, max_tokens, max_usd, max_seconds, concurrency)
    found = find_agent(agent)
    student = check_models(found, student)
    runs = Runs(found, student, limits, where)
    code = _run_one(runs, given, as_json) if given is not None else _run_all(runs, data, as_json)
    raise typer.Exit(code)


class Runs(NamedTuple):
    """What to run, by whom, what that may use, and where."""

    found: Found
    student: str
    caps: caps.Caps
    where: executors.Where

    def each(self, rows: Iterable[Row], take: Callable[[Row, Trajectory], None]) -> AgentsymError | None:
        """Run rows side by side and hand each (row, trajectory) on, in their order; return what ended it early."""
        from agentsym.cli.streaming import stream

        context = asking(self.found.agent, self.student, self.caps)
        executor = self.where.executor()

        async def one(row: Row) -> Trajectory:
            trajectory, error = await executor.run(self.found.agent, row.inputs, context, example_id=row.id)
            if isinstance(error, BudgetExceeded | Unavailable):
                raise error  # every other row would meet it too
            return trajectory

        return stream(rows, one, take, executor, self.caps.concurrency)


def asking(agent: Network, student: str, caps: caps.Caps) -> Context:
    """Return the context of a command that asks models within its caps.

    Raises:
        UsageError: there is a cap on dollars, and nobody knows what a model costs.
    """
    from agentsym.learning.node_models import models_asked
    from agentsym.models.door import Door
    from agentsym.runtime.context import Context, student_model

    context = Context(student=student_model(student), door=Door(concurrency=caps.concurrency, budget=caps.budget()))
    for model in (context.student, *map(context.model, models_asked(agent))):
        context.door.check_price(model)
    return context


def _run_one(runs: Runs, text: str, as_json: bool) -> int:
    """Run one input, write its output, and return the exit code."""
    from agentsym.learning.protocols import Row
    from agentsym.runtime.forward import accepted

    try:
        row = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--input is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise UsageError('--input must be a JSON object, for example {"message": "…"}')
    agent = runs.found.agent
    beside = {"id", *agent.outputs}  # a whole row of a data set will do
    inputs = accepted(agent, {name: value for name, value in row.items() if name not in beside})
    done: list[Trajectory] = []
    stopped = runs.each([Row(id="input", inputs=inputs)], lambda _, trajectory: done.append(trajectory))
    if stopped is not None:
        raise stopped
    trajectory = done[0]
    result = _result(trajectory)
    if as_json:
        used = {"usage": trajectory.usage.model_dump(), "seconds": trajectory.seconds}
        emit({"agent": agent.name, "version": trajectory.version, **result, **used})
    elif "error" not in result:
        width = max(map(len, trajectory.output), default=0)
        for name, value in trajectory.output.items():
            screen().print(f"{name:<{width}}  {shown(value)}", soft_wrap=True)
    if "error" in result:
        say(f"error: {result['error']}", "red")
        return 1
    return 0


def _run_all(runs: Runs, data: Any, as_json: bool) -> int:
    """Run all rows of a file, write what comes out as it comes, and return the exit code."""
    from agentsym.cli.streaming import Enough
    from agentsym.learning.dataset import Dataset

    agent = runs.found.agent
    done = failed = 0
    results: list[dict[str, Any]] = []

    def take(row: Row, trajectory: Trajectory) -> None:
        nonlocal done, failed
        result = {"id": row.id, **_result(trajectory)}
        done += 1
        if "error" in result:
            failed += 1
            say(f"{row.source}: row {row.id} failed: {result['error']}", "red")
        if as_json:
            results.append(result)
        elif not emit(result, indent=None):
            raise Enough

    rows = Dataset(agent, notice=lambda text: say(f"note: {text}")).rows(data)
    stopped = runs.each(rows, take)
    message, code = (None, 1 if failed else 0) if stopped is None else told(stopped)
    if as_json:
        head = {"agent": agent.name, "version": agent.version, "n": done, "failed": failed, "error": message}
        emit({**head, "rows": results})
    if done or message is None:
        say(f"{count(done, 'row')}, {number(failed)} failed")
    if message is not None:
        say(f"error: {message}", "red")
    return code


def _result(trajectory: Trajectory) -> dict[str, Any]:
    if trajectory.status == "ok":
        return {"output": trajectory.output}
    return {"error": trajectory.error or why_capped(trajectory)}


def why_capped(trajectory: Trajectory) -> str:
    """Say why a run that met no error has no answer all the same."""
    path = " → ".join(step.node for step in trajectory.steps)
    return f"it went round in circles until a visit limit ({path}); raise max_visits, or give the cycle a way out"
