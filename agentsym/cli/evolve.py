"""`agentsym evolve`: let a deployed agent learn, see how that goes, decide on candidates, and check the audit log."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentsym.cli import options
from agentsym.cli.screen import emit, say, screen, warn
from agentsym.errors import UsageError
from agentsym.learning.report.wording import number

if TYPE_CHECKING:
    from agentsym.deploy.decisions import Decisions
    from agentsym.deploy.evolution.evolution import Evolution, Turn
    from agentsym.store.live.releases import Deployment
    from agentsym.store.store import Store

app = typer.Typer(help="Let a deployed agent learn from its traces.", rich_markup_mode=None)

Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The deployment (default: the agent's name, or the only one there is)."),
]
PolicyFile = Annotated[Path | None, typer.Option("--policy", metavar="FILE", help="What may be learned, as YAML.")]
Teacher = Annotated[str | None, typer.Option(metavar="MODEL", help="Writes the edits (default: embedded).")]
Version = Annotated[
    str, typer.Argument(metavar="VERSION", help="A version, or the beginning of it.", show_default=False)
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; the audit log keeps it.")]
Concurrency = Annotated[int, typer.Option(metavar="N", min=1, help="Examples and model calls in flight.")]


@app.command("once")
def once(
    agent: options.AgentName,
    name: Name = None,
    policy: PolicyFile = None,
    student: options.Student = None,
    teacher: Teacher = None,
    concurrency: Concurrency = 8,
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Do what is due: watch the live version, move a candidate on, or learn a new one; until there is nothing to do."""
    from agentsym.cli.signals import Signals
    from agentsym.deploy.evolution.watching import holder, turn_once

    me = holder()
    done: list[Turn] = []

    async def turns(evolution: Evolution) -> None:
        while True:
            turn = await turn_once(evolution, me)
            if turn is None:
                say("another process is at it; this one does nothing")
                return
            done.append(turn)
            _say(turn)
            if turn.what in ("waits", "frozen", "learned", "held", "canary"):
                return

    with _open(store) as opened, Signals() as signals:
        signals.run(turns(_evolution(opened, agent, name, policy, student, teacher, concurrency)))
    if as_json:
        emit([turn.model_dump() for turn in done])


