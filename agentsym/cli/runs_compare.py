"""`agentsym runs compare`: two runs side by side, and what the best version of one has that the other has not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from agentsym.cli import options
from agentsym.cli.run_names import run_named
from agentsym.cli.screen import emit, screen
from agentsym.learning.report.wording import count, dollars, interval, number, short, span
from agentsym.network.shown import shown

TEXTS = 3  # learned texts that are shown of a parameter and run

First = Annotated[
    str, typer.Argument(metavar="A", help="A run's id, the beginning of one, or last.", show_default=False)
]
Second = Annotated[str, typer.Argument(metavar="B", help="Another one.", show_default=False)]


def compare(first: First, second: Second, as_json: options.Json = False) -> None:
    """Compare two runs: settings, rows, scores, costs, and what they learned."""
    from agentsym.learning.report.compare import compare as compared
    from agentsym.learning.run import Run
    from agentsym.store.store import Store

    with Store.open() as store:
        runs = [Run.read(store, run_named(store, name).id) for name in (first, second)]
    document = compared(*runs)
    if as_json:
        emit(document)
    else:
        _show(document)


def _show(document: Mapping[str, Any]) -> None:
    a, b = document["a"], document["b"]
    console = screen()
    table = _table("", a["run"], b["run"])
    for name, *cells in _rows(document):
        table.add_row(name, *cells)
    console.print(table)
    console.print(_rows_said(document["same_data"]), soft_wrap=True)
    console.print(_paired(document["paired"]), style="bold", soft_wrap=True)
    _show_learned(document["learned"], same=a["best"] == b["best"])


def _rows(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    both = (document["a"], document["b"])

    def row(name: str, *cells: str) -> tuple[str, str, str]:
        return (name, cells[0], cells[1])

    found = [
        row("agent", *(run["agent"] for run in both)),
        row("begins with", *(run["first"][:12] for run in both)),
        row("status", *(f"{run['status']}: {run['reason']}" if run["reason"] else run["status"] for run in both)),
    ]
    for setting in document["settings"]:
        found.append(row(f"set: {setting['name']}", *(_value(setting[side]) for side in ("a", "b"))))
    for name in ("tested", "val"):
        if any(run[name] is not None for run in both):
            said = "score on " + ("validation" if name == "val" else "the final rows")
            found.append(row(said, *(_pair(run[name]) for run in both)))
    found += [
        row("steps, accepted", *(f"{run['steps']}, {run['accepted']}" for run in both)),
        row("calls", *(number(run["calls"]) for run in both)),
        row("tokens", *(number(run["tokens"]) for run in both)),
        row("cost", *(dollars(run["usd"]) for run in both)),
        row("model time", *(span(run["seconds"]) for run in both)),
        row("prompt, characters", *(number(run["prompt_chars"]) for run in both)),
    ]
    for path in dict.fromkeys([*both[0]["sizes"], *both[1]["sizes"]]):
        held = [run["sizes"].get(path) for run in both]
        if held[0] != held[1]:
            found.append(row(path, *("–" if size is None else number(size) for size in held)))
    return found


def _pair(scores: Mapping[str, Any] | None) -> str:
    return "–" if scores is None else f"{scores['before']:.3f} → {scores['after']:.3f}"


def _value(value: Any) -> str:
    return "–" if value is None else short(shown(value), 40)


def _rows_said(same: Mapping[str, bool]) -> str:
    others = [name for name, is_same in same.items() if not is_same]
    return f"other rows in {', '.join(others)}" if others else "the same rows in all sets"


def _paired(paired: Mapping[str, Any] | None) -> str:
    if paired is None:
        return "they have no scored rows in common, so the scores cannot be compared row by row"
    said = f"on {count(paired['n'], paired['rows'] + ' row')} that both scored: {paired['a']:.3f} and {paired['b']:.3f}"
    luck = "; it holds 0, so it may be luck" if paired["holds_zero"] else ""
    if paired["low"] == paired["high"] == 0:
        luck = ": no difference"
    return f"{said}, {paired['gain']:+.3f} (95 % interval {interval(paired['low'], paired['high'])}{luck})"


def _show_learned(found: Sequence[Mapping[str, Any]], *, same: bool) -> None:
    console = screen()
    if not found:
        console.print("both learned the same" if same else "their best versions differ in nothing that can be shown")
    for each in found:
        console.print(f"~ {each['about']}", style="cyan", soft_wrap=True)
        for texts, sign, style in (
            (each["only_a"], "-", "red"),
            (each["only_b"], "+", "green"),
            (each["changed"], "~", ""),
        ):
            for text in texts[:TEXTS]:
                console.print(f"    {sign} {short(text, 140)}", style=style or None, soft_wrap=True)
            if len(texts) > TEXTS:
                console.print(f"    {sign} and {len(texts) - TEXTS} more (--json shows all)", style=style or None)


def _table(*columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
