"""The report as one HTML file: sections, style and script in one page that asks nobody for anything.

The page allows its own script only, by hash; whatever a row or a model may have smuggled in could not run.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from agentsym.errors import AgentsymError
from agentsym.learning.report.markup import Html, el, join, text
from agentsym.learning.report.reading import Report
from agentsym.learning.report.sections import (
    confusion,
    costs,
    learned,
    objectives,
    prompts,
    scores,
    setup,
    steps,
    summary,
    versions,
)
from agentsym.network.template import render

HERE = Path(__file__).parent
PARTS = (
    ("scores", "How the score went", scores.section),
    ("learned", "What was learned", learned.section),
    ("mistakes", "Where it still errs", confusion.section),
    ("objectives", "Score, cost and time", objectives.section),
    ("steps", "Step by step", steps.section),
    ("versions", "Versions", versions.section),
    ("costs", "What it cost", costs.section),
    ("prompts", "The prompts", prompts.section),
    ("setup", "How it was made", setup.section),
)


def page(report: Report) -> str:
    """Return the HTML of a report."""
    built = [(name, title, section(report)) for name, title, section in PARTS]
    shown = [(name, title, body) for name, title, body in built if body is not None]
    slots = {
        "title": text(f"{report.info.agent}, run {report.info.id}"),
        "policy": policy(),
        "style": (HERE / "page.css").read_text("utf-8"),
        "script": _script(),
        "header": _header(report),
        "summary": summary.section(report),
        "contents": el("ul", [el("li", el("a", title, href=f"#{name}")) for name, title, _ in shown]),
        "sections": join([_section(name, title, body) for name, title, body in shown]),
    }
    return render((HERE / "page.html").read_text("utf-8"), slots)


def policy() -> str:
    """Return the Content-Security-Policy of a report: its own style, its own script, nothing from elsewhere."""
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def write(report: Report, file: Path) -> Path:
    """Write a report to a file, making its folder, and return the file.

    Raises:
        AgentsymError: it cannot be written there.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page(report), "utf-8")
    except OSError as error:
        raise AgentsymError(
            f"{file}: the report cannot be written there ({error.strerror or error}); choose another file with --out"
        ) from error
    return file


def _script() -> str:
    return (HERE / "page.js").read_text("utf-8")


def _header(report: Report) -> Html:
    info, run = report.info, report.run
    tone = {"done": "yes", "failed": "no"}.get(run.status, "plain")
    return join(
        el("h1", info.agent),
        el(
            "p",
            el("b", run.status, class_=f"badge {tone}", id="status"),
            f" run {info.id}, {info.created[:10]}",
            class_="quiet",
        ),
    )


def _section(name: str, title: str, body: Html) -> Html:
    return el("section", el("h2", title, id=f"{name}-title"), body, id=name, aria_labelledby=f"{name}-title")
