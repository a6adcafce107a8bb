"""Fitting a trace to an agent: which of its values are the agent's inputs, its outputs, and what should have come out.

Values are looked for by the fields' names; where an agent has one input, the last thing that the user said is it.
`--map` names the way to any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentsym.deploy.traces.chats import last, messages_of
from agentsym.deploy.traces.found import Found, ImportedTrace, Opinion, Unusable
from agentsym.deploy.traces.opinions import weightiest
from agentsym.deploy.traces.reading import cell_value
from agentsym.errors import DataError, UsageError
from agentsym.learning.dataset import choice_labels
from agentsym.learning.tables import from_text, near, short
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.records import Message

_INSIDE = ("inputs", "input", "outputs", "output", "kwargs", "args", "arguments", "result", "response", "data", "value")
_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?```\s*\Z", re.DOTALL)
_NOTHING = object()
ROOTS = ("input", "output", "attributes", "user", "system", "answer", "thread", "source", "at")
"""What a path of `--map` may begin with; without one of them it is looked for in input, output and attributes."""


class Fitting:
    """Makes traces fit an agent.

    Args:
        network: the agent.
        paths: path in a trace → field of the agent.

    Raises:
        UsageError: a path leads to a field that the agent does not have.
    """

    def __init__(self, network: Network, paths: Mapping[str, str] = {}) -> None:
        self._inputs = {field.name: field for field in network.inputs}
        self._outputs = {field.name: field for field in network.output_fields() if field.name in network.outputs}
        self._labels = choice_labels(network)
        known = [*self._inputs, *self._outputs]
        for path, field in paths.items():
            if field not in known:
                raise UsageError(
                    f"--map {path}={field}: agent {network.name!r} has no such field; {near(field, known)}"
                )
        self._paths = {field: path for path, field in paths.items()}

    def fit(self, found: Found) -> tuple[ImportedTrace | Unusable, list[Unusable]]:
        """Return a trace as the agent would have had it, or why it does not fit; and labels in it that do not."""
        inputs = {name: self._input(found, field) for name, field in self._inputs.items()}
        if missing := [name for name, value in inputs.items() if value is _NOTHING]:
            return Unusable(found.place, self._without(found, missing)), []
        expected, misfits = self._expected(found)
        judged = weightiest(found.opinions)
        trace = ImportedTrace(
            inputs=inputs,
            output=self._output(found),
            expected=expected or None,
            score=next((opinion.score for opinion in judged if opinion.score is not None), None),
            text="\n".join(dict.fromkeys(opinion.text for opinion in judged if opinion.text)),
            opinions=tuple(self._plain(opinion) for opinion in judged),
            **found.model_dump(include={"at", "source", "thread", "place", "seconds", "error"}),
            steps=found.steps,
        )
        return trace, misfits

    def _input(self, found: Found, field: Field) -> Any:
        if field.name in self._paths:
            return self._checked(_at(found, self._paths[field.name]), field)
        places = [*_objects(found.input), *_objects(last(found.messages, "user")), found.attributes]
        for place in places:
            if field.name in place and (value := self._checked(place[field.name], field)) is not _NOTHING:
                return value
        if len(self._inputs) - len(self._paths.keys() & self._inputs.keys()) == 1 and field.type in ("string", "any"):
            said = last(found.messages, "user")
            said = said if said is not None else found.input
            return said if isinstance(said, str) and said else _NOTHING
        return _NOTHING

    def _output(self, found: Found) -> dict[str, Any]:
        output: dict[str, Any] = {}
        places = list(_answers(found))
        for name, field in self._outputs.items():
            values = [place[name] for place in places if isinstance(place, Mapping) and name in place]
            if name in self._paths and name not in (opinion.name for opinion in found.opinions):
                values = [_at(found, self._paths[name])]
            elif not values and len(self._outputs) == 1:
                values = [place for place in places if not isinstance(place, Mapping)]
            fitting = (value for value in (self._checked(value, field) for value in values) if value is not _NOTHING)
            if (value := next(fitting, _NOTHING)) is not _NOTHING:
                output[name] = value
        return output

    def _expected(self, found: Found) -> tuple[dict[str, Any], list[Unusable]]:
        """Return what labels and edits say, the weightiest first, and those that are none of the agent's."""
        expected: dict[str, Any] = {}
        misfits = []
        for opinion in weightiest(found.opinions):
            for name, value in self._label(opinion).items():
                checked = self._checked(value, self._outputs[name])
                if checked is _NOTHING or (name in self._labels and checked not in self._labels[name]):
                    hint = near(str(value), self._labels[name]) if name in self._labels else ""
                    misfits.append(
                        Unusable(found.place, f"{short(value)} is no value of {name!r}; {hint}".rstrip("; "))
                    )
                else:
                    expected.setdefault(name, checked)
        return expected, misfits

    def _label(self, opinion: Opinion) -> dict[str, Any]:
        """Return output → what an opinion says that it should be; a label need not name the only output."""
        label = cell_value(opinion.label)
        if label is None:
            return {}
        if isinstance(label, Mapping) and (named := {k: v for k, v in label.items() if k in self._outputs}):
            return named
        if opinion.name in self._outputs:
            return {opinion.name: label}
        if opinion.kind in ("label", "edit") and len(self._outputs) == 1:
            return {next(iter(self._outputs)): label}
        return {}

    def _plain(self, opinion: Opinion) -> Opinion:
        """Return an opinion whose label is field → value, or that has none."""
        return opinion.model_copy(update={"label": self._label(opinion) or None})

    def _checked(self, value: Any, field: Field) -> Any:
        """Return a value as the field's type has it."""
        if value is _NOTHING or field.accepts(value):
            return value
        if isinstance(value, str):
            try:
                return from_text(value, field, field.name)
            except DataError:
                return _NOTHING
        return _NOTHING

    def _without(self, found: Found, missing: Sequence[str]) -> str:
        there = sorted({name for place in _objects(found.input) for name in place} | found.attributes.keys())
        said = [f"the trace has {', '.join(map(repr, there[:12]))}"] if there else []
        said += ["a chat (user, system, answer)"] if found.messages else []
        what = " and ".join(said) or "the trace says nothing of what went in (was content captured?)"
        return f"trace {found.source} has no {' and no '.join(map(repr, missing))}: {what}; --map PATH={missing[0]}"


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in which fields may stand: a value itself, JSON in a text, and what is wrapped in it."""
    value = cell_value(value)
    if isinstance(value, str) and (fenced := _FENCED.match(value)):
        value = cell_value(fenced[1])
    if isinstance(value, Mapping):
        yield value
        for name in _INSIDE:
            if isinstance(inner := cell_value(value.get(name)), Mapping):
                yield inner


def _answers(found: Found) -> Iterator[Any]:
    """Yield what came out in the forms that it may have: objects, then the text of the last answer."""
    messages: tuple[Message, ...] = messages_of(found.output)
    text = last(messages, "assistant")
    yield from _objects(text)
    yield from _objects(found.output)
    for value in (text, found.output):
        if value is not None and not isinstance(value, Mapping | list):
            yield value.strip() if isinstance(value, str) else value


def _at(found: Found, path: str) -> Any:
    """Return the value at the end of a path; `_NOTHING` where it leads nowhere."""
    root, _, rest = path.partition(".")
    if root not in ROOTS:
        tries = (_walk(place, path.split(".")) for place in (found.input, found.output, found.attributes))
        return next((value for value in tries if value is not _NOTHING), _NOTHING)
    messages = (*found.messages, *messages_of(found.output))
    roles: dict[str, Any] = {"user": "user", "system": "system", "answer": "assistant"}
    value = last(messages, roles[root]) if root in roles else getattr(found, root)
    return _NOTHING if value is None else _walk(value, rest.split(".")) if rest else value


def _walk(value: Any, parts: Sequence[str]) -> Any:
    """Follow a path; names in it may hold dots, as those of attributes do."""
    if not parts:
        return value
    value = cell_value(value)
    if isinstance(value, list) and re.fullmatch(r"-?\d+", parts[0]):
        at = int(parts[0])
        return _walk(value[at], parts[1:]) if -len(value) <= at < len(value) else _NOTHING
    if isinstance(value, Mapping):
        for end in range(len(parts), 0, -1):
            if (name := ".".join(parts[:end])) in value:
                return _walk(value[name], parts[end:])
    return _NOTHING
