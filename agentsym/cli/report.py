"""What a training run has reached, as one JSON document and as what a person reads at its end.

The document is made first and the tables are drawn from it, so both always say the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentsym.cli.screen import screen
from agentsym.learning.report.figures import USED, WORTH, used, worth, worth_changes
from agentsym.learning.report.wording import count, interval, number, short
from agentsym.network.shown import as_json

if TYPE_CHECKING:
    from agentsym.learning.protocols import Row
    from agentsym.learning.run import Run, Tested
    from agentsym.network.network import Network
    from agentsym.network.records import Usage

TASTE = 6  # learned sentences that are shown
EXAMPLE_CHARS = 160  # longest input that is shown in a command to type


def run_document(run: Run[Any]) -> dict[str, Any]:
    """Return everything that is to be said of a run, as plain JSON."""
    from agentsym.learning.objectives import front
    from agentsym.learning.report.outline import outline
    from agentsym.learning.run import prompt_chars

    return {
        **outline(run),
        "tested": None if run.tested is None else _tested(run.tested),
        "worth": None if run.tested is None else _worth(run.tested),
        "prompt_chars": {"before": prompt_chars(run.first), "after": prompt_chars(run.best)},
        "usage": {
            "total": _usage(run.ledger.total()),
            "by_phase": {phase: _usage(usage) for phase, usage in run.ledger.by_phase().items()},
        },
        "learned": learned(run.first, run.best),
        "front": [{"version": version, **run.field[version].model_dump()} for version in front(run.field)],
        "offers": [offer.model_dump(mode="json", exclude={"scores", "must_pass"}) for offer in run.offers],
    }


def learned(first: Network, best: Network) -> dict[str, list[str]]:
    """Return what the best version says that the first did not, and its other settings, as text."""
    from agentsym.network.parameters import Choices, Examples, Number, Option, Rules, Text

    kinds = ("rules", "definitions", "examples", "instructions", "settings")
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    before = first.parameters()
    for path, parameter in best.parameters().items():
        old = before.get(path)
        known: set[Any] = set(old.value) if isinstance(old, Rules | Choices | Examples) else set()
        match parameter:
            case Rules():
                found["rules"] += [item.text for item in parameter.value if item not in known]
            case Choices():
                new = [item for item in parameter.value if item not in known]
                found["definitions"] += [f"{item.label}: {item.definition}" for item in new]
            case Examples():
                new_examples = [item for item in parameter.value if item not in known]
                found["examples"] += [f"{as_json(item.input)} => {as_json(item.output)}" for item in new_examples]
            case Text() if old != parameter:
                found["instructions"].append(f"{path}: {parameter.value}")
            case Option() | Number() if old != parameter:
                was = old.value if isinstance(old, Option | Number) else "none"
                found["settings"].append(f"{path}: {was} → {parameter.value}")
    return found


def next_commands(name: str, out: Path, rows: Sequence[Row]) -> list[str]:
    """Return what one types next: what was learned, and trying it on a row."""
    inputs = [as_json(row.inputs) for row in rows[:50]]
    example = min(inputs, key=len, default="{}")
    folder = _from_here(out)
    tried = shlex.quote(example) if len(example) <= EXAMPLE_CHARS else "JSON"
    return [
        f"agentsym diff {shlex.quote(name)} {shlex.quote(folder)}",
        f"agentsym run {shlex.quote(folder)} --input {tried}",
    ]


def show_report(document: Mapping[str, Any]) -> None:
    """Draw the end of a run."""
    console = screen()
    console.print()
    console.print(headline(document), style="bold", soft_wrap=True)
    if document["tested"] is not None:
        console.print(scores_table(document))
    if document["front"]:
        console.print(front_table(document))
    console.print(usage_table(document["usage"]))
    _taste(document["learned"])
    if document["out"] is not None:
        console.print(f"best agent: {_from_here(Path(document['out']))}", soft_wrap=True)
        console.print(f"report: {_from_here(Path(document['report']))}", soft_wrap=True)
    for text in document["warnings"]:
        console.print(f"warning: {text}", style="yellow", soft_wrap=True)
    if document["next"]:
        console.print("next:", style="bold")
    for command in document["next"]:
        console.print(f"  {command}", soft_wrap=True)


def headline(document: Mapping[str, Any]) -> str:
    """Return the result in one sentence."""
    name, steps = document["agent"], document["steps"]
    if document["best"] == document["first"]:
        return f"{name}: no edit was accepted in {count(steps, 'step')}; the agent is as it was"
    tested, val = document["tested"], document["val"]
    if tested is not None:
        return (
            f"{name}: {tested['before']:.3f} → {tested['after']:.3f} on {count(tested['n'], tested['rows'] + ' row')} "
            f"({tested['gain']:+.3f}, 95 % interval {interval(tested['low'], tested['high'])})"
        )
    scores = "" if val is None else f", validation {val['before']:.3f} → {val['after']:.3f}"
    return f"{name}: {document['accepted']} of {count(steps, 'step')} accepted{scores}; the final test was not reached"


def scores_table(document: Mapping[str, Any]) -> Any:
    """Return the table of the scores before and after."""
    table = _table("", "before", "after", "change", title=f"on {document['tested']['rows']} rows")
    tested, chars, val = document["tested"], document["prompt_chars"], document["val"]
    rows = {"score": tested, **{name: part for name, part in tested["metrics"].items() if len(tested["metrics"]) > 1}}
    if val is not None and tested["rows"] != "val":
        rows["score on validation"] = val
    for name, pair in rows.items():
        before, after = pair["before"], pair["after"]
        table.add_row(name, f"{before:.3f}", f"{after:.3f}", f"{after - before:+.3f}")
    before, after = chars["before"], chars["after"]
    table.add_row("prompt, characters", number(before), number(after), f"{after - before:+,d}")
    if (worths := document["worth"]) is not None:
        for row in worth_changes(worths["before"], worths["after"]):
            table.add_row(*row)
    return table


def front_table(document: Mapping[str, Any]) -> Any:
    """Return the table of the versions that no other one beats in score, cost and time."""
    table = _table("version", "score", *WORTH, title="the Pareto front")
    for found in document["front"]:
        mark = " (taken)" if found["version"] == document["best"] else ""
        table.add_row(found["version"][:12] + mark, f"{found['score']:.3f}", *worth(found))
    return table


def usage_table(usage: Mapping[str, Any]) -> Any:
    """Return the table of calls, tokens and cost by phase."""
    table = _table("phase", *USED)
    for name, part in [*usage["by_phase"].items(), ("in all", usage["total"])]:
        table.add_row(name, *used(part))
    return table


def _taste(texts: Mapping[str, Sequence[str]]) -> None:
    """Show a few of the things that were learned."""
    counts = [count(len(found), kind.removesuffix("s")) for kind, found in texts.items() if found]
    if not counts:
        return
    console = screen()
    console.print(f"learned: {', '.join(counts)}; for example", soft_wrap=True)
    kinds = [found for kind, found in texts.items() if found and kind != "examples"] or list(texts.values())
    taken = [text for place in range(TASTE) for found in kinds for text in found[place : place + 1]]
    for text in taken[:TASTE]:
        console.print(f"  {short(text, 200)}", soft_wrap=True)


def _tested(tested: Tested) -> dict[str, Any]:
    from agentsym.learning.gate import mean

    gain = tested.gain
    names = dict.fromkeys([*tested.metrics_before, *tested.metrics_after])
    return {
        "rows": tested.rows,
        "n": len(tested.after),
        "before": mean(tested.before),
        "after": mean(tested.after),
        "gain": gain.mean,
        "low": gain.low,
        "high": gain.high,
        "holds_zero": gain.holds_zero,
        "metrics": {
            name: {"before": tested.metrics_before.get(name, 0.0), "after": tested.metrics_after.get(name, 0.0)}
            for name in names
        },
    }


def _worth(tested: Tested) -> dict[str, Any] | None:
    """Return what a run of the first and of the best version costs; None where a run of older days has not kept it."""
    if tested.worth_before is None or tested.worth_after is None:
        return None
    return {"before": tested.worth_before.model_dump(), "after": tested.worth_after.model_dump()}


def _from_here(path: Path) -> str:
    """Return a path as one would type it here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _usage(usage: Usage) -> dict[str, Any]:
    return {**usage.model_dump(), "tokens": usage.tokens}


def _table(*columns: str, title: str = "") -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    return table
