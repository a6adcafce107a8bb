"""What the run cost: by who was asked, by what for, and by node."""

from __future__ import annotations

from agentsym.learning.node_models import models_offered
from agentsym.learning.report.figures import USED, used
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import Report
from agentsym.learning.report.tables import table
from agentsym.models.protocol import Phase
from agentsym.network.records import Usage

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
    by_role = [(f"{role} ({names[role]})", *used(usage.model_dump())) for role, usage in roles.items()]
    by_phase = [(f"{PURPOSE[phase][1]} ({phase})", *used(usage.model_dump())) for phase, usage in phases.items()]
    by_node = [
        (node or "no node", *used(usage.model_dump()))
        for node, usage in sorted(nodes.items(), key=lambda pair: -pair[1].calls)
    ]
    return join(
        table(("asked", *USED), [*by_role, ("in all", *used(total.model_dump()))], label="Cost by role"),
        table(("what for", *USED), by_phase, label="Cost by phase"),
        table(("node", *USED), by_node, label="Cost by node"),
        el(
            "p",
            "Where a judge scores, its calls at the gate and in the final comparison count to those, too.",
            class_="quiet",
        ),
    )
