"""How a prompt node becomes messages, and how such messages are read back into what they say.

Both directions stand side by side since one must stay the inverse of the other: a model of our own that has
only the messages (the embedded reader) must find in them exactly the choices, rules, examples and inputs that
went in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from agentsym.errors import NetworkError
from agentsym.network.canonical import Frozen
from agentsym.network.fields import Field
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Choices, Examples, Rules, Text
from agentsym.network.records import Message
from agentsym.network.skills import SKILL_NAME
from agentsym.network.template import render as fill
from agentsym.network.template import variables

P = TypeVar("P", Text, Rules, Examples)
_SECTIONS = ("Task", f"Skill {SKILL_NAME}", "Answer", "Rules", "Examples", "Input")
_HEADING = re.compile(rf"^# ({'|'.join(_SECTIONS)})$", re.MULTILINE)
_LOOKALIKE = re.compile(rf"^(\\*)(# (?:{'|'.join(_SECTIONS)}))$", re.MULTILINE)
_ESCAPED = re.compile(rf"^\\(\\*# (?:{'|'.join(_SECTIONS)}))$", re.MULTILINE)
_FIELD = re.compile(r"^- (.+?) \(([a-z]+)\)(?:: (.*))?$")
_JSON_STARTS = frozenset('{["-0123456789tfnNI \t\n\r')
_LABEL = re.compile(r"^  - `([^`]+)`(?:: (.*))?$")


class ReadExample(Frozen):
    """A worked example as it stands in a prompt."""

    input: dict[str, Any] = {}
    output: dict[str, Any] = {}


class ReadPrompt(Frozen):
    """What a rendered prompt says.

    Attributes:
        task: the instructions, filled.
        choices: field → its labels and definitions, in order.
        rules: the rules' texts.
        examples: the worked examples.
        skills: name → text.
    """

    task: str = ""
    skills: dict[str, str] = {}
    choices: dict[str, tuple[tuple[str, str], ...]] = {}
    rules: tuple[str, ...] = ()
    examples: tuple[ReadExample, ...] = ()


class Prompt:
    """A prompt node made ready to be asked: what is the same for every input is rendered once.

    The system message holds the task, the skills, the answer's fields, the rules and the examples; the user message
    holds the inputs that the instructions do not already show as `{{field}}`.
    """

    def __init__(self, node: PromptNode) -> None:
        self._node = node
        self._instructions = _value_of(node, "instructions", Text).value
        self._shown = variables(self._instructions)
        written = [field.name for field in node.output]
        self._fixed = _join(
            *(_section(f"Skill {name}", _shielded(text)) for name, text in node.skills().items()),
            _section("Answer", _answer(node)),
            _section("Rules", "\n".join(f"- {_plain(rule.text)}" for rule in _value_of(node, "rules", Rules).value)),
            _section(
                "Examples",
                "\n\n".join(
                    f"{_lines(in_order(example.input, node.inputs))}\n=>\n{_lines(in_order(example.output, written))}"
                    for example in _value_of(node, "examples", Examples).value
                ),
            ),
        )
        self._ready = None if self._shown else self._system_message(self._instructions)

    @property
    def system(self) -> str:
        """The system message, its variables not filled."""
        return self._system_message(self._instructions).content

    @property
    def chars(self) -> int:
        """The length of the system message in characters, its variables not filled."""
        return len(self.system)

    def messages(self, values: Mapping[str, Any]) -> tuple[Message, ...]:
        """Return the messages for the values of the node's fields.

        Raises:
            NetworkError: when an input has no value.
        """
        missing = [name for name in (*self._node.inputs, *self._shown) if name not in values]
        if missing:
            raise NetworkError(f"node {self._node.id!r} reads {', '.join(missing)}, which nobody gives it")
        system = self._ready or self._system_message(
            fill(self._instructions, {name: _plain(values[name]) for name in self._shown})
        )
        inputs = {name: values[name] for name in self._node.inputs if name not in self._shown}
        return (
            system,
            Message(role="user", content=_section("Input", _lines(inputs)) if inputs else "Answer now."),
        )

    def _system_message(self, task: str) -> Message:
        return Message(role="system", content=_join(_section("Task", _shielded(task)), self._fixed))


def read_inputs(user: str) -> dict[str, Any]:
    """Read the inputs (field → value) back from a rendered user message."""
    return _read_lines(dict(_split(user)).get("Input", ""))


def read_system(system: str) -> ReadPrompt:
    """Read back what a rendered system message says; the inverse of `Prompt`."""
    bodies = dict(_split(system))
    choices: dict[str, tuple[tuple[str, str], ...]] = {}
    field = ""
    for line in bodies.get("Answer", "").split("\n"):
        if match := _FIELD.match(line):
            field = match.group(1)
        elif match := _LABEL.match(line):
            definition = "" if match.group(2) is None else str(_read_value(match.group(2)))
            choices[field] = (*choices.get(field, ()), (match.group(1), definition))
    rules = tuple(str(_read_value(line[2:])) for line in bodies.get("Rules", "").split("\n") if line.startswith("- "))
    examples = _read_examples(bodies.get("Examples", ""))
    task = _unshielded(bodies.get("Task", ""))
    named = {title.removeprefix("Skill "): body for title, body in bodies.items() if title.startswith("Skill ")}
    skills = {name: _unshielded(body) for name, body in named.items()}
    return ReadPrompt(task=task, skills=skills, choices=choices, rules=rules, examples=examples)


def in_order(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return values in the order of the named fields, others after them by name.

    A mapping that was stored may come back with its keys sorted; what a prompt says must not depend on that.
    """
    rest = sorted(values.keys() - set(names))
    return {name: values[name] for name in (*names, *rest) if name in values}


