"""What the run cost: by who was asked, by what for, and by node."""

from __future__ import annotations

from agentsym.learning.node_models import models_offered
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import Report
from agentsym.learning.report.tables import table
from agentsym.learning.report.wording import dollars, number, span
from agentsym.models.protocol import Phase
from agentsym.network.records import Usage

HEAD = ("calls", "cached", "tokens", "cost", "model time")
PURPOSE: dict[Phase, tuple[str, str]] = {
    "forward": ("student", "running rows of train"),
    "loss": ("teacher", "saying what is wrong"),
    "backward": ("teacher", "saying who is to blame"),
    "optimizer": ("teacher", "writing edits"),
    "gate": ("student", "trying edits, validation"),
    "test": ("student", "the final comparison"),
}


def section(report: Report) -> Html:
    """Return the tables."""
    ledger, config = report.run.ledger, report.run.config
    phases, total = ledger.by_phase(), ledger.total()
    if not phases:
        return el("p", "No model was called.", class_="quiet")
    roles: dict[str, Usage] = {}
    nodes: dict[str, Usage] = {}
    for (phase, node), usage in ledger.entries().items():
        role = PURPOSE[phase][0]
        roles[role] = roles.get(role, Usage()) + usage
        nodes[node] = nodes.get(node, Usage()) + usage
    names = {role: str(config.get(role, "unknown")) for role in roles}
    if own := [name for name in models_offered(report.run.best) if name not in names.get("student", "")]:
        names["student"] = ", ".join((names["student"], *own))
    by_role = [(f"{role} ({names[role]})", *_cells(used)) for role, used in roles.items()]
    by_phase = [(f"{PURPOSE[phase][1]} ({phase})", *_cells(used)) for phase, used in phases.items()]
    by_node = [
        (node or "no node", *_cells(used)) for node, used in sorted(nodes.items(), key=lambda pair: -pair[1].calls)
    ]
    return join(
        table(("asked", *HEAD), [*by_role, ("in all", *_cells(total))], label="Cost by role"),
        table(("what for", *HEAD), by_phase, label="Cost by phase"),
        table(("node", *HEAD), by_node, label="Cost by node"),
        el(
            "p",
            "Where a judge scores, its calls at the gate and in the final comparison count to those, too.",
            class_="quiet",
        ),
    )


def _cells(used: Usage) -> tuple[str, ...]:
    about = "~" if used.estimated else ""
    return (
        number(used.calls),
        number(used.cached),
        about + number(used.tokens),
        about + dollars(used.usd),
        span(used.seconds),
    )
