"""The spans of a run that learns: the run, its steps, and each phase with what it proposed and what was accepted.

Only numbers, names and verdicts: what is learned, and from which texts, stands in the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agentsym.learning.gate import mean
from agentsym.learning.journal import Baseline, Gradients
from agentsym.learning.protocols import Decision, Evidence, Proposal, Trial
from agentsym.learning.state import State
from agentsym.network.canonical import Frozen
from agentsym.network.network import Network
from agentsym.telemetry.names import AGENT_NAME, AGENT_VERSION, LEARNING, STATUS
from agentsym.telemetry.telemetry import Attributes, Telemetry

if TYPE_CHECKING:
    from opentelemetry.trace import Span


@contextmanager
def run_span(telemetry: Telemetry | None, run: str, agent: Network, models: Mapping[str, str]) -> Iterator[Span | None]:
    """Make the span of a whole run, with the names of who takes part."""
    with learning_span(telemetry, "run", id=run, **models) as span:
        if span is not None:
            span.set_attributes({AGENT_NAME: agent.name, AGENT_VERSION: agent.version})
        yield span


@contextmanager
def learning_span(telemetry: Telemetry | None, what: str, **known: Any) -> Iterator[Span | None]:
    """Make the span of something that learning does; nothing where there is no telemetry."""
    if telemetry is None:
        yield None
        return
    with telemetry.span(f"learn {what}", _ours(known)) as span:
        yield span


def tell(span: Span | None, result: Frozen | tuple[Evidence, ...]) -> None:
    """Write what a phase or a step has come to into its span, as numbers."""
    if span is not None:
        span.set_attributes(_ours(_figures(result)))


def end_run(span: Span | None, status: str, state: State | None, spent: Mapping[str, Any]) -> None:
    """Write into a run's span how it ended, and what it has used."""
    if span is not None:
        reached = {} if state is None else {"steps": state.step, "accepted": state.accepted, "best": state.best}
        span.set_attributes({STATUS: status, **_ours({**reached, **spent})})


def _figures(result: Frozen | tuple[Evidence, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    match result:
        case State():
            found = {"accepted": result.accepted, "stale": result.stale, "best_score": result.best_score}
        case Baseline():
            found = {"rows": len(result.val) + len(result.must_pass), "score": mean(result.val.values())}
        case Gradients():
            walked = [gradient for row in result.rows for gradient in row]
            found = {"rows": len(result.rows), "gradients": len(walked)}
            found["suggestions"] = sum(len(gradient.suggestions) for gradient in walked)
        case Proposal():
            committed = [update for update in result.updates if update.status == "committed"]
            found = {"updates": len(result.updates), "proposed": len(committed), "edits": len(result.edits)}
        case Trial():
            rows = (*result.after.batch, *result.after.val, *result.after.must_pass)
            found = {"rows": len(rows), "harmful": len(result.harmful)}
            found["kept"] = None if result.kept is None else len(result.kept)
        case tuple():
            found = {"rows": len(result), "failed": sum(item.trajectory.status != "ok" for item in result)}
            found["score"] = mean(item.loss.score for item in result)
        case _ if isinstance(runs := getattr(result, "runs", None), tuple):
            found = {"runs": len(runs)}
    if isinstance(decision := getattr(result, "decision", None), Decision):
        found |= {"accepted": decision.accept, "before": decision.before, "after": decision.after}
    return found


def _ours(figures: Attributes) -> Attributes:
    return {f"{LEARNING}{name}": value for name, value in figures.items() if value is not None}
