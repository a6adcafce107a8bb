"""Pages from templates: whatever a template is handed is escaped as in reports, unless it is markup of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agentsym.deploy.dashboard.visits import link
from agentsym.learning.report.markup import Html, el, text
from agentsym.learning.report.plot import STYLE
from agentsym.learning.report.wording import count, dollars, number, short, span
from agentsym.network.shown import cut, shown

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
REPORT = HERE.parents[1] / "learning" / "report"
LONGEST, BRIEF = 20_000, 90  # letters of a text of a trace, and of its fields in a list
TONES = {
    "live": "yes",
    "ok": "yes",
    "canary": "best",
    "held": "warn",
    "draft": "best",
    "validated": "best",
    "shadow": "best",
    "error": "no",
    "capped": "no",
    "budget": "no",
    "rolled_back": "no",
    "rejected": "no",
}


class File(NamedTuple):
    """A file that pages load: its type, its content, and a digest that names this content."""

    type: str
    content: str
    digest: str


@cache
def files() -> Mapping[str, File]:
    """Return the styles and scripts by name; what reports have, too, is theirs."""
    found = {
        "page.css": (REPORT / "page.css").read_text("utf-8"),
        "chart.css": STYLE,
        "dashboard.css": (HERE / "static" / "dashboard.css").read_text("utf-8"),
        "page.js": (REPORT / "page.js").read_text("utf-8"),
        "dashboard.js": (HERE / "static" / "dashboard.js").read_text("utf-8"),
    }
    types = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
    return {
        name: File(types[name.rpartition(".")[2]], content, sha256(content.encode()).hexdigest()[:12])
        for name, content in found.items()
    }


def render(template: str, root: str, values: Mapping[str, Any]) -> str:
    """Return a page.

    Args:
        template: the template's name.
        root: the path that the dashboard is mounted at.
        values: what stands in the page.
    """
    return _environment().get_template(template).render(root=root, **values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_final,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(link=link, digest=lambda name: files()[name].digest)
    made.filters.update(
        badge=badge,
        count=count,
        cut=lambda value: cut(shown(value), LONGEST),
        dollars=dollars,
        moment=moment,
        fields=fields,
        number=number,
        object=lambda value: re.sub("(@[0-9a-f]{12})[0-9a-f]{52}$", r"\1", value),
        pretty=lambda value: cut(json.dumps(value, indent=2, ensure_ascii=False, default=str), LONGEST),
        short=lambda value: short(shown(value), 120),
        span=span,
        version=lambda value: value[:12],
    )
    return made


def badge(state: str) -> Html:
    """Return a state as a badge."""
    return el("b", state.replace("_", " "), class_=f"badge {TONES.get(state, 'plain')}")


def fields(values: Mapping[str, Any]) -> str:
    """Return fields in one line; of one field the value says enough."""
    if len(values) == 1:
        return short(shown(*values.values()), BRIEF)
    return short(", ".join(f"{name}: {shown(value)}" for name, value in values.items()), BRIEF)


def moment(at: str) -> Html:
    """Return a time (ISO 8601) as people read it, to the second."""
    try:
        said = f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text(at)
    return el("time", said, datetime=at)


def _final(value: Any) -> Any:
    """Escape what is put into a template, also what no browser shows or what would turn a line around."""
    return value if hasattr(value, "__html__") else text("" if value is None else value)
