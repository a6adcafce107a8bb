"""How agents learn: data, loss, backward, optimizers, gates and the trainer that joins them.

The names below are loaded when they are first used, so that `import agentsym.learning` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentsym.learning.dataset import Dataset
    from agentsym.learning.evaluation import Evaluator
    from agentsym.learning.gate import AlwaysGate, PaperGate, StrictGate, ValidatedGate
    from agentsym.learning.metrics import evaluate, load_metric
    from agentsym.learning.optimizers.prompt import PromptOptimizer
    from agentsym.learning.recording import record_to
    from agentsym.learning.run import Run
    from agentsym.learning.sampler import EpochSampler, ReplacementSampler
    from agentsym.learning.settings import Settings
    from agentsym.learning.symbolic.recipe import Recipe
    from agentsym.learning.teacher.contrastive import ContrastiveTeacher
    from agentsym.learning.teacher.llm import LLMTeacher
    from agentsym.learning.trainer import Trainer

_PLACES = {
    "Dataset": "dataset",
    "Evaluator": "evaluation",
    "AlwaysGate": "gate",
    "PaperGate": "gate",
    "StrictGate": "gate",
    "ValidatedGate": "gate",
    "evaluate": "metrics",
    "load_metric": "metrics",
    "PromptOptimizer": "optimizers.prompt",
    "record_to": "recording",
    "Run": "run",
    "EpochSampler": "sampler",
    "ReplacementSampler": "sampler",
    "Settings": "settings",
    "Recipe": "symbolic.recipe",
    "ContrastiveTeacher": "teacher.contrastive",
    "LLMTeacher": "teacher.llm",
    "Trainer": "trainer",
}

__all__ = [
    "AlwaysGate",
    "ContrastiveTeacher",
    "Dataset",
    "EpochSampler",
    "Evaluator",
    "LLMTeacher",
    "PaperGate",
    "PromptOptimizer",
    "Recipe",
    "ReplacementSampler",
    "Run",
    "Settings",
    "StrictGate",
    "Trainer",
    "ValidatedGate",
    "evaluate",
    "load_metric",
    "record_to",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
