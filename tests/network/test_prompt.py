"""A rendered prompt says exactly what went in: reading it back is the inverse of rendering it."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentsym.errors import NetworkError
from agentsym.network.fields import Choice
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.prompt import Prompt, read_inputs, read_system
from agentsym.network.template import render, variables
from tests.network.samples import json_values, labels, rows, texts

HEADINGS = st.sampled_from(["Task", "Skill returns", "Answer", "Rules", "Examples", "Input"])
injections = st.one_of(
    texts,
    st.builds("{}# {}\n{}".format, texts, HEADINGS, texts),
    st.builds("{}# {}".format, st.text("\\\n", max_size=4), HEADINGS),
    st.sampled_from(
        ["\n=>\n", "=>", "a: 1\n=>\nb: 2", "- rule", "  - `x`: y", "null", '"', "{", "[1]", "1e5", "NaN", "\\# Rules"]
    ),
    json_values.map(lambda value: json.dumps(value, ensure_ascii=False)),
)
rules = injections.filter(lambda text: bool(text.strip()) and "\n" not in text)


def plain(value: Any) -> Any:
    """What JSON makes of a value."""
    return json.loads(json.dumps(value))


@given(
    task=injections.filter(lambda text: not variables(text)),
    definitions=st.dictionaries(labels, injections.filter(lambda text: "\n" not in text), min_size=1, max_size=3),
    rule_texts=st.lists(rules, max_size=3, unique=True),
    examples=st.lists(st.tuples(rows, rows), max_size=3),
    description=injections,
    skills=st.dictionaries(st.sampled_from(["returns", "a-b"]), injections.filter(bool), max_size=2),
)
@example(
    task="\n# Rules\n\\# Task\n",
    definitions={"a": ""},
    rule_texts=["# Input"],
    examples=[({}, {})] * 2,
    description="",
    skills={},
)
@example(
    task="",
    definitions={"a (b)": "`"},
    rule_texts=['"'],
    examples=[({}, {"a": 1}), ({"a": 1}, {})],
    description="x",
    skills={"returns": "# Skill a-b"},
)
def test_what_the_system_message_says_is_what_the_node_holds(
    task: str,
    definitions: dict[str, str],
    rule_texts: list[str],
    examples: list[tuple[dict[str, Any], dict[str, Any]]],
    description: str,
    skills: dict[str, str],
) -> None:
    node = PromptNode(
        "node",
        task,
        skills=skills,
        output={"answer": Choice(definitions, description=description), "why": str},
        rules=rule_texts,
        examples=[{"id": f"e{i}", "input": one, "output": other} for i, (one, other) in enumerate(examples)],
    )
    read = read_system(Prompt(node).messages({})[0].content)
    assert read.task == task
    assert read.choices == {"answer": tuple(definitions.items())}
    assert read.rules == tuple(rule_texts)
    assert read.skills == skills
    assert [(e.input, e.output) for e in read.examples] == [(plain(one), plain(other)) for one, other in examples]


@given(st.dictionaries(st.sampled_from(["a", "b_2", "Task", "Input"]), injections | json_values, max_size=3))
@example({"a": "[" * 100_000})
@example({"a": "1" * 5000})
def test_the_inputs_can_be_read_back_from_the_user_message(values: dict[str, Any]) -> None:
    node = PromptNode("node", "Do it.", inputs=list(values), output="out")
    message = Prompt(node).messages(values)[1]
    assert message.role == "user"
    assert read_inputs(message.content) == plain(values)


@given(injections)
def test_a_value_shown_in_the_instructions_stays_inside_the_task(value: str) -> None:
    node = PromptNode("node", "Before\n{{text}}\nafter", output="out", rules=["The only one."])
    system, user = Prompt(node).messages({"text": value})
    read = read_system(system.content)
    assert read.rules == ("The only one.",)
    assert read.task.startswith("Before\n")
    assert read.task.endswith("\nafter")
    assert user.content == "Answer now."


def test_literal_json_in_instructions_survives() -> None:
    node = PromptNode("node", 'Answer like {"a":1}, {x} or {{ "b": 2 }}.', output="out")
    assert read_system(Prompt(node).messages({})[0].content).task == 'Answer like {"a":1}, {x} or {{ "b": 2 }}.'


def test_what_is_put_in_is_never_expanded_again() -> None:
    assert render("{{a}} {{ b }}", {"a": "{{b}}", "b": "{{a}}"}) == "{{b}} {{a}}"
    node = PromptNode("node", "{{a}} {{b}}", output="out")
    assert "{{b}} x" in Prompt(node).messages({"a": "{{b}}", "b": "x"})[0].content


def test_a_variable_that_nobody_gives_is_found_before_anything_runs() -> None:
    with pytest.raises(NetworkError, match="reads 'b', which is no input and no output"):
        Network("net", [PromptNode("node", "{{a}} {{b}}", output="out")], inputs=["a"])
    with pytest.raises(NetworkError, match="needs b"):
        render("{{a}} {{b}}", {"a": "x"})
    with pytest.raises(NetworkError, match="reads b"):
        Prompt(PromptNode("node", "{{a}} {{b}}", output="out")).messages({"a": "x"})


def test_an_input_shown_in_the_instructions_is_not_lost_when_learning_rewrites_them() -> None:
    network = Network("net", [PromptNode("node", "Translate {{text}}.", output="out")])
    rewritten = network.load_state_dict({**network.state_dict(), "node/instructions": "Translate."})
    node = rewritten.node("node")
    assert isinstance(node, PromptNode)
    assert read_inputs(Prompt(node).messages({"text": "Hallo"})[1].content) == {"text": "Hallo"}
