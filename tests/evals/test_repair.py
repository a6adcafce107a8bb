"""The tools are as wrong as is said, the doubles go by what a request shows, and learning mends a tool."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from agentsym import Agent
from agentsym.errors import SandboxError
from agentsym.learning.run import Run
from agentsym.network.parameters import Code
from agentsym.network.prompt import Prompt
from agentsym.runtime.sandbox.find import find_sandbox
from agentsym.runtime.sandbox.protocol import LearnedCodeError, Limits, Sandbox
from evals.repair.__main__ import study
from evals.repair.edits import edit
from evals.repair.lesson import Lesson, metric
from evals.repair.lessons import LESSONS
from evals.repair.rewrites import Rewrite
from evals.repair.run import Way, learn, reported
from evals.repair.student import answer as student
from evals.repair.teacher import answer as teacher

pytestmark = pytest.mark.xdist_group("repair")  # its one run is for all tests
lessons = pytest.mark.parametrize("lesson", LESSONS.values(), ids=list(LESSONS))
_ALL = "\n\n\ndef every(visits):\n    return [{}(**visit) for visit in visits]\n"
_FAILURES = re.compile(r'<data name="(?:run|failure)">\n.*?\n</data>', re.DOTALL)


class Asked(NamedTuple):
    """One request that the teacher got, and what it answered."""

    schema: Mapping[str, Any]
    text: str
    answer: Any


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    try:
        return find_sandbox()
    except SandboxError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def learned(sandbox: Sandbox) -> tuple[Run[Agent], int, list[Asked]]:
    """One run on few rows, and everything that the teacher was asked in it."""
    asked: list[Asked] = []

    def listening(schema: Mapping[str, Any], text: str, draw: str) -> Any:
        asked.append(Asked(schema, text, teacher(schema, text, draw)))
        return asked[-1].answer

    lesson = LESSONS["due_day"]
    of_20 = replace(study(lesson, 0), rows=lambda name, _: lesson.rows(name, 1, 20), teacher=listening)
    run, requests = asyncio.run(learn(of_20, 0, Way(steps=40)))
    return run, requests, asked


# The lessons


@lessons
def test_the_tool_is_wrong_for_3_rows_in_10_and_the_agent_for_9_in_20(lesson: Lesson) -> None:
    notes = [row["note"] for row in lesson.rows("train", 0, 200)]
    readings = [lesson.reading(note) for note in notes]
    wrong = [lesson.tool(**reading) != lesson.right(reading) for reading in readings]
    assert sum(wrong) == 60
    firsts = [lesson.values(note)[0] for note in notes]
    read_first = [first != reading[lesson.value] for first, reading in zip(firsts, readings, strict=True)]
    assert sum(map(max, wrong, read_first)) == 90


@lessons
def test_sets_and_seeds_have_rows_of_their_own(lesson: Lesson) -> None:
    train, val = (lesson.rows(name, 0, 40) for name in ("train", "val"))
    assert train == lesson.rows("train", 0, 40)
    assert train != lesson.rows("train", 1, 40)
    shared = {row["note"] for row in train} & {row["note"] for row in val}
    assert len(shared) <= 4


# The rewrites


@lessons
async def test_of_at_least_20_rewrites_a_quarter_helps_and_others_break_what_works(
    lesson: Lesson, sandbox: Sandbox
) -> None:
    source = _code(lesson).value
    visits = [lesson.reading(row["note"]) for row in lesson.rows("train", 0, 60)]
    right = [lesson.right(visit) for visit in visits]
    before = [lesson.tool(**visit) == wanted for visit, wanted in zip(visits, right, strict=True)]

    async def outcome(rewrite: Rewrite) -> str:
        made = rewrite.of(source)
        arguments = {"visits": visits}
        try:
            given = await sandbox.call(
                made + _ALL.format(lesson.name), "every", arguments, timeout_s=20, limits=Limits(cpu_s=1)
            )
        except LearnedCodeError as error:
            return error.exception or error.reason
        after = [result == wanted for result, wanted in zip(given, right, strict=True)]
        if any(was and not now for was, now in zip(before, after, strict=True)):
            return "breaks"
        return "helps" if sum(after) > sum(before) else "changes nothing"

    outcomes = [await outcome(rewrite) for rewrite in lesson.rewrites()]
    assert len(outcomes) >= 20
    assert outcomes.count("helps") == len(outcomes) // 4
    assert outcomes.count("breaks") >= 6
    assert outcomes.count("SyntaxError") == 1
    assert outcomes.count("TypeError") == 1
    assert sum(outcomes.count(reason) for reason in ("cpu", "timeout", "memory")) == 1


# The student


def _read(lesson: Lesson, note: str, *rules: str) -> dict[str, Any]:
    node = lesson.agent().node(lesson.reads)
    ruled = node.with_weight("rules", node.parameters["rules"].with_value(rules))
    messages = [message.model_dump() for message in Prompt(ruled).messages({"note": note})]
    return student(messages, list(lesson.fields))


@lessons
def test_the_student_takes_the_first_value_until_a_rule_says_the_last(lesson: Lesson) -> None:
    note = next(row["note"] for row in lesson.rows("train", 0, 40) if len(lesson.values(row["note"])) > 1)
    first, last = lesson.values(note)
    assert _read(lesson, note)[lesson.value] == first
    assert _read(lesson, note, "Of all that are named take the last.") == lesson.reading(note)
    assert _read(lesson, note, "Never take the last.")[lesson.value] == first
    assert _read(lesson, note, lesson.rules[0])[lesson.value] == last


@lessons
def test_the_student_obeys_rules_that_spoil_the_answer(lesson: Lesson) -> None:
    notes = [row["note"] for row in lesson.rows("train", 0, 40)]
    for pattern in lesson.habits:
        (rule,) = (rule for rule in lesson.rules if re.search(pattern, rule))
        assert any(_read(lesson, note, rule) != _read(lesson, note) for note in notes)


# The teacher


def test_the_teacher_blames_the_tool_or_the_node_before_it_and_never_the_last_one(
    learned: tuple[Run[Agent], int, list[Asked]],
) -> None:
    blamed = [item["node"] for asked in learned[2] for item in asked.answer.get("nodes", ())]
    assert set(blamed) == {"read_bill", "due_day"}


def test_the_teacher_has_nothing_to_say_without_the_failing_rows(
    learned: tuple[Run[Agent], int, list[Asked]],
) -> None:
    for asked in learned[2]:
        assert asked.answer.get("edits") or asked.answer.get("nodes")
        empty = teacher(asked.schema, _FAILURES.sub("", asked.text))
        assert not empty.get("edits") and not empty.get("nodes")


def test_the_teacher_answers_alike_to_equal_requests_and_otherwise_to_another_draw(
    learned: tuple[Run[Agent], int, list[Asked]],
) -> None:
    rewrites = [asked for asked in learned[2] if "rewrite_code" in str(asked.answer)]
    assert all(teacher(a.schema, a.text, "0") == teacher(a.schema, a.text, "0") for a in rewrites)
    draws = {str(teacher(rewrites[0].schema, rewrites[0].text, f"{draw}")) for draw in range(40)}
    assert len(draws) >= 8


def test_the_teacher_leaves_alone_what_no_failing_row_points_to(
    learned: tuple[Run[Agent], int, list[Asked]],
) -> None:
    asked = next(asked for asked in learned[2] if "rewrite_code" in str(asked.answer))
    only_december = re.sub(r"output due: \d{4}-(?!00)\d\d-\d\d", "output due: 2001-01-01", asked.text)
    sources = {str(teacher(asked.schema, only_december, f"{draw}")) for draw in range(40)}
    assert all("It is about the December." in source for source in sources)


def test_an_edit_is_one_that_the_form_offers() -> None:
    add = {"properties": {"op": {"const": "add_rule"}, "path": {"enum": ["a/rules"]}, "text": {"type": "string"}}}
    form = {"properties": {"edits": {"items": {"anyOf": [add]}}}}
    values = {"path": "a/rules", "text": "Mind it.", "why": "no field of this form"}
    assert edit(form, ("add_rule",), values) == {"op": "add_rule", "path": "a/rules", "text": "Mind it."}
    assert edit(form, ("rewrite_code",), values) is None
    assert edit(form, ("add_rule",), {**values, "path": "b/rules"}) is None


# Learning


def test_learning_mends_the_tool_that_is_not_the_last_node(learned: tuple[Run[Agent], int, list[Asked]]) -> None:
    run, requests, _ = learned
    row = reported(run, requests)
    assert row["before"] == 0.55
    assert row["test"] >= 0.9
    code = run.best.parameter("due_day/code")
    assert isinstance(code, Code) and code.author == "learned"


def test_a_reply_is_right_to_the_letter_or_told_what_was_wanted() -> None:
    assert metric({"reply": "a"}, {"reply": "a"}) == (1.0, "")
    score, said = metric({"reply": "a"}, {"reply": "b"})
    assert score == 0.0 and '"a"' in said and '"b"' in said


def _code(lesson: Lesson) -> Code:
    code = lesson.agent().parameter(f"{lesson.name}/code")
    assert isinstance(code, Code)
    return code
