"""Answers with a form: strict JSON, checked fields, and retries that quote what was wrong."""

import json
import math
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agentsym.errors import BudgetExceeded, ModelError, OutputError, UsageError
from agentsym.models.budget import Budget
from agentsym.models.door import Door
from agentsym.models.doubles import MALFORMED, REFUSAL, Rule, ScriptedModel, timeout
from agentsym.models.protocol import Reply, Request
from agentsym.models.structured import ask, parse_json, parse_model
from agentsym.network.records import Message, Usage

SCHEMA = {
    "type": "object",
    "properties": {"intent": {"type": "string", "enum": ["late", "lost"]}, "days": {"type": "integer"}},
    "required": ["intent"],
    "additionalProperties": False,
}
REQUEST = Request(messages=(Message(role="user", content="Where is it?"),), schema_=SCHEMA)
parse = partial(parse_json, schema=SCHEMA)


async def test_a_good_answer_takes_one_call() -> None:
    with ScriptedModel(['{"intent": "late", "days": 3}']) as model:
        answer = await ask(Door(), model, REQUEST, parse, phase="forward", node="triage")
    assert answer.value == {"intent": "late", "days": 3}
    assert (answer.attempts, answer.usage.calls) == (1, 1)
    assert answer.reply.text == '{"intent": "late", "days": 3}'


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (MALFORMED, "one JSON value and nothing else"),
        (REFUSAL, "one JSON value and nothing else"),
        ('{"intent": "gone"}', '`intent` must be one of "late", "lost"; it is "gone"'),
        ('{"days": 2.5}', "the answer lacks the field `intent`\n`days` must be of type integer, it is 2.5"),
    ],
)
async def test_the_next_attempt_is_shown_the_bad_answer_and_every_reason(bad: str, reason: str) -> None:
    door = Door()
    with ScriptedModel([Rule(bad, times=1), '{"intent": "lost"}']) as model:
        answer = await ask(door, model, REQUEST, parse, phase="forward", node="triage")
    assert (answer.value, answer.attempts) == ({"intent": "lost"}, 2)
    assert answer.usage.calls == door.ledger.entries()["forward", "triage"].calls == 2
    first, second = model.calls
    asked, said, complaint = second.messages
    assert first.messages == (asked,)
    assert (said.role, said.content) == ("assistant", bad)
    assert complaint.role == "user"
    assert reason in complaint.content


async def test_an_answer_that_was_cut_off_is_asked_for_again_in_fewer_words() -> None:
    cut = Reply(text=MALFORMED, truncated=True)
    with ScriptedModel([Rule(cut, times=1), '{"intent": "lost"}']) as model:
        await ask(Door(), model, REQUEST, parse, phase="forward")
    assert "cut off at its longest length; answer in fewer words" in model.calls[1].text


async def test_four_failures_are_exactly_four_calls_and_the_last_reason_is_told() -> None:
    answers = [Rule(f'{{"intent": "wrong {n}"}}', times=1) for n in range(4)]
    door = Door()
    with (
        ScriptedModel(answers) as model,
        pytest.raises(OutputError, match=r"'triage' in 4 attempts.*wrong 3"),
    ):
        await ask(door, model, REQUEST, parse, phase="forward", node="triage")
    assert len(model.calls) == door.ledger.total().calls == 4
    assert [f"wrong {n}" in model.calls[3].text for n in range(4)] == [True, True, True, False]


async def test_a_call_that_fails_is_not_asked_again_here() -> None:
    with ScriptedModel([timeout()]) as model, pytest.raises(ModelError, match="60 seconds"):
        await ask(Door(), model, REQUEST, parse, phase="forward")
    assert len(model.calls) == 1


async def test_the_budget_holds_for_retries_too() -> None:
    door = Door(budget=Budget(max_calls=2))
    with ScriptedModel([Rule(MALFORMED, times=2)]) as model, pytest.raises(BudgetExceeded):
        await ask(door, model, REQUEST, parse, phase="forward")
    assert len(model.calls) == 2


async def test_the_usage_of_an_answer_is_that_of_all_its_attempts() -> None:
    def said(text: str) -> Reply:
        return Reply(text=text, usage=Usage(calls=1, prompt_tokens=5, usd=0.5))

    with ScriptedModel([Rule(said(""), times=1), said('{"intent": "lost"}')]) as model:
        answer = await ask(Door(), model, REQUEST, parse, phase="forward")
    assert (answer.usage.calls, answer.usage.prompt_tokens, answer.usage.usd) == (2, 10, 1.0)
    assert model.calls[1].messages[1].content  # no empty message is sent


