"""What is replaced before it is stored, and what only looks like it and stays."""

from __future__ import annotations

import pytest

from agentsym.deploy.policy import Traces
from agentsym.deploy.redaction import Redactor
from agentsym.errors import UsageError
from agentsym.network.records import Message, Step, ToolCall, Trajectory

everything = Redactor(Traces())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("write to ann.b+x@mail.example.org please", "write to [email] please"),
        ("call +49 171 1234567 now", "call [phone] now"),
        ("call (030) 123 45 67, or 030/1234567", "call [phone], or [phone]"),
        ("(212) 555-0123 or 212-555-0123", "[phone] or [phone]"),
        ("card 4111 1111 1111 1111, thanks", "card [card], thanks"),
        ("card 4111-1111-1111-1111", "card [card]"),
        ("key sk-abcdefghijklmnop1234", "key [key]"),
    ],
)
def test_personal_data_is_replaced_by_its_kind(text: str, kept: str) -> None:
    assert everything.text(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "my card arrived on 01.02.2026 at 09:30",
        "2026-11-23T09:30:00+00:00",
        "order 4111111111111112 is late",  # fails the check digit
        "I was charged 1,234.56 twice, 30 days ago",
        "version 1.2.3-4567 at example.org",
        "@ann said so",
    ],
)
def test_dates_amounts_and_order_numbers_stay(text: str) -> None:
    assert everything.text(text) == text


def test_only_the_detectors_that_are_named_are_used() -> None:
    assert Redactor(Traces(redact=("email",))).text("a@b.org +49 171 1234567") == "[email] +49 171 1234567"
    assert Redactor(Traces(redact=())).text("a@b.org") == "a@b.org"


def test_patterns_of_ones_own_are_named() -> None:
    assert Redactor(Traces(patterns={"customer": r"C-\d{6}"})).text("I am C-123456") == "I am [customer]"


@pytest.mark.parametrize(("pattern", "reason"), [("(", "no regular expression"), ("x*", "fits the empty text")])
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Redactor(Traces(patterns={"bad": pattern}))


def test_every_text_of_a_trajectory_is_redacted() -> None:
    mail, plain = "a@b.org", {"message": ["from a@b.org"], "a@b.org": 4111111111111111}
    call = ToolCall(tool="send", arguments=plain, result=mail, error=mail)
    step = Step(
        index=0, node="n", inputs=plain, output=plain, raw=mail, error=mail, tool_calls=(call,),
        messages=(Message(role="assistant", content=mail, tool_calls=(call,)),),
    )  # fmt: skip
    seen = Trajectory(id="t", version="v", inputs=plain, output=plain, error=mail, steps=(step,))
    text = everything.trajectory(seen).model_dump_json()
    assert "a@b.org" not in text and "4111111111111111" not in text
    assert text.count("[email]") >= 15


def test_long_texts_of_digits_are_no_trap() -> None:
    assert everything.text("1 " * 50_000 + "a" * 50_000 + "@" * 1000)  # the time limit of tests would end it
