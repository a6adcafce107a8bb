"""A table in a report: the first column names, the others hold figures; wide ones scroll by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentsym.learning.report.markup import Child, Html, el


def table(head: Sequence[Child], rows: Iterable[Sequence[Child]], *, label: str, class_: str = "") -> Html:
    """Return a table.

    Args:
        head: the columns.
        rows: the cells.
        label: what it shows, for those who hear it read.
        class_: a class of its own.
    """
    columns = el("tr", [el("th", cell, scope="col") for cell in head])
    body = [
        el("tr", el("th", row[0], scope="row"), [cell if _is_cell(cell) else el("td", cell) for cell in row[1:]])
        for row in rows
    ]
    inner = el(
        "table", el("caption", label, class_="unseen"), el("thead", columns), el("tbody", body), class_=class_ or None
    )
    return el("div", inner, class_="scroll", tabindex=0, role="region", aria_label=label)


def _is_cell(cell: Child) -> bool:
    return isinstance(cell, Html) and cell.startswith("<td")
