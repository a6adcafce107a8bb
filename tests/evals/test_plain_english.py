"""The student goes by English and not by markers, the teacher by the runs it is shown, and agentsym learns by both."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from evals.openai_server import Server
from evals.plain_english.brain import brain
from evals.plain_english.candidates import IDEAS, PLATITUDES
from evals.plain_english.critic import finding
from evals.plain_english.english import in_force, meanings
from evals.plain_english.evidence import Shown, runs
from evals.plain_english.meanings import Meaning, Step
from evals.plain_english.ours import agent, rules_of, score, trained
from evals.plain_english.phrases import worded
from evals.plain_english.student import listed, solved
from evals.plain_english.task import problems, rows

READ = """Forget nothing. Do not count what was never bought. People's ages should be left alone: ignore them.
Spelled-out numbers count. Each dozen stands for 12. Pairs count double. Hours are converted into minutes."""
SOLVE = """Whenever boats are needed, go up to the next whole number after dividing. If sweets are shared, divide.
Subtract when two people are compared. What remains is found by subtraction. Per piece means times."""

# What the student understands


@pytest.mark.parametrize(
    ("meaning", "sentences"),
    [
        (
            Meaning("unused", "ignore"),
            [
                "Ignore the price of anything that was not bought.",
                "Things she did not purchase: leave them out.",
                "Omit whatever he put back.",
                "What was left in the shop is irrelevant.",
                "Never list amounts for goods that nobody bought or that were only looked at.",
            ],
        ),
        (
            Meaning("ages", "ignore"),
            ["Skip ages.", "How old people are, leave out.", "Disregard a birthday.", "Don't count years old."],
        ),
        (
            Meaning("words", "count"),
            [
                "Numbers may be written as words.",
                "Turn number words into digits.",
                "Spelled-out quantities belong to the list; include them.",
                "Do not skip amounts that are given in words.",
            ],
        ),
        (Meaning("dozen", 12), ["A dozen is 12.", "Take dozens for twelve.", "Twelve is what a dozen counts."]),
        (Meaning("pair", 2), ["Treat a pair as two.", "Count couples double.", "For every pair, write 2."]),
        (
            Meaning("hours", 60),
            ["Convert hours to minutes.", "Multiply hours by 60.", "One hour means sixty minutes."],
        ),
    ],
)
def test_the_reading_step_understands_a_rule_in_any_wording(meaning: Meaning, sentences: list[str]) -> None:
    for sentence in sentences:
        assert in_force(sentence, "read") == {meaning.case: meaning.action}, sentence


@pytest.mark.parametrize(
    ("meaning", "sentences"),
    [
        (
            Meaning("left", "subtract"),
            [
                "When the question asks how many are left, subtract.",
                "Take one number away from the other to find what remains.",
                "Deduct if somebody still has some.",
                "For leftovers, give the larger minus the smaller.",
            ],
        ),
        (
            Meaning("each", "multiply"),
            [
                "Per means times.",
                "Multiply for each.",
                "Apiece: take the product.",
                "Multiply if every box holds as many.",
            ],
        ),
        (
            Meaning("share", "divide"),
            ["Share equally: divide.", "Use division for equal portions.", "If they split it, take the quotient."],
        ),
        (
            Meaning("more", "subtract"),
            ["By how much? Subtract by how much.", "Subtract to compare two amounts.", "How many more: deduct."],
        ),
        (
            Meaning("fit", "round up"),
            [
                "Round up when people need vehicles.",
                "For buses, divide and go to the next full number.",
                "Trips: round the quotient upwards.",
                "If containers are wanted, allow one more for the rest.",
            ],
        ),
        (Meaning("always", "add"), ["Add up the numbers.", "Take the total.", "Always give the sum."]),
    ],
)
def test_the_solving_step_understands_a_rule_in_any_wording(meaning: Meaning, sentences: list[str]) -> None:
    for sentence in sentences:
        assert in_force(sentence, "solve") == {meaning.case: meaning.action}, sentence


def test_do_not_turns_a_rule_around_and_takes_back_what_stood_before() -> None:
    assert in_force("Do not ignore ages.", "read") == {"ages": "count"}
    assert in_force("Don't leave out what was not bought.", "read") == {"unused": "count"}
    assert in_force("Never treat a dozen as twelve.", "read") == {}
    assert in_force("Do not subtract when some are left.", "solve") == {}
    subtract = "If some are left, subtract."
    assert in_force(f"{subtract} Never subtract if some remain.", "solve") == {}
    assert in_force(f"{subtract} Do not multiply if some remain.", "solve") == {"left": "subtract"}
    assert in_force("If some are left, do not add but subtract.", "solve") == {"left": "subtract"}
    assert in_force("Instead of adding, subtract whenever something remains.", "solve") == {"left": "subtract"}


def test_each_idea_is_understood_in_all_its_wordings_and_platitudes_say_nothing() -> None:
    steps: tuple[Step, ...] = ("read", "solve")
    for step in steps:
        for idea in IDEAS[step]:
            wordings = {worded(idea, random.Random(seed)) for seed in range(60)}
            assert len(wordings) >= 4
            assert all(meanings(wording, step) == [idea] for wording in wordings), idea
        assert all(not meanings(platitude, step) for platitude in PLATITUDES[step])


def test_a_rule_changes_what_the_student_does_and_the_specific_one_goes_first() -> None:
    text = "Ada, who is 9 years old, had a dozen eggs, five nuts and 3 pairs of socks. How many things were left?"
    assert listed(text, "") == [9, 3]
    assert listed(text, READ) == [12, 5, 6]
    assert solved(text, [12, 5], "") == solved(text, [12, 5], "Be careful.") == 17
    assert solved(text, [12, 5], "Subtract when some are left. Always multiply.") == 7
    assert solved(text, [12, 5], "Always multiply.") == 60


# The task


@pytest.mark.parametrize("seed", [0, 7])
def test_good_rules_answer_every_problem_of_every_wording_and_without_them_most_are_wrong(seed: int) -> None:
    for part in ("train", "val", "test"):
        made = problems(part, seed)
        right = [solved(p.text, listed(p.text, READ), SOLVE) == p.answer for p in made]
        assert all(right), [p for p, is_right in zip(made, right, strict=True) if not is_right]
        assert sum(solved(p.text, listed(p.text, ""), "") == p.answer for p in made) <= 0.6 * len(made)
    texts = {part: {p.text for p in problems(part, seed)} for part in ("train", "val", "test")}
    assert [len(found) for found in texts.values()] == [40, 40, 60]
    assert not {re.sub(r"\d+", "#", text) for text in texts["test"]} & {
        re.sub(r"\d+", "#", text) for text in texts["train"]
    }


def test_at_most_a_quarter_of_the_ideas_help_and_some_do_harm() -> None:
    made = problems("train", 0)

    def right(read: str, solve: str) -> int:
        return sum(solved(p.text, listed(p.text, read), solve) == p.answer for p in made)

    alone = [right(worded(idea, random.Random(0)), "") for idea in IDEAS["read"]]
    alone += [right("", worded(idea, random.Random(0))) for idea in IDEAS["solve"]]
    assert len(alone) >= 20 and sum(score > right("", "") for score in alone) <= len(alone) / 4
    assert any(score < right("", "") for score in alone)
    assert right(f"{READ} Leave out small numbers.", SOLVE) < right(READ, SOLVE) == len(made)


# The teacher


def test_the_critic_blames_the_step_behind_which_no_sum_is_right() -> None:
    found = {numbers: finding(Shown("…", numbers, "31", 17)) for numbers in ("24, 7", "24", "10, 7", "24, 7, 3")}
    assert {numbers: item and item.step for numbers, item in found.items()} == {
        "24, 7": "solve",
        "24": "read",
        "10, 7": "solve",
        "24, 7, 3": "read",
    }
    assert finding(Shown("…", "10, 7", "17", 17)) is None
    assert finding(Shown("…", "10, 7", "31", None)) is finding(Shown("…", None, "31", 17)) is None


PROBLEM = "Ada had twenty shells and lost 7. How many shells are left?"
NODES: dict[str, Any] = {
    "node": {"enum": ["read", "solve"]},
    "blame": {"type": "number"},
    "critique": {"type": "string"},
}
BLAME = {
    "type": "object",
    "properties": {"nodes": {"type": "array", "items": {"type": "object", "properties": NODES}}},
}


def mend_form(node: str, *ids: str) -> dict[str, Any]:
    def option(op: str, component: str, **fields: Any) -> dict[str, Any]:
        known = {"op": {"const": op}, "why": {"type": "string"}, "path": {"const": f"{node}/{component}"}}
        return {"type": "object", "properties": {**known, **fields}}

    text = {"type": "string"}
    options = [option("set_text", "instructions", value=text), option("add_rule", "rules", text=text)]
    if ids:
        options.append(option("replace_rule", "rules", id={"enum": list(ids)}, text=text))
        options.append(option("drop_rule", "rules", id={"enum": list(ids)}))
    edits = {"type": "array", "items": {"anyOf": options}}
    return {"type": "object", "properties": {"analysis": text, "edits": edits}}


def ask(schema: dict[str, Any], text: str) -> dict[str, Any]:
    form = {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}
    body = {"model": "teacher", "messages": [{"role": "user", "content": text}], **form}
    answer: dict[str, Any] = json.loads(brain(body))
    return answer


def failure(problem: str) -> str:
    record = f"input problem: {problem}\ninput numbers: 20, 7\noutput answer: 27\nexpected answer: 13"
    return f'<data name="failure">\n{record}\n</data>'


def mended(step: Step, text: str, rules: str = "(empty)", *ids: str) -> list[dict[str, str]]:
    shown = f'<data name="{step}/rules">\n{rules}\n</data>\n{text}'
    return list(ask(mend_form(step, *ids), shown)["edits"])


def test_a_run_that_is_shown_is_blamed_and_without_it_nobody_is() -> None:
    run = f"input problem: {PROBLEM}\nstep 0, node read\n  output numbers: 7\nstep 1, node solve\n  output answer: 7"
    told = 'The score is 0 of 1.\n<data name="judgement">\nexpected answer: 13\n</data>'
    (blame,) = ask(BLAME, f'<data name="run">\n{run}\n</data>\n{told}')["nodes"]
    assert (blame["node"], blame["blame"]) == ("read", 1.0) and "13 was wanted" in blame["critique"]
    (blame,) = ask(BLAME, f'<data name="run">\n{run.replace("numbers: 7", "numbers: 20, 7")}\n</data>\n{told}')["nodes"]
    assert blame["node"] == "solve"
    assert ask(BLAME, told)["nodes"] == []


def test_the_editor_writes_about_what_it_is_shown_and_platitudes_without() -> None:
    seen = [edit["text"] for at in range(60) for edit in mended("solve", f"{failure(PROBLEM)}\n{at}")]
    known = {meaning.case for text in seen for meaning in meanings(text, "solve")}
    assert known == {"left", "always"} and len(set(seen)) > 20
    assert any(Meaning("left", "subtract") in meanings(text, "solve") for text in seen)
    for step in ("read", "solve"):
        told = [edit["text"] for at in range(60) for edit in mended(step, f"Score 0 of 1. {at}")]
        assert set(told) <= set(PLATITUDES[step]), "it helps without having seen a failing run"


def test_the_same_request_gets_the_same_edits_and_what_was_tried_or_stands_is_not_written_again() -> None:
    assert mended("solve", failure(PROBLEM)) == mended("solve", failure(PROBLEM))
    vain = '<data name="tried">\n- add_item solve/rules: Subtract when some remain.\n</data>'
    rule = "[r1] If it asks for what remains, multiply."
    for at in range(60):
        for edit in mended("solve", f"{failure(PROBLEM)}\n{vain}\n{at}", rule, "r1"):
            said = meanings(edit.get("text", ""), "solve")
            assert Meaning("left", "subtract") not in said and Meaning("left", "multiply") not in said
            assert edit["op"] != "add_rule" or all(meaning.case == "always" for meaning in said)
            assert edit["op"] == "add_rule" or edit["id"] == "r1"


def test_a_text_is_kept_and_added_to_where_a_node_has_no_rules() -> None:
    form = mend_form("solve")
    form["properties"]["edits"]["items"]["anyOf"].pop()
    shown = '<data name="solve/instructions">\nGive the answer.\n</data>'
    (edit,) = ask(form, f"{shown}\n{failure(PROBLEM)}")["edits"]
    assert edit["op"] == "set_text" and edit["value"].startswith("Give the answer. ")
    assert len(edit["value"]) > len("Give the answer. ")


def test_runs_are_found_in_the_records_of_all_requests_with_what_was_wanted_of_each() -> None:
    gradient = (
        f'<data name="gradient 1">\nanalysis: 13 was wanted.\n  input problem: {PROBLEM}\n  output numbers: 7\n</data>'
    )
    (shown,) = runs(gradient)
    assert shown == Shown(PROBLEM, "7", None, 13)
    assert runs(f'<data name="right visits">\n- problem: {PROBLEM} => numbers: 20, 7\n</data>') == []
    two = f"{failure(PROBLEM)}\n{failure('Bo has 2 of 3.')}"
    assert [run.wanted for run in runs(two)] == [13, 13]
    assert [run.problem for run in runs(two)] == [PROBLEM, "Bo has 2 of 3."]


# The run


async def test_a_short_run_improves_on_problems_that_were_never_shown(tmp_path: Path) -> None:
    async with Server(brain) as server:
        run = await trained(server.base_url, tmp_path, 0, "symbolic", {"steps": 6})
        before = await score(server.base_url, agent(), rows("test", 0))
        after = await score(server.base_url, run.best, rows("test", 0))
        assert server.stats.errors == []
    assert before <= 0.6 and after > before + 0.1
    assert any(meanings(rule, "read") for rule in rules_of(run.best, "read")) or any(
        meanings(rule, "solve") for rule in rules_of(run.best, "solve")
    )
