"""`agentsym traces import`: take over what agents of any framework have left in files of traces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agentsym.cli import options
from agentsym.cli.screen import emit, say, screen, warn
from agentsym.errors import DataError, UsageError
from agentsym.learning.report.wording import count

if TYPE_CHECKING:
    from agentsym.deploy.traces.found import ImportedTrace, Unusable
    from agentsym.deploy.traces.importing import Keeper

app = typer.Typer(help="Traces of agents, from wherever they are kept.", rich_markup_mode=None)

SHOWN, LISTED = 5, 100
Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files of traces, gzipped or not.")]
Agent = Annotated[str, typer.Option("--agent", metavar="AGENT", help=options.AGENT_HELP)]
FormatName = Annotated[
    Literal["auto", "otlp", "langfuse", "mlflow", "jsonl"], typer.Option("--format", help="What the files hold.")
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="PATH=FIELD", help="Where a field of the agent stands in a trace, as in input.question=text."
    ),
]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Write rows here, as JSONL for agentsym optimize.")]
Deployment = Annotated[
    str | None, typer.Option(metavar="NAME", help="Write traces and feedback into the store, as this deployment's.")
]
Liked = Annotated[bool, typer.Option("--liked", help="Take answers with the best score as labels.")]
PolicyFile = Annotated[Path | None, typer.Option("--policy", metavar="FILE", help="What is redacted, as YAML.")]


@app.command("import")
def import_(
    files: Files,
    agent: Agent,
    format: FormatName = "auto",
    maps: Map = None,
    out: Out = None,
    deployment: Deployment = None,
    liked: Liked = False,
    policy: PolicyFile = None,
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Read traces of OTLP, Langfuse, MLflow or plain JSONL as data to improve AGENT with.

    They become rows (--out), or traces with feedback from which a deployed agent learns (--deployment).
    """
    from agentsym.cli.agents import find_agent
    from agentsym.deploy.policy import load_policy
    from agentsym.deploy.redaction import Redactor
    from agentsym.deploy.traces.importing import Keeper, imported, row_of, write_rows
    from agentsym.store.store import Store

    if out is None and deployment is None:
        raise UsageError("say where the traces go: --out rows.jsonl, or --deployment NAME")
    if out is not None and (source := _same(out, files)) is not None:
        raise UsageError(f"--out {out} is {source}, which is read; name another file")
    network = find_agent(agent).agent
    redactor = Redactor(load_policy(policy).traces)
    taken = _Taken()
    chosen = None if format == "auto" else format
    found = taken.watch(imported(files, network, format=chosen, maps=options.columns_of(maps)))
    with ExitStack() as stack:
        keeper: Keeper | None = None
        if deployment is not None:
            opened = stack.enter_context(Store.open(store))
            if opened.releases.deployment(deployment) is None:
                warn(
                    f"there is no deployment {deployment!r} yet; nothing learns from these traces until "
                    "`agentsym serve` begins one of this name in this store"
                )
            keeper = Keeper(opened, redactor, deployment, network.version)
            found = _kept(found, keeper)
        if out is not None:
            write_rows(out.expanduser(), (row_of(trace, redactor, liked=liked) for trace in found))
        else:
            for _ in found:
                pass
        if keeper is not None:
            keeper.flush()
    if not taken.usable:
        raise DataError(_nothing(taken))
    _tell(taken, out, keeper, agent, as_json)


def _same(out: Path, files: list[Path]) -> Path | None:
    """Return the input that a file is, by whatever path it is named; None if it is none of them."""
    there = out.expanduser()
    return next((file for file in files if there.exists() and file.exists() and there.samefile(file)), None)


class _Taken:
    """The account of an import."""

    def __init__(self) -> None:
        self.usable = self.labelled = self.judged = self.failed = self.bad = 0
        self.unusable: list[Unusable] = []

    def watch(self, found: Iterator[ImportedTrace | Unusable]) -> Iterator[ImportedTrace]:
        """Hand on the traces, and count all."""
        from agentsym.deploy.traces.found import Unusable

        for item in found:
            if isinstance(item, Unusable):
                self.bad += 1
                if len(self.unusable) < LISTED:
                    self.unusable.append(item)
                continue
            self.usable += 1
            self.labelled += item.expected is not None
            self.judged += item.score is not None
            self.failed += item.error is not None
            yield item


def _kept(found: Iterator[ImportedTrace], keeper: Keeper) -> Iterator[ImportedTrace]:
    for trace in found:
        keeper.add(trace)
        yield trace


def _nothing(taken: _Taken) -> str:
    if not taken.bad:
        return "there is no trace in these files"
    first = "\n".join(f"  {place}: {why}" for place, why in taken.unusable[:SHOWN])
    return f"nothing in these files can be used; {count(taken.bad, 'problem')}, the first of them:\n{first}"


def _tell(taken: _Taken, out: Path | None, keeper: Keeper | None, agent: str, as_json: bool) -> None:
    stored = None if keeper is None else {"written": keeper.written, "known": keeper.known}
    if as_json:
        document: dict[str, Any] = {
            "traces": taken.usable,
            "labelled": taken.labelled,
            "judged": taken.judged,
            "failed": taken.failed,
            "problems": taken.bad,
            "unusable": [{"place": place, "why": why} for place, why in taken.unusable],
            "out": None if out is None else str(out),
            "stored": stored,
        }
        emit(document)
        return
    for place, why in taken.unusable[:SHOWN]:
        warn(f"{place}: {why}")
    if taken.bad > SHOWN:
        say(f"and {count(taken.bad - SHOWN, 'more problem')}; --json lists the first {LISTED}")
    screen().print(
        f"{count(taken.usable, 'trace')}, {taken.labelled} labelled, {taken.judged} judged, {taken.failed} failed",
        soft_wrap=True,
    )
    if keeper is not None:
        screen().print(f"stored: {keeper.written}; there already: {keeper.known}", soft_wrap=True)
    if out is not None:
        screen().print(f"next: agentsym optimize {agent} --train {out}", soft_wrap=True)
