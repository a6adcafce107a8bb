"""`agentsym evolve once` and `watch`: turning the wheel of a deployed agent, once or until stopped."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentsym.cli import executors, options
from agentsym.cli.screen import emit, say, warn
from agentsym.errors import AgentsymError, RunStopped

if TYPE_CHECKING:
    from agentsym.deploy.evolution.evolution import Evolution, Turn
    from agentsym.store.store import Store

PolicyFile = Annotated[Path | None, typer.Option("--policy", metavar="FILE", help="What may be learned, as YAML.")]
Teacher = Annotated[str | None, typer.Option(metavar="MODEL", help="Writes the edits (default: embedded).")]
Concurrency = Annotated[int, typer.Option(metavar="N", min=1, help="Examples and model calls in flight.")]


def once(
    agent: options.AgentName,
    name: options.Deployed = None,
    policy: PolicyFile = None,
    student: options.Student = None,
    teacher: Teacher = None,
    concurrency: Concurrency = 8,
    executor: executors.Name = None,
    ray_address: executors.Address = None,
    workers: executors.Workers = None,
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Do what is due: watch the live version, move a candidate on, or learn a new one; until there is nothing to do."""
    from agentsym.cli.signals import Signals
    from agentsym.deploy.evolution.watching import holder, turn_once
    from agentsym.store.store import Store

    me = holder()
    done: list[Turn] = []
    where = executors.Where.given(executor, ray_address, workers)

    async def turns(evolution: Evolution) -> None:
        evolution.deployment()
        async with evolution.means.executor:
            while (turn := await turn_once(evolution, me)) is not None:
                done.append(turn)
                _say(turn)
                if turn.what in ("waits", "frozen", "nothing", "held", "canary"):
                    return
        say("another process is at it; this one does nothing")

    with Store.open(store) as opened, Signals() as signals:
        try:
            signals.run(turns(_evolution(opened, agent, name, policy, student, teacher, concurrency, where)))
        except KeyboardInterrupt:
            raise RunStopped(
                "interrupted; what was learned so far stays in the store, and the next turn goes on"
            ) from None
    if as_json:
        emit([turn.model_dump() for turn in done])


def watch(
    agent: options.AgentName,
    name: options.Deployed = None,
    policy: PolicyFile = None,
    student: options.Student = None,
    teacher: Teacher = None,
    concurrency: Concurrency = 8,
    executor: executors.Name = None,
    ray_address: executors.Address = None,
    workers: executors.Workers = None,
    every: Annotated[float, typer.Option(metavar="S", min=0.1, help="Seconds between looks.")] = 30.0,
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Do so again and again until stopped; of several processes that watch one deployment, one is at it."""
    from agentsym.cli.signals import Signals
    from agentsym.deploy.evolution.watching import watch as turns
    from agentsym.store.store import Store

    where = executors.Where.given(executor, ray_address, workers)

    warned: set[str] = set()

    def told(error: AgentsymError) -> None:
        """Warn of an error once, not at every look: a deployment may be begun later than its evolution."""
        if str(error) not in warned:
            warned.add(str(error))
            warn(str(error))

    async def watching(evolution: Evolution) -> None:
        last = ""
        async with evolution.means.executor:
            async for turn in turns(evolution, every=every, told=told):
                if turn.model_dump_json() != last:
                    last = turn.model_dump_json()
                    _say(turn)
                    if as_json and not emit(turn.model_dump(), indent=None):
                        return

    with Store.open(store) as opened, Signals() as signals, suppress(KeyboardInterrupt):
        signals.run(watching(_evolution(opened, agent, name, policy, student, teacher, concurrency, where)))
    say("stopped; serving goes on, and nothing is learned until it is started again")


def _evolution(
    store: Store,
    agent: str,
    name: str | None,
    policy: Path | None,
    student: str | None,
    teacher: str | None,
    concurrency: int,
    where: executors.Where,
) -> Evolution:
    from agentsym.cli.agents import check_models, find_agent
    from agentsym.deploy.evolution.evolution import Evolution
    from agentsym.deploy.policy import load_policy
    from agentsym.models.resolve import resolve

    found = find_agent(agent)
    loaded = load_policy(policy)
    student = check_models(found, student)
    if teacher is not None:
        resolve(teacher)
    made = Evolution(
        store, name or found.agent.name, found.agent, loaded,
        student=student, teacher=teacher, executor=where.executor(), concurrency=concurrency,
    )  # fmt: skip
    return made


def _say(turn: Turn) -> None:
    version = f" {turn.version[:12]}" if turn.version else ""
    say(f"{turn.what.replace('_', ' ')}{version}: {turn.reason}")
