"""`agentsym tokens`: who may ask served agents, who may judge them, and who may change them."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast

import typer

from agentsym.cli import options
from agentsym.cli.caps import above_zero
from agentsym.cli.screen import emit, say, screen
from agentsym.errors import UsageError

app = typer.Typer(help="Who may ask served agents.", rich_markup_mode=None)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is; feedback and the audit log name it.")],
    scope: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE", help="invoke, feedback or admin; repeatable.")
    ] = None,
    days: Annotated[
        float | None, above_zero("--days", "Days it is good for (default: for ever).", float, "one that never ends")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the secret to this new file; print it nowhere.")
    ] = None,
    if_none: Annotated[
        bool, typer.Option("--if-none", help="Do nothing if there is a token that is good already.")
    ] = False,
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """Make a token; its secret is shown now and never again."""
    from agentsym.store.live.tokens import SCOPES, Scope
    from agentsym.store.store import Store

    if not scope:
        raise UsageError(f"say what it may do: --scope {' or --scope '.join(SCOPES)}")
    with Store.open(store) as opened:
        if if_none and opened.tokens.any_good():
            say("there is a token already; none was made")
            if as_json:
                emit(None)
            return
        with _kept(out) as keep:
            made = opened.tokens.create(name, cast("tuple[Scope, ...]", tuple(scope)), actor=_who(), days=days)
            keep(made.secret)
    told = f"token {made.token.id} of {made.token.name} ({', '.join(made.token.scopes)})"
    if as_json:
        emit({**made.token.model_dump(mode="json"), **({} if out else {"secret": made.secret})})
    elif out:
        say(f"{told}; its secret is in {out}")
    else:
        screen().print(made.secret, soft_wrap=True)
        say(f"{told}; it is not shown again")


@app.command("list")
def list_tokens(store: options.StorePlace = None, as_json: options.Json = False) -> None:
    """List all tokens, the newest first; their secrets are stored nowhere."""
    from rich import box
    from rich.table import Table

    from agentsym.store.store import Store

    with Store.open(store, create=False) as opened:
        found = opened.tokens.all()
    if as_json:
        emit([token.model_dump(mode="json") for token in found])
        return
    if not found:
        say("there are no tokens yet; `agentsym tokens create NAME --scope invoke` makes one")
        return
    table = Table("id", "name", "scopes", "created", "expires", "revoked", box=box.SIMPLE_HEAD)
    for token in found:
        table.add_row(
            token.id, token.name, " ".join(token.scopes), token.created, token.expires or "", token.revoked or ""
        )
    screen().print(table)


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="The token's id, or its name if only one has it.")],
    store: options.StorePlace = None,
    as_json: options.Json = False,
) -> None:
    """End a token; servers that run notice within five seconds."""
    from agentsym.store.store import Store

    with Store.open(store, create=False) as opened:
        opened.tokens.revoke(token, actor=_who())
    if as_json:
        emit({"revoked": token})
    else:
        say(f"{token} is revoked")


@contextmanager
def _kept(file: Path | None) -> Iterator[Callable[[str], object]]:
    """Yield what writes a secret to a new file that its owner alone may read; what fails leaves no file."""
    if file is None:
        yield lambda _secret: None
        return
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{file} is there already, and may hold a secret; name a new file for --out") from None
    except OSError as error:
        raise UsageError(f"{file}: the secret cannot be written there: {error.strerror}") from None
    try:
        with os.fdopen(opened, "w", encoding="utf-8") as stream:
            yield lambda secret: stream.write(f"{secret}\n")
    except BaseException:
        file.unlink()
        raise


def _who() -> str:
    """Return whose account this is, for the audit log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "agentsym tokens"