@app.command("watch")
def watch(
    agent: options.AgentName,
    name: Name = None,
    policy: PolicyFile = None,
    student: options.Student = None,
    teacher: Teacher = None,
    concurrency: Concurrency = 8,
    every: Annotated[float, typer.Option(metavar="S", min=0.1, help="Seconds between looks.")] = 30.0,
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Do so again and again until stopped; of several processes that watch one deployment, one is at it."""
    from agentsym.cli.signals import Signals
    from agentsym.deploy.evolution.watching import watch as turns

    async def watching(evolution: Evolution) -> None:
        last = ""
        async for turn in turns(evolution, every=every, told=lambda error: warn(str(error))):
            if turn.model_dump_json() != last:
                last = turn.model_dump_json()
                _say(turn)
                if as_json and not emit(turn.model_dump(), indent=None):
                    return

    with _open(store) as opened, Signals() as signals, suppress(KeyboardInterrupt):
        signals.run(watching(_evolution(opened, agent, name, policy, student, teacher, concurrency)))
    say("stopped; serving goes on, and nothing is learned until it is started again")


@app.command("status")
def status(name: Name = None, store: options.StorePlace = None, as_json: options.Json = False) -> None:
    """Show what is live, what is on its way, and how the versions did."""
    from rich import box
    from rich.table import Table

    with _open(store) as opened:
        deployment = _deployment(opened, name)
        releases = opened.releases.releases(deployment.name)
        totals = opened.traces.totals(deployment.name)
        at_it = opened.leases.holder(f"evolve {deployment.name}")
    if as_json:
        emit(
            {
                **deployment.model_dump(),
                "evolving": at_it,
                "releases": [release.model_dump() for release in releases],
                "totals": totals,
            }
        )
        return
    lines = [f"{deployment.name}: {deployment.live[:12]} is live"]
    if deployment.canary:
        lines.append(f"{deployment.canary[:12]} answers {deployment.share:.0%} of the threads as a canary")
    if deployment.frozen:
        lines.append("learning is frozen; `agentsym evolve unfreeze` lets it go on")
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("version", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for column in ("requests", "failed", "tokens"):
        table.add_column(column, justify="right")
    table.add_column("why", overflow="fold")
    for release in releases:
        used = totals.get(release.version, {})
        figures = (number(used.get(each) or 0) for each in ("requests", "failed", "tokens"))
        table.add_row(release.version[:12], release.state, *figures, release.reason)
    screen().print("\n".join(lines))
    screen().print(table)


@app.command("promote")
def promote(
    version: Version,
    name: Name = None,
    reason: Reason = "a person decided so",
    share: Annotated[
        float | None,
        typer.Option(metavar="S", min=0.0, max=1.0, help="Only for this share of the threads, as a canary."),
    ] = None,
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Let a candidate go live that waits for a person, is a canary, or was compared."""
    _change(store, name, lambda on, live: on.promote(version, expected=live, reason=reason, share=share), as_json)


@app.command("reject")
def reject(
    version: Version,
    name: Name = None,
    reason: Reason = "a person decided so",
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Refuse a candidate; it cannot come again."""
    _change(store, name, lambda on, _: on.reject(version, reason=reason), as_json)


@app.command("rollback")
def rollback(
    to: Annotated[
        str | None, typer.Option(metavar="VERSION", help="The version to go back to (default: the one before).")
    ] = None,
    name: Name = None,
    reason: Reason = "a person decided so",
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Go back to an earlier version; the live one can never come again."""
    _change(store, name, lambda on, live: on.roll_back(to, expected=live, reason=reason), as_json)


@app.command("freeze")
def freeze(
    name: Name = None,
    reason: Reason = "a person decided so",
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Stop learning at once; serving goes on."""
    _change(store, name, lambda on, _: on.freeze(True, reason=reason), as_json)


@app.command("unfreeze")
def unfreeze(
    name: Name = None,
    reason: Reason = "a person decided so",
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Let learning go on."""
    _change(store, name, lambda on, _: on.freeze(False, reason=reason), as_json)


@app.command("verify")
def verify(
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A hash that was printed earlier; it must still stand in the log."),
    ] = None,
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Check the audit log: whether every entry is what it was when it was written."""
    from agentsym.store.live.audit import Broken

    with _open(store) as opened:
        found = opened.audit.verify()
        cut = head is not None and not isinstance(found, Broken) and not opened.audit.holds(head)
    problem = None
    if isinstance(found, Broken):
        problem = f"the audit log was tampered with: entry {found.seq}: {found.problem}"
    elif cut:
        problem = "no entry of the audit log has the hash that was given: entries were cut off, or all written anew"
    last = None if isinstance(found, Broken) else found
    if as_json:
        emit(
            {
                "sound": problem is None,
                "problem": problem,
                "broken": found.seq if isinstance(found, Broken) else None,
                "entries": last.seq if last else 0,
                "head": last.hash if last else None,
            }
        )
    elif problem is None:
        said = "the audit log is empty"
        said = said if last is None else f"{last.seq} entries are sound; the head is {last.hash}"
        screen().print(said, soft_wrap=True)  # a hash that is wrapped cannot be copied
    if problem is not None:
        say(f"error: {problem}", "red")
        raise typer.Exit(1)


@app.command("explain")
def explain(
    version: Version, name: Name = None, store: options.StorePlace = None, as_json: options.Json = False
) -> None:
    """Show what a version changes, and the critiques, edits and evaluations that led to it."""
    from agentsym.deploy.evolution.explain import explain as explained

    with _open(store) as opened:
        found = explained(opened, _deployment(opened, name).name, version)
    if as_json:
        emit(found.model_dump(mode="json"))
    else:
        screen().print(found.text())


def _change(store: str | None, name: str | None, change: Callable[[Decisions, str], object], as_json: bool) -> None:
    """Do what a person has decided about the version that is live, and say how things stand then."""
    from agentsym.deploy.decisions import Decisions

    with _open(store) as opened:
        deployment = _deployment(opened, name)
        change(Decisions(opened, deployment.name, _me()), deployment.live)
        after = _deployment(opened, deployment.name)
    if as_json:
        emit(after.model_dump())
        return
    frozen = "; learning is frozen" if after.frozen else ""
    canary = f", {after.canary[:12]} is a canary for {after.share:.0%} of the threads" if after.canary else ""
    screen().print(f"{after.name}: {after.live[:12]} is live{canary}{frozen}")


def _open(place: str | None) -> Store:
    from agentsym.store.store import Store

    return Store.open(place)


def _deployment(store: Store, name: str | None) -> Deployment:
    there = store.releases.deployments()
    found = [each for each in there if name in (None, each.name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(each.name for each in there)
    if not there:
        raise UsageError("nothing is deployed in this store yet; `agentsym serve AGENT` does it")
    raise UsageError(
        f"there is no deployment {name!r}; there are: {names}" if name else f"--name says which of {names}"
    )


def _evolution(
    store: Store,
    agent: str,
    name: str | None,
    policy: Path | None,
    student: str | None,
    teacher: str | None,
    concurrency: int,
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
    folder = policy.parent if policy else None
    made = Evolution(
        store, name or found.agent.name, found.agent, loaded,
        student=student, teacher=teacher, folder=folder, concurrency=concurrency,
    )  # fmt: skip
    if store.releases.deployment(made.name) is None:
        raise UsageError(f"there is no deployment {made.name!r} in this store; `agentsym serve {agent}` makes it")
    return made


def _say(turn: Turn) -> None:
    version = f" {turn.version[:12]}" if turn.version else ""
    say(f"{turn.what.replace('_', ' ')}{version}: {turn.reason}")


def _me() -> str:
    try:
        return f"{getpass.getuser()} (command line)"
    except (OSError, KeyError):  # nobody in the list of users
        return "command line"
