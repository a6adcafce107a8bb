"""What a person fills in becomes feedback of the right kind, or is refused with the reason."""

from __future__ import annotations

import pytest

from agentsym.deploy.dashboard.opinion_form import OutputField, opinion
from agentsym.errors import UsageError

FIELDS = (
    OutputField("team", "choice", ("a", "b"), "a"),
    OutputField("urgent", "boolean", ("true", "false"), "true"),
    OutputField("days", "integer", (), "3"),
    OutputField("note", "string", (), "call"),
    OutputField("rest", "any", (), ""),
)


def test_up_and_down_say_nothing_of_the_output() -> None:
    form = {"kind": "up", "text": " fine ", "output.team": "b"}
    assert opinion(form, FIELDS) == ("thumb", 1.0, "fine", None)
    assert opinion({**form, "kind": "down"}, FIELDS).score == 0.0


@pytest.mark.parametrize("kind", ["label", "edit"])
def test_values_have_the_types_of_their_fields(kind: str) -> None:
    form = {
        "kind": kind,
        "output.team": "b",
        "output.urgent": "false",
        "output.days": "4",
        "output.note": "3",
        "output.rest": "free text",
    }
    found = opinion(form, FIELDS)
    assert (found.kind, found.score) == (kind, None)
    assert found.label == {"team": "b", "urgent": False, "days": 4, "note": "3", "rest": "free text"}


def test_what_is_left_empty_is_not_judged_and_what_is_no_output_is_not_heard() -> None:
    form = {"kind": "label", "output.note": "  ", "output.team": "b", "output.other": "x", "other": "y"}
    assert opinion(form, FIELDS).label == {"team": "b"}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "say what it is"),
        ({"kind": "judge"}, "say what it is"),
        ({"kind": "label"}, "at least one output"),
        ({"kind": "label", "output.days": "four"}, "days: 'four' is no integer"),
    ],
)
def test_what_does_not_fit_is_refused(form: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        opinion(form, FIELDS)