def _answer(node: PromptNode) -> str:
    if not any(field.description or field.type == "choice" for field in node.fields()):
        return f"JSON: {', '.join(map(_named, node.output))}"  # the form says the rest
    lines = ["Answer with one JSON object that has these fields:"]
    for field in node.fields():
        lines.append(f"- {field.name} ({field.type})" + (f": {_plain(field.description)}" if field.description else ""))
        choices = node.parameters.get(f"choices/{field.name}")
        if isinstance(choices, Choices):
            lines += [
                f"  - `{item.label}`" + (f": {_plain(item.definition)}" if item.definition else "")
                for item in choices.value
            ]
    return "\n".join(lines)


def _named(field: Field) -> str:
    return field.name if field.type == "string" else f"{field.name} ({field.type})"


def _value_of(node: PromptNode, name: str, kind: type[P]) -> P:
    parameter = node.parameters[name]
    if not isinstance(parameter, kind):
        raise NetworkError(f"{node.id}/{name} must be a {kind.__name__}, it is a {type(parameter).__name__}")
    return parameter


def _shielded(text: str) -> str:
    """Mark the lines of a text that look like a heading of ours."""
    return _LOOKALIKE.sub(r"\\\1\2", text)


def _unshielded(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _section(title: str, body: str) -> str:
    return f"# {title}\n{body}" if body else ""


def _join(*sections: str) -> str:
    return "\n\n".join(section for section in sections if section)


def _plain(value: Any) -> str:
    """Write a value on one line: text as it is where it cannot be mistaken, the rest as JSON."""
    if (
        isinstance(value, str)
        and value
        and value == value.strip()
        and value.isprintable()
        and _read_value(value) is value
    ):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _read_value(text: str) -> Any:
    """Read JSON, or else the text as it is (also what is nested too deep to be JSON of ours)."""
    if text[:1] not in _JSON_STARTS:
        return text  # most text: to let it fail as JSON would cost more than to render the rest of the prompt
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {_plain(value)}" for name, value in values.items())


def _read_lines(body: str) -> dict[str, Any]:
    pairs = (line.partition(": ") for line in body.split("\n") if line)
    return {name: _read_value(value) for name, separator, value in pairs if separator}


def _read_examples(body: str) -> tuple[ReadExample, ...]:
    """Read examples: lines of input, `=>`, lines of output, an empty line; either side may have no line."""
    examples: list[ReadExample] = []
    sides: list[list[str]] = [[]]
    for line in [*body.split("\n"), ""] if body else ():
        if line == "=>":
            sides.append([])
        elif line:
            sides[-1].append(line)
        elif len(sides) == 2:
            before, after = ("\n".join(side) for side in sides)
            examples.append(ReadExample(input=_read_lines(before), output=_read_lines(after)))
            sides = [[]]
    return tuple(examples)


def _split(content: str) -> list[tuple[str, str]]:
    """Cut a message into (section, body) at our headings, without what `_section` and `_join` put between."""
    parts = _HEADING.split(content)
    bodies = [body.removeprefix("\n") for body in parts[2::2]]
    ended = [body.removesuffix("\n\n") for body in bodies[:-1]] + bodies[-1:]
    return list(zip(parts[1::2], ended, strict=True))
