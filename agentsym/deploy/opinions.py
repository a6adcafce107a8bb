"""Whether feedback fits its kind and the agent: a label is held against the agent's outputs, a score must be there.

What is wrong is refused at the door, since learning would take it for the truth.
"""

from __future__ import annotations

from typing import Any

from agentsym.errors import UsageError
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Choices
from agentsym.store.live.traces import Feedback

_LABELLED = ("label", "edit")


def checked(said: Feedback, network: Network) -> Feedback:
    """Return feedback as it is kept: an edit of an agent's only output may come as its text.

    Raises:
        UsageError: names the field and what it must be.
    """
    label = said.label
    if said.kind == "edit" and label is None and said.text and len(network.outputs) == 1:
        label = {network.outputs[0]: said.text}
    if said.kind in _LABELLED and not label:
        raise UsageError(f"feedback of kind {said.kind!r} needs a label: output field → the value that was wanted")
    if said.kind not in _LABELLED and said.score is None:
        raise UsageError(f"feedback of kind {said.kind!r} needs a score from 0 to 1")
    if label is not None:
        _check_label(label, network)
    return said.model_copy(update={"label": label})


def _check_label(label: dict[str, Any], network: Network) -> None:
    """Raise UsageError where a label is no output of the network."""
    fields = {field.name: field for field in network.output_fields()}
    choices = _choices(network)
    for name, value in label.items():
        if name not in fields:
            raise UsageError(
                f"label: the agent gives {', '.join(fields)}; there is no such output as one that is named"
            )
        if not fields[name].accepts(value):
            raise UsageError(f"label.{name}: it must be of type {fields[name].type}")
        if name in choices and value not in choices[name]:
            raise UsageError(f"label.{name}: it must be one of {', '.join(sorted(choices[name]))}")


def _choices(network: Network) -> dict[str, set[str]]:
    """Return output → the values that any node may write into it, of those that are choices."""
    found: dict[str, set[str]] = {}
    for node in network.nodes:
        for name, parameter in node.weights().items() if isinstance(node, PromptNode) else ():
            if isinstance(parameter, Choices):
                found.setdefault(name.removeprefix("choices/"), set()).update(parameter.labels)
    return found