class Advice(BaseModel):
    analysis: str
    severity: int = 2


async def test_an_answer_can_be_a_pydantic_model() -> None:
    with ScriptedModel([Rule('{"severity": "high"}', times=1), '{"analysis": "late", "severity": 3}']) as model:
        answer = await ask(Door(), model, REQUEST, parse_model(Advice), phase="backward")
    assert answer.value == Advice(analysis="late", severity=3)
    assert "`analysis`: Field required" in model.calls[1].text
    assert "`severity`: Input should be a valid integer" in model.calls[1].text


NAMES = st.text(min_size=1, max_size=5)
LEAVES = st.one_of(
    st.none().map(lambda value: (value, {"type": "null"})),
    st.booleans().map(lambda value: (value, {"type": "boolean"})),
    st.integers(-(2**70), 2**70).map(lambda value: (value, {"type": "integer"})),
    st.integers(-100, 100).map(lambda value: (value, {"type": "number"})),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: (value, {"type": "number"})),
    st.text().map(lambda value: (value, {"type": "string"})),
    st.lists(st.text(), min_size=1).map(lambda labels: (labels[-1], {"type": "string", "enum": labels})),
    st.text().map(lambda value: (value, {})),
)


def array_of(items: list[tuple[Any, dict]]) -> tuple[Any, dict]:
    value, schema = items[0]
    return [value] * len(items), {"type": "array", "items": schema}


def object_of(fields: dict[str, tuple[Any, dict]]) -> tuple[Any, dict]:
    return {name: value for name, (value, _) in fields.items()}, {
        "type": "object",
        "properties": {name: schema for name, (_, schema) in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


FITTING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(array_of) | st.dictionaries(NAMES, inner, max_size=3).map(object_of)
    ),
    max_leaves=8,
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(FITTING, st.booleans(), st.sampled_from(["{}", "```json\n{}\n```", "\n ```\n{}\n```\n"]))
def test_what_fits_its_schema_is_read_back_unchanged(case: tuple[Any, dict], escaped: bool, frame: str) -> None:
    value, schema = case
    text = json.dumps(value, ensure_ascii=escaped)
    assert parse_json(frame.replace("{}", text), schema) == value


@given(ANY_JSON, FITTING)
def test_any_other_json_either_fits_or_is_refused_with_a_reason(value: Any, case: tuple[Any, dict]) -> None:
    _, schema = case
    try:
        read = parse_json(json.dumps(value), schema)
    except ValueError as error:
        assert str(error)
    else:
        assert json.dumps(read) == json.dumps(value)
        assert "NaN" not in json.dumps(read)


@given(st.text())
def test_no_text_gets_past_with_anything_but_a_value_error(text: str) -> None:
    try:
        read = parse_json(text, {})
    except ValueError:
        return
    assert json.loads(json.dumps(read, allow_nan=False)) == read


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "-Infinity",
        "1e999",
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        '"\\ud83d"',
        "[" * 100_000,
        "1 2",
        "",
        'Here it is: {"a": 1}',
        '```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```',
        "9" * 5000,
    ],
    ids=lambda text: text[:20],
)
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text, {})


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (True, {"type": "integer"}),
        (True, {"type": "number"}),
        (1, {"type": "boolean"}),
        (1.0, {"type": "integer"}),
        (True, {"enum": [1]}),
        ([1, "2"], {"type": "array", "items": {"type": "integer"}}),
        ({"a": {"b": 1}}, {"properties": {"a": {"additionalProperties": False}}}),
        ({"a": 1}, {"additionalProperties": {"type": "string"}}),
    ],
)
def test_what_does_not_fit_is_refused(value: Any, schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"the answer|`"):
        parse_json(json.dumps(value), schema)


def test_a_problem_is_told_with_its_place() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}
    with pytest.raises(ValueError, match=r"`a\[1\]` must be of type string, it is 5"):
        parse_json('{"a": ["x", 5]}', schema)


def test_a_schema_that_asks_for_more_than_is_checked_is_refused() -> None:
    with pytest.raises(UsageError, match="maxLength"):
        parse_json('"x"', {"type": "string", "maxLength": 5})


def test_a_large_whole_number_keeps_every_digit() -> None:
    assert parse_json(str(2**70), {"type": "integer"}) == 2**70
    assert math.isclose(parse_json("1.5e3", {"type": "number"}), 1500)
