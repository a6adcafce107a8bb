"""The report of the run that learned a candidate, as `agentsym runs report` writes it."""

from __future__ import annotations

from agentsym.deploy.dashboard.visits import Document, Visit
from agentsym.errors import StoreError, UsageError


def show(visit: Visit) -> Document:
    """Show a run's report; it may run its own script only, and as if it were another site's."""
    from agentsym.learning.report.page import page, policy
    from agentsym.learning.report.reading import read_report

    store, run = visit.desk.store, visit.path["run"]
    try:
        found = store.run(run)
    except StoreError as error:
        raise UsageError(str(error)) from error
    report = read_report(store, found.id)
    return Document(page(report), f"sandbox allow-scripts; {policy()}; frame-ancestors 'none'")
