"""EM and F1 are HotPotQA's own, and a run with the scripted model goes from baseline through learning to the test."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsym.learning.metrics import exact_match as library_exact
from agentsym.learning.metrics import normalise, word_f1
from agentsym.network.edits import AddItem
from agentsym.network.parameters import Rules
from agentsym.network.prompt import Prompt
from evals.hotpotqa.__main__ import TASK, main
from evals.hotpotqa.agent import agent
from evals.hotpotqa.score import exact_match, hotpotqa
from evals.hotpotqa.scripted import answer, guess
from evals.symbolic_learning.data import part
from evals.symbolic_learning.double import NOTE

words = st.sampled_from(("yes", "no", "noanswer", "the a"))
answers = words | st.text(alphabet=f"ab {string.punctuation}", max_size=12)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Questions of our own, half of which the double guesses rightly."""
    named = [
        {"question": f"Which is older, Mount {name} or Lake Zo?", "answer": f"Mount {name}"} for name in "ABCDEFGHIJ"
    ]
    others = [
        {"question": f"In which year was the town of {name}ville founded?", "answer": "1801"} for name in "ABCDEFGHIJ"
    ]
    text = "".join(json.dumps(problem) + "\n" for pair in zip(named, others, strict=True) for problem in pair)
    (tmp_path / "hotpotqa_hard.jsonl").write_text(text, "utf-8")
    return tmp_path


def problems(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data / "hotpotqa_hard.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("wanted", "given", "em", "f1"),
    [
        ("Delhi", "delhi", 1, 1),
        ("Arthur's Magazine", "arthurs magazine!", 1, 1),
        ("the Bath, Maine", "Bath  Maine", 1, 1),
        ("Bath, Maine", "It is Bath, Maine.", 0, 2 * (2 / 4) * 1 / (2 / 4 + 1)),
        ("big big dog", "big dog dog", 0, 2 / 3),
        ("big big dog", "big big cat", 0, 2 / 3),
        ("Super Bowl XLVIII", "Super Bowl XLIX", 0, 2 / 3),
        ("yes", "yes", 1, 1),
        ("yes", "Yes.", 1, 1),
        ("yes", "yes indeed", 0, 0),
        ("yes indeed", "yes", 0, 0),
        ("no", "yes", 0, 0),
        ("noanswer", "no answer", 0, 0),
        ("no answer", "no good", 0, 0.5),
        ("Delhi", "", 0, 0),
        ("Delhi", "the", 0, 0),
        ("C++", "C", 1, 1),
        ("1.5", "15", 1, 1),
    ],
)
def test_the_golden_figures_of_the_definition(wanted: str, given: str, em: float, f1: float) -> None:
    verdict = hotpotqa({"answer": wanted}, {"answer": given})
    assert verdict.parts == {"em": em, "f1": pytest.approx(f1)} and verdict.score == verdict.parts["f1"]
    assert ("is right" in verdict.text) == bool(em)


def test_an_output_without_an_answer_scores_0_and_the_comment_says_what_was_wanted() -> None:
    verdict = hotpotqa({"answer": "Delhi"}, {})
    assert verdict.score == 0 and "'Delhi'" in verdict.text


@given(answers, answers)
def test_f1_is_a_symmetric_share_and_em_is_its_highest_value(left: str, right: str) -> None:
    f1 = word_f1(left, right)
    assert 0 <= f1 <= 1 and f1 == pytest.approx(word_f1(right, left))
    if normalise(left):
        assert exact_match(left, right) <= f1
    if exact_match(left, right) and normalise(left):
        assert f1 == 1
    assert (f1 == 1) <= (sorted(normalise(left).split()) == sorted(normalise(right).split()))


@given(answers)
def test_case_punctuation_and_articles_change_nothing(text: str) -> None:
    shown = f" The {text.upper()} ! "
    assert exact_match(text, shown) == 1 and word_f1(text, shown) == float(bool(normalise(text)))


def test_the_benchmark_takes_for_the_same_what_agentsyms_own_metric_tells_apart() -> None:
    assert (exact_match("C++", "C"), library_exact("C++", "C")) == (1, 0)


def test_the_double_guesses_from_the_question_and_talks_around_it_until_a_rule_forbids_that() -> None:
    assert guess("Which is older, Mount A or Lake Zo?") == "Mount A"
    assert guess("Are both of them towns?") == "yes"
    assert guess("In which year was the University of Delhi founded?") == "University of Delhi"
    assert guess("what is it?") == "unknown"
    ruled = agent.apply([AddItem(path="answer/rules", item="Give only the answer itself.")])
    given = {"question": "Are they?", "notes": "The answer may be yes."}
    said = []
    for each in (agent, ruled):
        messages = [{"content": message.content} for message in Prompt(each.nodes[1]).messages(given)]
        said.append(answer(messages, ["answer"])["answer"])
    assert said == ["I would say that the answer is yes, as far as I can tell", "yes"]


def test_the_agent_has_the_papers_two_nodes_and_no_rule_yet() -> None:
    assert [node.id for node in agent.nodes] == ["think", "answer"] and list(agent.outputs) == ["answer"]
    assert not any(each.value for each in agent.parameters().values() if isinstance(each, Rules))


def test_the_scripted_run_learns_what_the_double_lacks_and_says_that_it_proves_the_plumbing_only(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(data), "--optimizer", "paper", "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["note"] == NOTE and document["is_scripted"]
    assert document["rows"] == {"train": 8, "val": 4, "test": 8}
    right = sum(problem["answer"] != "1801" for problem in part(problems(data), TASK.key, 0).test)
    em, f1 = document["figures"]["EM"], document["figures"]["F1"]
    assert em == {"before": 0, "after": pytest.approx(100 * right / 8)} and 0 < f1["before"] < f1["after"]
    assert any("only the answer" in rule for rule in document["learned"]["rules"])
    assert document["paper"]["agent symbolic learning"] == {"gpt-3.5": "35 / 44.8", "gpt-4": "41 / 54.0"}


def test_the_table_puts_the_figures_beside_the_papers(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(data), "--steps", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(NOTE)
    for text in ("EM", "F1", "before", "after", "27 / 37.5", "41 / 54.0", *TASK.caveats):
        assert text in printed
