"""Score, cost and time together, where a run was told to prefer the cheapest or fastest version that is good enough."""

from __future__ import annotations

from agentsym.learning.objectives import front
from agentsym.learning.report.figures import WORTH, worth
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import Report
from agentsym.learning.report.tables import table


def section(report: Report) -> Html | None:
    """Return the versions that no other one beats, and the settings that were tried; None where score alone counted."""
    run = report.run
    if not run.field:
        return None
    rows = []
    for version in front(run.field):
        found = run.field[version]
        name = join(
            el("code", version[:8]), el("b", "taken", class_="badge best") if version == run.best.version else None
        )
        rows.append((name, f"{found.score:.3f}", *worth(found.model_dump())))
    offers = [
        el(
            "li",
            el("b", "taken" if offer.accept else "left", class_=f"badge {'yes' if offer.accept else 'no'}"),
            " ",
            el("code", f"{offer.path} = {offer.value}"),
            f" {offer.reason}",
        )
        for offer in run.offers
    ]
    tried = join(el("h3", "Settings that were tried"), el("ul", offers, class_="plain")) if offers else None
    intro = el("p", "No other version beats one of these in score, cost and time at once.", class_="quiet")
    return join(intro, table(("version", "score", *WORTH), rows, label="The front of score, cost and time"), tried)
