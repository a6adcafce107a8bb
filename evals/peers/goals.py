"""What agentsym is to come to beside the others, and the lines behind which it has failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from evals.peers.assignment import TARGET
from evals.peers.catalog import BARE
from evals.peers.results import OURS, Results

Figure = Callable[[Results], float | None]


class Goal(NamedTuple):
    """One figure; less is better.

    Attributes:
        text: the figure in words.
        ours: agentsym's; None where it was not measured.
        goal: at most so much.
        limit: more than this is a failure; None for no such line.
        other: the best of the others; None where there is none to compare with.
        form: how the figures are written.
    """

    text: str
    ours: Figure
    goal: float
    limit: float | None
    other: Figure = lambda results: None
    form: str = ",.0f"

    def verdict(self, ours: float) -> str:
        """Return `met`, `missed` or `FAILS`."""
        if self.limit is not None and ours > self.limit:
            return "FAILS"
        return "met" if ours <= self.goal else "missed"


def _learned(column: str, mode: str = "plain") -> Figure:
    return lambda results: results.median("learn", column, OURS, mode) if results.of("learn", OURS, mode) else None


def _other(column: str, mode: str = "plain") -> Figure:
    return lambda results: results.best_other(column, mode)


def _misses(results: Results) -> float | None:
    rows = results.of("learn", OURS, "trojan")
    return float(sum(row["val_fresh"] < TARGET for row in rows)) if rows else None


def _wall(results: Results) -> float | None:
    ours, other = _learned("wall_s")(results), results.best_other("wall_s", "plain")
    return None if ours is None or other is None else ours / other


def _forward(column: str, measure: str = "forward") -> Callable[[Results, str], float | None]:
    return lambda results, peer: results.median(measure, column, peer) if results.of(measure, peer) else None


def _above_bare(results: Results) -> float | None:
    ours, bare = (_forward("cpu_ms_a_call")(results, peer) for peer in (OURS, BARE.name))
    return None if ours is None or bare is None else ours - bare


def _above_imports(results: Results) -> float | None:
    ours, imported = (_learned(column)(results) for column in ("rss_mib", "import_rss_mib"))
    return None if ours is None or imported is None else ours - imported


def _least(measure: str, column: str) -> Figure:
    def least(results: Results) -> float | None:
        names = {row["peer"] for row in results.of(measure)} - {OURS, BARE.name}
        return min((results.median(measure, column, name) for name in names), default=None)

    return least


def _different(results: Results) -> float | None:
    rows = results.of("repeat", OURS)
    return float(len({str(row["result"]) for row in rows})) if rows else None


def _flattered(results: Results) -> float | None:
    rows = results.of("learn", OURS)
    return float(sum(row["val"] != row["val_fresh"] for row in rows)) if rows else None


GOALS = (
    Goal("model calls to 0.9, plain", _learned("calls"), 200, 250, _other("calls")),
    Goal("tokens to 0.9, plain", _learned("tokens"), 25_000, 35_000, _other("tokens")),
    Goal("model calls to 0.9, coupled", _learned("calls", "coupled"), 300, 450, _other("calls", "coupled")),
    Goal("tokens to 0.9, coupled", _learned("tokens", "coupled"), 45_000, None, _other("tokens", "coupled")),
    Goal("model calls to 0.9, trojan", _learned("calls", "trojan"), 260, 350, _other("calls", "trojan")),
    Goal("runs that end below 0.9, trojan", _misses, 0, 0),
    Goal("wall time to 0.9 at 50 ms, plain, as a part of the best other's", _wall, 1 / 3, 1 / 2, form=".2f"),
    Goal(
        "wall time of the forward pass as a multiple of the bare loop's",
        lambda results: results.beside("wall_s", OURS, BARE.name),
        1.15,
        1.4,
        form=".2f",
    ),
    Goal("CPU ms a model call above the bare loop", _above_bare, 0.5, 1.0, form=".2f"),
    Goal("peak memory of an optimization, MiB", _learned("rss_mib"), 150, 180, _other("rss_mib")),
    Goal("peak memory above the imports, MiB", _above_imports, 35, None),
    Goal(
        "CPU s of the import",
        lambda r: _forward("cpu_s", "import")(r, OURS),
        0.25,
        0.5,
        _least("import", "cpu_s"),
        ".2f",
    ),
    Goal(
        "requests sent for 32 equal ones at once",
        lambda results: _forward("calls", "identical")(results, OURS),
        1,
        1,
        _least("identical", "calls"),
    ),
    Goal("different journals of four equal runs", _different, 1, 1),
    Goal("runs whose report is not what a fresh validation gives", _flattered, 0, 0),
)
