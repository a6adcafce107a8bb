"""Two runs side by side: how they were made, what they reached, what it cost, and what they learned.

The comparison is plain JSON, so that the screen draws it and programs read the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentsym.learning.gate import mean
from agentsym.learning.report.edits import learned
from agentsym.learning.report.outline import outline
from agentsym.learning.run import Run, prompt_chars
from agentsym.learning.statistics import paired_bootstrap
from agentsym.network.diff import diff
from agentsym.network.network import Network
from agentsym.network.parameters import Choices, Code, Examples, Rules, Text

SETS = ("train", "val", "test", "must_pass")


def compare(a: Run[Any], b: Run[Any]) -> dict[str, Any]:
    """Return what is to be said of two runs, with the differences from `a` to `b`."""
    return {
        "a": _of(a),
        "b": _of(b),
        "same_agent": a.first.version == b.first.version,
        "same_data": {name: _hash(a, name) == _hash(b, name) for name in SETS},
        "settings": list(_settings(a.config, b.config)),
        "paired": _paired(a, b),
        "learned": _learned(a.best, b.best),
    }


def _of(run: Run[Any]) -> dict[str, Any]:
    total, tested = run.ledger.total(), run.tested
    scores = None
    if tested is not None:
        scores = {
            "rows": tested.rows,
            "n": len(tested.after),
            "before": mean(tested.before),
            "after": mean(tested.after),
        }
    return {
        **outline(run),
        "tested": scores,
        "calls": total.calls,
        "cached": total.cached,
        "tokens": total.tokens,
        "usd": total.usd,
        "seconds": total.seconds,
        "prompt_chars": prompt_chars(run.best),
        "sizes": sizes(run.best),
    }


def sizes(network: Network) -> dict[str, int]:
    """Return how much each list, text and code holds: rules, examples, definitions, letters."""
    found = {}
    for path, parameter in network.parameters().items():
        match parameter:
            case Rules() | Examples():
                found[path] = len(parameter.value)
            case Choices():
                found[path] = sum(bool(item.definition) for item in parameter.value)
            case Text() | Code():
                found[path] = len(parameter.value)
    return found


def _hash(run: Run[Any], name: str) -> str:
    return str(run.config.get("data", {}).get(name, ""))


def _settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what the runs were made with that differs; hashes and places of files say nothing here."""
    old, new = ({**config, **config.get("settings", {})} for config in (a, b))
    for name in dict.fromkeys([*old, *new]):
        if name not in ("settings", "data", "origin", "agent", "metric_source") and old.get(name) != new.get(name):
            yield {"name": name, "a": old.get(name), "b": new.get(name)}


def _paired(a: Run[Any], b: Run[Any]) -> dict[str, Any] | None:
    """Compare the best versions on rows that both have seen: those of the final test, else validation rows by id."""
    one, two = a.tested, b.tested
    if one is not None and two is not None and one.rows == two.rows and _hash(a, one.rows) == _hash(b, two.rows):
        return _interval(one.rows, one.after, two.after)
    old, new = a.course.best_val, b.course.best_val
    if common := [row for row in old if row in new]:
        return _interval("val", tuple(old[row] for row in common), tuple(new[row] for row in common))
    return None


def _interval(rows: str, a: tuple[float, ...], b: tuple[float, ...]) -> dict[str, Any]:
    gain = paired_bootstrap(a, b)
    figures = {"a": mean(a), "b": mean(b), "gain": gain.mean, "low": gain.low, "high": gain.high}
    return {"rows": rows, "n": len(a), **figures, "holds_zero": gain.holds_zero}


def _learned(a: Network, b: Network) -> list[dict[str, Any]]:
    """Return in short what the best versions have not in common."""
    found = []
    for view in learned(diff(a, b)):
        said = {sign: [line.pieces[0].text for line in view.lines if line.sign == sign] for sign in "+-"}
        changed = [
            "".join(piece.text for piece in line.pieces if piece.sign != "-") for line in view.lines if line.sign == "~"
        ]
        found.append({"about": view.about, "only_a": said["-"], "only_b": said["+"], "changed": changed})
    return found
