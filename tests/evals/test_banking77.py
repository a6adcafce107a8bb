"""What BANKING77 taught keeps the limits of the task, and reads like sentences."""

import json
import re
from pathlib import Path

import pytest

from agentsym import Agent
from agentsym.network.parameters import Choices, Examples, Rules
from evals.banking77.experiment import FILES, bare_agent, run, summary

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "banking77"


@pytest.fixture(scope="module")
def learned() -> Agent:
    return Agent.load(ROOT / "evals" / "banking77" / "learned")


def test_the_start_is_one_sentence_and_bare_label_names():
    start = bare_agent(["a", "b"])
    assert start.parameter("triage/choices/intent").content == [
        {"label": "a", "definition": ""},
        {"label": "b", "definition": ""},
    ]
    assert not start.parameter("triage/rules").content and not start.parameter("triage/examples").content


def test_the_limits_of_the_task_are_in_the_agent_and_hold(learned):
    rules, choices = learned.parameter("triage/rules"), learned.parameter("triage/choices/intent")
    examples = learned.parameter("triage/examples")
    assert isinstance(rules, Rules) and isinstance(choices, Choices) and isinstance(examples, Examples)
    assert (rules.max_chars, rules.max_per_label, choices.max_chars, examples.max_per_label) == (120, 5, 200, 8)
    assert not [*rules.problems(), *choices.problems(), *examples.problems()]
    assert len(choices.labels) == 77 and all(item.definition for item in choices.value)


def test_every_rule_is_a_sentence_about_one_label_that_quotes_what_is_said(learned):
    labels = set(learned.parameter("triage/choices/intent").labels)
    for rule in learned.parameter("triage/rules").value:
        assert rule.text.endswith(".") and len(rule.labels) == 1 and rule.labels[0] in labels
        assert re.search(r"“[^”]+”", rule.text)


@pytest.mark.skipif(not DATA.is_dir(), reason="the BANKING77 rows are not part of the project")
def test_no_rule_definition_or_quoted_phrase_is_a_training_message(learned):
    lines = (DATA / "train.jsonl").read_text("utf-8").splitlines()
    messages = {_folded(json.loads(line)["message"]) for line in lines}
    texts = [rule.text for rule in learned.parameter("triage/rules").value]
    texts += [item.definition for item in learned.parameter("triage/choices/intent").value]
    phrases = [phrase for text in texts for phrase in re.findall(r"“([^”]+)”", text)]
    assert not messages & {_folded(text) for text in [*texts, *phrases]}


def test_every_prompt_that_the_student_was_shown_is_counted_and_fewer_are_enough(tmp_path):
    asked = {
        "card": ("card", "chip", "pin"),
        "transfer": ("transfer", "payment", "iban"),
        "cash": ("cash", "atm", "notes"),
    }
    sayings = ("my {} is gone", "where is the {}", "{} trouble again", "what about a {}", "no {} today", "a {} please")
    for at, name in enumerate(FILES):
        rows = [
            {"message": f"{saying.format(word)}{'!' * at}", "intent": intent}
            for intent, words in asked.items()
            for word in words
            for saying in sayings[2 * at : 2 * at + 2]
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    core, now = (run(str(tmp_path), "full", 0, optimizer, None) for optimizer in ("paper", "symbolic"))
    assert core["student_calls"]["forward"] == core["steps"] * round(0.9 * 18)
    assert core["student_calls"]["test"] == now["student_calls"]["test"] == 2 * 18
    assert now["student_calls"]["forward"] < core["student_calls"]["forward"]
    for calls in (core["student_calls"], now["student_calls"]):
        assert calls["gate"] % 18 == 0 and calls["all"] == calls["forward"] + calls["gate"] + calls["test"]


def test_the_summary_pairs_the_variants_row_by_row():
    def ran(variant: str, seed: int, after: tuple[float, ...]) -> dict:
        scores = {"before": (0.0,) * 4, "after": after}
        test = {"before": 0.0, "after": sum(after) / 4}
        return {"variant": variant, "seed": seed, "val": None, "test": test, "scores": scores}

    runs = [ran("full", 0, (1, 1, 1, 0)), ran("full", 1, (1, 1, 1, 1)), ran("examples only", 0, (1, 0, 1, 0))]
    means = summary(runs)
    assert means["test"]["after"] == 0.875 and "val" not in means
    assert means["full_over_examples_only"]["mean"] == pytest.approx(0.375)


def _folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
