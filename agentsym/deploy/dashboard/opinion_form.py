"""The form in which a person judges a trace: up or down, the right output, or the output as it should read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agentsym.deploy.dashboard.visits import Desk
from agentsym.errors import AgentsymError, UsageError
from agentsym.network.fields import Field, FieldType
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Choices
from agentsym.network.shown import shown
from agentsym.store.live.traces import Kind, Trace

PREFIX = "output."
_SCORES = {"up": 1.0, "down": 0.0}
_LABELLED: Mapping[str, Kind] = {"label": "label", "edit": "edit"}


class OutputField(NamedTuple):
    """One output of the agent in the form: its type, what it may be (empty: anything of it), and what it was."""

    name: str
    type: FieldType
    labels: tuple[str, ...]
    value: str


class Opinion(NamedTuple):
    """What a person says."""

    kind: Kind
    score: float | None
    text: str
    label: dict[str, Any] | None


def fields(desk: Desk, trace: Trace) -> tuple[OutputField, ...]:
    """Return the outputs that can be corrected; those of the live version, as feedback is held against it."""
    given = trace.trajectory.output if trace.trajectory is not None else {}
    deployment = desk.store.releases.deployment(desk.deployment)
    try:
        assert deployment is not None
        network = Network.model_validate(desk.store.releases.content(desk.deployment, deployment.live))
    except (AgentsymError, ValueError):
        return tuple(OutputField(name, "any", (), shown(value)) for name, value in given.items())
    return tuple(_field(field, network, given) for field in network.output_fields())


def opinion(form: Mapping[str, str], known: Sequence[OutputField]) -> Opinion:
    """Read a form that was sent.

    Raises:
        UsageError: nothing is said, or a value has not the type of its field.
    """
    said, text = form.get("kind", ""), form.get("text", "").strip()
    if said in _SCORES:
        return Opinion("thumb", _SCORES[said], text, None)
    if said not in _LABELLED:
        raise UsageError("say what it is: good, bad, the right output, or the output as it should read")
    label = {
        field.name: _value(field, given) for field in known if (given := form.get(PREFIX + field.name, "")).strip()
    }
    if not label:
        raise UsageError("fill in at least one output, or say only whether the answer is good or bad")
    return Opinion(_LABELLED[said], None, text, label)


def _field(field: Field, network: Network, given: Mapping[str, Any]) -> OutputField:
    labels: tuple[str, ...] = ()
    if field.type == "choice":
        found = [node.weights().get(f"choices/{field.name}") for node in network.nodes if isinstance(node, PromptNode)]
        labels = tuple(dict.fromkeys(label for each in found if isinstance(each, Choices) for label in each.labels))
    elif field.type == "boolean":
        labels = ("true", "false")
    was = shown(given[field.name]) if field.name in given else ""
    return OutputField(field.name, field.type, labels, was)


def _value(field: OutputField, text: str) -> Any:
    if field.type in ("string", "choice"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        if field.type == "any":
            return text
        raise UsageError(f"{field.name}: {text!r} is no {field.type}; write it as JSON") from None
