"""Who reads a node's prompt, and what that means for whoever writes it.

Prompts are written for language models as a rule; the embedded reader compares words, and what helps the former (a
condition, an exception, "not …") does harm there. So the teacher is told, in the place of what it would be told else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from agentsym.learning.teacher import views
from agentsym.learning.teacher.prompt_files import blocks
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Option, Parameter, Text

P = TypeVar("P", bound=Parameter)


class PromptReader:
    """The model that runs one prompt node, as the prompt file `readers.md` knows it.

    Args:
        network: the network.
        node_id: the node; inside an agent node `outer/inner`.
        student: name of the model of nodes that name none.
        prompts: the folder of the prompt files; None for the shipped ones.
    """

    def __init__(self, network: Network, node_id: str, student: str, prompts: Path | None = None) -> None:
        self._parts = blocks("readers", prompts)
        self._name = ""
        node, _ = views.node_at(network, node_id)
        if isinstance(node, PromptNode):
            own = node.parameters.get("model")
            name = own.value if isinstance(own, Option) else student
            self._name = name if f"{name}: who" in self._parts else ""

    @property
    def who(self) -> str:
        """Who reads, as a sentence goes on with it."""
        return self._parts[f"{self._name}: who" if self._name else "who"]

    def section(self, about: str, usual: str) -> str:
        """Return the template of what is said about writing for this reader; `usual` where a language model reads.

        Args:
            about: the kind of a parameter, or `suggesting`.
            usual: the section that the prompt has for it.
        """
        special = f"{self._name}: {about}"
        if not self._name or special not in self._parts:
            return usual
        return self._parts[special].replace("{{about}}", self._parts[f"{self._name}: about"])

    def heeds(self, parameters: Mapping[str, P]) -> dict[str, P]:
        """Return the parameters that this reader goes by; one that compares words goes by no instructions."""
        return {path: item for path, item in parameters.items() if not (self._name and isinstance(item, Text))}
