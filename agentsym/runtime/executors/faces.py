"""Which models a worker makes itself, and which the driver asks for it.

Paid ones stay with the driver, with every cap and key; so does what cannot be made again from its name.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from agentsym.errors import AgentsymError
from agentsym.models.protocol import LanguageModel
from agentsym.models.resolve import resolve
from agentsym.network.network import Network
from agentsym.network.parameters import Option
from agentsym.runtime.context import Context
from agentsym.runtime.executors.failures import failure_of
from agentsym.runtime.executors.messages import Face

_KEPT = 64


class Faces:
    """Tells of each model that a network may ask what a worker needs to know of it, found out once."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int], tuple[LanguageModel, dict[str, Face]]] = OrderedDict()

    def __call__(self, network: Network, context: Context) -> dict[str, Face]:
        """Return "" → the student, and name → each model that nodes name."""
        key = (network.version, id(context.student))
        if key not in self._known:
            names = [
                option.value
                for path, option in network.parameters().items()
                if path.endswith("/model") and isinstance(option, Option)
            ]
            faces = {"": _face(context.student), **{name: _named(context, name) for name in names}}
            self._known[key] = context.student, faces  # the student is held, so that no other gets its id
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[key][1]


def _named(context: Context, name: str) -> Face:
    try:
        return _face(context.model(name))
    except AgentsymError as error:
        return Face(name, failure=failure_of(error))


def _face(model: LanguageModel) -> Face:
    prompts: Path | None = getattr(model, "prompts", None)
    return Face(model.name, model.remote, _made_by_name(model), None if prompts is None else str(prompts))


def _made_by_name(model: LanguageModel) -> bool:
    """Whether a worker can make the model: it runs where it is made, and its name is all that it takes."""
    if model.remote:
        return False
    try:
        return type(resolve(model.name)) is type(model)
    except AgentsymError:
        return False
