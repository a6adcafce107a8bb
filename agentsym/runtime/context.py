"""What a run is given besides its inputs: who answers, through which door, and for which purpose.

It is handed along as a value, so two runs side by side never share anything by accident.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel, Phase
from agentsym.models.resolve import resolve
from agentsym.telemetry.telemetry import Telemetry

Student = str | LanguageModel | None
"""Who runs the prompt nodes: a model string, a model, or None for `AGENTSYM_STUDENT`, else the embedded reader."""

Writes = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""What is done instead of calling a tool, or a function node, that writes: its name and arguments → the result."""

DEFAULT_STUDENT = "embedded"
_TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING")


def _ambient_tracing() -> bool:
    return any(os.environ.get(name) for name in _TRACING)


@dataclass(frozen=True)
class Context:
    """Who runs the prompt nodes, and how.

    Attributes:
        student: the model of every prompt node that names none of its own.
        door: what every model call goes through.
        phase: what the calls are counted as.
        rollout: number of an independent sample of the same inputs.
        record: whether steps are kept.
        tracing: let LangSmith trace the runs, where its environment variables ask for it; prompts leave the machine.
        writes: stands in for everything that changes the world outside (effect `write`); None lets it happen.
        on_text: is handed (node, piece) of every answer while it is written; None for nobody.
        on_output: is handed (node, output) of every node of the outermost network as it ends; None for nobody.
        ambient_tracing: whether the environment asks LangSmith to trace; looked up once, not at every run.
        clients: the models that nodes name themselves, by name, made at first use.
    """

    student: LanguageModel
    door: Door
    phase: Phase = "forward"
    rollout: int = 0
    record: bool = True
    tracing: bool = False
    writes: Writes | None = None
    on_text: Callable[[str, str], None] | None = None
    on_output: Callable[[str, dict[str, Any]], None] | None = None
    ambient_tracing: bool = field(default_factory=_ambient_tracing, repr=False, compare=False)
    clients: dict[str, LanguageModel] = field(default_factory=dict, repr=False, compare=False)

    @property
    def telemetry(self) -> Telemetry | None:
        """What makes the spans of a run: what makes those of its calls."""
        return self.door.telemetry

    def model(self, name: str | None) -> LanguageModel:
        """Return the student, or the model of that name."""
        if name is None:
            return self.student
        if name not in self.clients:
            self.clients[name] = resolve(name)
        return self.clients[name]


def student_model(student: Student) -> LanguageModel:
    """Return a model by string or as it is; None is `AGENTSYM_STUDENT`, else the embedded reader."""
    if student is None:
        student = os.environ.get("AGENTSYM_STUDENT") or DEFAULT_STUDENT
    return resolve(student)
