"""The report of the run that learned a candidate, as `agentsym runs report` writes it."""

from __future__ import annotations

from agentsym.deploy.dashboard.visits import Document, Visit


def show(visit: Visit) -> Document:
    """Show a run's report; it may run its own script only, and as if it were another site's."""
    from agentsym.learning.report.page import page, policy
    from agentsym.learning.report.reading import read_report

    report = read_report(visit.desk.store, visit.path["run"])
    return Document(page(report), f"sandbox allow-scripts; {policy()}; frame-ancestors 'none'")
