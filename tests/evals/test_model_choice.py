"""Each node gets the model that it needs, by the server's bill at a third of the cost, and must-pass rows hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from agentsym.network.prompt import Prompt
from evals.model_choice import mails
from evals.model_choice.__main__ import main
from evals.model_choice.experiment import CHEAP, DEAR, PARTS, measure
from evals.model_choice.student import HABITS, LARGE, SMALL, Skill, answer
from evals.model_choice.teacher import RULES
from evals.repair.student import SAYINGS, takes_last
from evals.structure import subjects

pytestmark = pytest.mark.xdist_group("model_choice")  # its runs are for all tests
SEED = 1


@pytest.fixture(scope="module")
def measured() -> Mapping[str, dict[str, Any]]:
    return {part: measure(part, SEED) for part in PARTS}


# The rows and the doubles


def test_the_sets_share_no_mail_and_have_the_exact_shares() -> None:
    sets = [{row["mail"] for row in mails.rows(name, SEED, 40)} for name in ("train", "val", "test")]
    assert [len(own) for own in sets] == [40, 40, 40] and not set.intersection(*sets)
    rows = mails.rows("val", SEED, 40)
    assert sum(len(subjects.orders(row["mail"])) == 2 for row in rows) == 10
    assert sum(subjects.has_carry(mails.right_order(row["mail"])) for row in rows) == 18
    assert {len(subjects.orders(row["mail"])) for row in mails.twice_corrected(SEED, 4)} == {3}


def said(skill: Skill, node: str, value: str, *rules: str) -> str:
    """Return what a model says at a node of the agent, which has some rules."""
    agent = mails.agent()
    ruled = agent.with_parameter(f"{node}/rules", agent.parameter(f"{node}/rules").with_value(rules))
    found = ruled.node(node)
    messages = [message.model_dump() for message in Prompt(found).messages({found.inputs[0]: value})]
    (text,) = answer(skill, messages, [field.name for field in found.output]).values()
    return str(text)


CARRY, NONE = "2 lamps at 14 each and 3 desks at 13 each", "3 lamps at 12 each and 3 desks at 11 each"


def test_only_the_large_model_carries_and_no_rule_that_the_teacher_knows_teaches_the_small_one() -> None:
    assert said(LARGE, "reckon", CARRY) == "67" and said(SMALL, "reckon", CARRY) == "57"
    assert said(LARGE, "reckon", NONE) == said(SMALL, "reckon", NONE) == "69"
    for rule in (*SAYINGS, *RULES, "Mind the carry."):
        assert said(SMALL, "reckon", CARRY, rule) != "67"


def test_both_models_read_a_corrected_order_by_a_rule_and_only_the_large_one_a_second_correction() -> None:
    once, twice = f"We need {CARRY}. No, wait: {NONE}.", f"We need {CARRY}. Sorry: {CARRY}. No, wait: {NONE}."
    for skill in (LARGE, SMALL):
        assert said(skill, "read", once) == CARRY
        assert said(skill, "read", once, RULES[0]) == NONE
        assert said(skill, "reply", "69") == "The total is 69."
    assert said(LARGE, "read", twice, RULES[0]) == NONE
    assert said(SMALL, "read", twice, RULES[0]) == CARRY


def test_a_quarter_of_the_teachers_rules_helps_and_as_many_and_more_do_harm() -> None:
    once = f"We need {CARRY}. No, wait: {NONE}."
    helpful = [rule for rule in RULES if said(LARGE, "read", once, rule) == NONE]
    harmful = [rule for rule in RULES if said(LARGE, "read", f"We need {CARRY}.", rule) != CARRY]
    assert helpful == [rule for rule in RULES if takes_last([rule])] and len(helpful) * 4 == len(RULES)
    assert len(harmful) == len(HABITS) == 3


# Learning


@pytest.mark.parametrize("part", PARTS)
def test_each_node_ends_with_the_model_that_it_needs_at_the_full_score(
    part: str, measured: Mapping[str, dict[str, Any]]
) -> None:
    found = measured[part]
    assert found["models"] == dict(PARTS[part].ends) and found["as needed"]
    assert found["after"]["score"] == found["all large"]["score"] == 1.0
    assert found["all small"]["score"] == 0.55
    assert found["before"]["score"] == (0.45 if PARTS[part].begins == CHEAP else 0.75)


@pytest.mark.parametrize(("part", "saved"), [("cheapest", 0.65), ("from small", 0.65), ("must pass", 0.25)])
def test_by_the_servers_bill_it_is_cheaper_than_the_large_model_everywhere(
    part: str, saved: float, measured: Mapping[str, dict[str, Any]]
) -> None:
    found = measured[part]
    assert found["after"]["usd"] < (1 - saved) * found["all large"]["usd"]
    assert found["all small"]["usd"] < found["after"]["usd"]


@pytest.mark.parametrize("part", PARTS)
def test_what_the_run_says_that_it_costs_is_the_servers_bill(part: str, measured: Mapping[str, dict[str, Any]]) -> None:
    for name in ("before", "after"):
        own, billed = measured[part]["own account"][name], measured[part][name]["usd"]
        assert own == pytest.approx(billed, abs=1e-5)


def test_the_search_that_begins_with_small_needs_no_choice_afterwards(
    measured: Mapping[str, dict[str, Any]],
) -> None:
    assert measured["from small"]["offers"] == []
    assert [(offer["path"], offer["accept"]) for offer in measured["cheapest"]["offers"]] == [
        ("read/model", True),
        ("reckon/model", False),
        ("reply/model", True),
    ]


def test_the_model_that_is_good_on_validation_and_breaks_a_must_pass_row_is_not_taken(
    measured: Mapping[str, dict[str, Any]],
) -> None:
    refused = measured["must pass"]["offers"][0]
    assert (refused["path"], refused["value"], refused["accept"]) == ("read/model", CHEAP, False)
    assert refused["reason"].startswith("must-pass row") and refused["reason"].endswith("goes from pass to fail")
    assert measured["must pass"]["models"]["read"] == DEAR


def test_the_command_prints_the_table_and_fails_where_a_node_has_another_model(
    measured: Mapping[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("evals.model_choice.__main__.measure", lambda part, seed: measured[part])
    monkeypatch.setattr(sys, "argv", ["model_choice", "--seeds", f"{SEED}"])
    main()
    out = capsys.readouterr().out
    assert "read small, reckon large, reply small" in out and "read large, reckon large, reply small" in out
    monkeypatch.setattr(sys, "argv", ["model_choice", "--seeds", f"{SEED}", "--parts", "cheapest", "--json"])
    main()
    (row,) = json.loads(capsys.readouterr().out)
    assert row == measured["cheapest"]
    wrong = {**measured["cheapest"], "as needed": False}
    monkeypatch.setattr("evals.model_choice.__main__.measure", lambda part, seed: wrong)
    with pytest.raises(SystemExit, match="1 of 1 runs gave a node another model than it needs"):
        main()
