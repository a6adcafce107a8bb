"""The libraries that are compared, each with the settings that the protocol names for it.

One library may come with several optimizers or settings, which share one environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Environment:
    """What is installed for one library, in a virtual environment of its own.

    Attributes:
        name: its folder's name, and what `evals.peers.build` calls it.
        title: what the table calls the library.
        start: the program that imports it as a user does.
        needs: requirements, installed with all that they ask for.
        alone: requirements that are installed by themselves; what they need of others stands in `needs`.
    """

    name: str
    title: str
    start: str
    needs: tuple[str, ...]
    alone: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The library's own version, which is pinned."""
        return next(need.partition("==")[2] for need in (*self.alone, *self.needs) if "==" in need)


@dataclass(frozen=True)
class Peer:
    """One contestant.

    Attributes:
        name: what the command line calls it.
        title: what the table calls it.
        environment: where it is installed; "" for agentsym, which runs where the evals run.
        options: what its runner is told.
        seeds: of how many seeds it is run at most; None for all.
        modes: in which modes the table has it.
    """

    name: str
    title: str
    environment: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None
    modes: tuple[str, ...] = ("plain", "coupled", "trojan")

    @property
    def module(self) -> str:
        """The module that runs it."""
        return f"evals.peers.runners.{self.environment}" if self.environment else "evals.peers.ours"


ENVIRONMENTS = {
    found.name: found
    for found in (
        Environment("textgrad", "TextGrad", "import textgrad", ("textgrad==0.1.8",)),
        Environment("dspy", "DSPy", "import dspy", ("dspy==3.4.1", "optuna")),
        Environment("gepa", "GEPA", "import gepa", ("gepa==0.1.4", "openai")),
        Environment(
            "adalflow",
            "AdalFlow",
            # Its import would fetch a file for tiktoken; without the network it would fail.
            "import tiktoken; tiktoken.get_encoding = lambda name: None; import adalflow",
            ("adalflow==1.1.3", "openai"),
        ),
        # Its package also asks for scikit-learn and xgboost, with a gigabyte of CUDA libraries; nothing imports them.
        Environment(
            "trace",
            "Trace",
            "import opto.optimizers",
            ("litellm", "black", "graphviz", "numpy"),
            alone=("trace-opt==0.1.3.8",),
        ),
    )
}
"""Name → environment."""

PEERS = {
    found.name: found
    for found in (
        Peer("agentsym", "agentsym", ""),
        Peer("textgrad", "TextGrad, batch 3, reverts", "textgrad"),
        Peer("dspy-gepa", "dspy.GEPA, b=3, merge", "dspy", {"optimizer": "gepa"}),
        Peer("dspy-gepa-all", "dspy.GEPA, selector `all`", "dspy", {"optimizer": "gepa", "selector": "all"}),
        Peer("gepa", "GEPA, b=3, merge", "gepa"),
        Peer("gepa-all", "GEPA, selector `all`", "gepa", {"selector": "all"}),
        Peer("adalflow", "AdalFlow, constrained, batch 4", "adalflow"),
        Peer("trace", "Trace OptoPrime, batch 3, reverts", "trace"),
        Peer("mipro", "DSPy MIPROv2 light, no demos", "dspy", {"optimizer": "mipro"}, seeds=1, modes=("plain",)),
        Peer("simba", "DSPy SIMBA, b=20", "dspy", {"optimizer": "simba"}, seeds=1, modes=("plain",)),
    )
}
"""Name → contestant, in the order of the table."""

BARE = Peer("bare", "langgraph and aiohttp alone", "", {"loop": "bare"}, modes=())
"""A plain loop over the same graph, for the forward pass only."""
