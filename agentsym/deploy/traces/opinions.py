"""What other programs call scores, assessments, feedback or evaluations, as opinions of our kinds.

A number is a score where it lies in [0, 1]; words like up and down are thumbs; any other value is a label if its name
is an output's, which is decided later, with the agent at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from agentsym.deploy.traces.found import Opinion
from agentsym.store.live.traces import Kind

Source = Literal["human", "judge", "code"]
WEIGHT: dict[Kind, int] = {"label": 0, "edit": 1, "thumb": 2, "metric": 3, "judge": 4}
"""Whom to believe first."""
_KINDS: dict[Source, Kind] = {"human": "thumb", "judge": "judge", "code": "metric"}
_THUMBS = {
    **dict.fromkeys(("up", "thumbs_up", "thumbs-up", "👍", "good", "like", "positive", "correct", "yes", "pass"), 1.0),
    **dict.fromkeys(("down", "thumbs_down", "thumbs-down", "👎", "bad", "dislike", "negative", "wrong", "no"), 0.0),
    **dict.fromkeys(("fail", "incorrect"), 0.0),
}


def opinion(name: str, value: Any, *, text: str = "", source: Source = "human", author: str = "") -> Opinion:
    """Make an opinion of a score of whatever form."""
    kind, score = _KINDS[source], score_of(value)
    if score is not None:
        return Opinion(kind=kind, name=name, score=score, text=text, author=author)
    return Opinion(kind=kind, name=name, label=value, text=text or _told(name, value), author=author)


def score_of(value: Any) -> float | None:
    """Return a value as a score in [0, 1]; None where it is none."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return float(value) if 0 <= value <= 1 else None
    return _THUMBS.get(value.strip().lower()) if isinstance(value, str) else None


def wanted(value: Any, *, kind: Literal["label", "edit"] = "label", name: str = "", author: str = "") -> Opinion:
    """Make an opinion that says what the output should have been."""
    return Opinion(kind=kind, name=name, label=value, author=author)


def weightiest(opinions: Sequence[Opinion]) -> list[Opinion]:
    """Return opinions in the order in which they are believed."""
    return sorted(opinions, key=lambda opinion: WEIGHT[opinion.kind])


def _told(name: str, value: Any) -> str:
    return f"{name}: {value}" if name and value is not None else ""
