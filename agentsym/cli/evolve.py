"""`agentsym evolve`: let a deployed agent learn, see how that goes, decide on candidates, and check the audit log."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from agentsym.cli import evolve_turns, options
from agentsym.cli.screen import emit, say, screen
from agentsym.errors import UsageError
from agentsym.learning.report.wording import number

if TYPE_CHECKING:
    from agentsym.deploy.decisions import Decisions
    from agentsym.store.live.lifecycle import Deployment
    from agentsym.store.store import Store

app = typer.Typer(help="Let a deployed agent learn from its traces.", rich_markup_mode=None)
app.command("once")(evolve_turns.once)
app.command("watch")(evolve_turns.watch)

Version = Annotated[
    str, typer.Argument(metavar="VERSION", help="A version, or the beginning of it.", show_default=False)
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; the audit log keeps it.")]


@app.command("status")
def status(name: options.Deployed = None, store: options.StorePlace = None, as_json: options.Json = False) -> None:
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
    name: options.Deployed = None,
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
    name: options.Deployed = None,
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
    name: options.Deployed = None,
    reason: Reason = "a person decided so",
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Go back to an earlier version; the live one can never come again."""
    _change(store, name, lambda on, live: on.roll_back(to, expected=live, reason=reason), as_json)


@app.command("freeze")
def freeze(
    name: options.Deployed = None,
    reason: Reason = "a person decided so",
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Stop learning at once; serving goes on."""
    _change(store, name, lambda on, _: on.freeze(True, reason=reason), as_json)


@app.command("unfreeze")
def unfreeze(
    name: options.Deployed = None,
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
    version: Version, name: options.Deployed = None, store: options.StorePlace = None, as_json: options.Json = False
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

    return Store.open(place, create=False)


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


def _me() -> str:
    try:
        return f"{getpass.getuser()} (command line)"
    except (OSError, KeyError):  # nobody in the list of users
        return "command line"
