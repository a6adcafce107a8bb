"""`Task`: what one benchmark of the paper is made of, so that command, run and report are written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentsym import Agent
from agentsym.learning.metrics import Metric
from agentsym.learning.run import Tested
from evals.repair.brain import Learn

Problem = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """A benchmark.

    Attributes:
        name: of the module, and of the run's origin.
        agent: where learning starts.
        files: split → its file in the data folder; the first is the default.
        needs: the keys that each problem must have.
        key: the text that tells problems apart; those with the same one count once, so that no two sets can share it.
        row: a problem → its row, with the agent's inputs and its label.
        metric: the problems → what scores an output.
        figures: the final comparison and the samples a row → name of a figure → percent before and after.
        paper: method → its figures in the paper, with gpt-3.5-turbo and gpt-4-turbo, as printed there.
        caveats: what must be said beside any figure.
        student: the scripted student's answer to a request.
        rules: node → what the scripted teacher may tell it, of which some help.
    """

    name: str
    agent: Agent
    files: Mapping[str, str]
    needs: Sequence[str]
    key: Callable[[Problem], str]
    row: Callable[[Problem], dict[str, Any]]
    metric: Callable[[Sequence[Problem]], Metric]
    figures: Callable[[Tested, int], dict[str, tuple[float, float]]]
    paper: Mapping[str, tuple[str, str]]
    caveats: Sequence[str]
    student: Learn
    rules: Mapping[str, Sequence[str]]
