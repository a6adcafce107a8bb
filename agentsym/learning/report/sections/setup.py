"""With what the run was made: models, algorithm, data and settings, to tell it from another and to do it again."""

from __future__ import annotations

from agentsym.learning.report.markup import Html, el
from agentsym.learning.report.reading import Report
from agentsym.learning.report.tables import table
from agentsym.network.shown import shown

NAMES = ("student", "teacher", "optimizer", "algorithm", "gate", "metric", "sampler", "judge")


def section(report: Report) -> Html:
    """Return one table of everything."""
    config = report.run.config
    rows = [("run", report.info.id), ("begun", f"{report.info.created[:16].replace('T', ' ')} UTC")]
    rows += [(name, shown(config[name])) for name in NAMES if config.get(name)]
    origin = config.get("origin") or {}
    rows += [(f"{name} rows", str(origin[name])) for name in ("train", "val", "test", "must_pass") if origin.get(name)]
    rows += [
        (name.replace("_", " "), shown(value))
        for name, value in config.get("settings", {}).items()
        if value is not None
    ]
    rows += [("first version", report.run.first.version), ("best version", report.run.best.version)]
    return el(
        "details", el("summary", "Models, data and settings"), table(("", ""), rows, label="Setup", class_="names")
    )
