"""Where the answers go wrong: for each choice in the output, what was answered in the place of what."""

from __future__ import annotations

from collections.abc import Mapping

from agentsym.learning.confusion import Confusion
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import Report
from agentsym.learning.report.tables import table
from agentsym.learning.report.wording import count, number, rows_named

LABELS = 20  # of more labels only the mistakes are listed
MISTAKES = 8
NONE = "(none)"

Counts = Mapping[str, Mapping[str, int]]


def section(report: Report) -> Html | None:
    """Return the tables of each choice; None where no output is a choice with labels."""
    tested = report.run.tested
    if tested is None or not tested.confusion_after:
        return None
    intro = el(
        "p",
        f"Of the {rows_named(tested.rows)} rows of the final comparison. Rows name what was wanted, columns what was "
        "answered.",
        class_="quiet",
    )
    return join(
        intro, [_field(field, tested.confusion_before, tested.confusion_after) for field in tested.confusion_after]
    )


def _field(field: str, before: Confusion, after: Confusion) -> Html:
    old, new = before.get(field, {}), after[field]
    labels = sorted(
        {*new, *old, *(given for counts in (old, new) for row in counts.values() for given in row if given)}
    )
    right = [sum(counts[label].get(label, 0) for label in counts) for counts in (old, new)]
    rows = sum(sum(row.values()) for row in new.values())
    head = el("h3", el("code", field), el("small", f"{number(right[0])} → {number(right[1])} of {number(rows)} right"))
    if len(labels) > LABELS:
        note = el("p", f"{len(labels)} labels are too many for a table; the mistakes are listed.", class_="quiet")
        return join(head, _mistakes(field, old, new), note)
    tables = [
        el("details", el("summary", title), _matrix(f"{field}, {title}", counts, labels), open=title == "after")
        for title, counts in (("after", new), ("before", old))
        if counts
    ]
    return join(head, _mistakes(field, old, new), tables)


def _mistakes(field: str, old: Counts, new: Counts) -> Html:
    """Return the most frequent mistakes, with how often they were made before."""
    found = [
        (wanted, given, times, old.get(wanted, {}).get(given, 0))
        for wanted, counts in new.items()
        for given, times in counts.items()
        if given != wanted
    ]
    found.sort(key=lambda mistake: (-mistake[2], mistake[:2]))
    if not found:
        return el("p", "No mistake is left.", class_="quiet")
    cells = [
        (wanted, given or NONE, number(before), number(after)) for wanted, given, after, before in found[:MISTAKES]
    ]
    more = (
        el("p", f"Left out: {count(len(found) - MISTAKES, 'rarer kind')} of mistake.", class_="quiet")
        if len(found) > MISTAKES
        else None
    )
    return join(
        table(("wanted", "answered", "before", "after"), cells, label=f"Mistakes in {field}", class_="names"), more
    )


def _matrix(label: str, counts: Counts, labels: list[str]) -> Html:
    columns = [*labels, *([""] if any("" in row for row in counts.values()) else [])]
    head = ["", *(el("span", name or NONE) for name in columns)]
    rows = [[wanted, *(_cell(counts.get(wanted, {}), wanted, given) for given in columns)] for wanted in labels]
    return table(head, rows, label=label, class_="matrix")


def _cell(row: Mapping[str, int], wanted: str, given: str) -> Html:
    times, total = row.get(given, 0), sum(row.values())
    if not times:
        return el("td", "")
    share = round(100 * times / total)
    return el("td", number(times), class_="hit" if wanted == given else "miss", style=f"--share:{share}%")
