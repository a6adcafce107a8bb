"""What the paper's tool and pipeline optimizers ask a teacher, and how it says that it can answer.

A teacher need not know these questions; one that does not is only asked for prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

from agentsym.learning.protocols import Evidence, Tried
from agentsym.network.canonical import Frozen
from agentsym.network.edits import Edit
from agentsym.network.network import Network

ToolOperation = Literal["none", "improve", "rewrite", "create", "delete"]


class ToolTask(Frozen):
    """One node whose tools are to be looked at, or changed.

    Attributes:
        network: the network as earlier optimizers of the step have left it.
        node: the node; inside an agent node `outer/inner`.
        evidence: the batch, sorted by (score, example id).
        lr: the learning rate.
        limits: what it allows, as sentences for the teacher.
        history: what was tried before.
        errors: why earlier answers to this very task were refused.
    """

    network: Network
    node: str
    evidence: tuple[Evidence, ...]
    lr: float
    limits: tuple[str, ...] = ()
    history: tuple[Tried, ...] = ()
    errors: tuple[str, ...] = ()


class ToolDecision(Frozen):
    """What is to be done about the tools of a node.

    Attributes:
        operation: `improve` changes what a model reads of a tool, and its numbers and options; `rewrite` its code.
        target: the tool, or the tool node; "" where there is none.
        reason: why, for whoever does it.
    """

    operation: ToolOperation
    target: str = ""
    reason: str = ""


class PipelineTask(Frozen):
    """The pipeline that is to be looked at; the attributes are those of `ToolTask`."""

    network: Network
    evidence: tuple[Evidence, ...]
    lr: float
    limits: tuple[str, ...] = ()
    history: tuple[Tried, ...] = ()
    errors: tuple[str, ...] = ()


@runtime_checkable
class ToolTeacher(Protocol):
    """A teacher that knows what to do about tools. Raises OutputError where it has no legal answer."""

    async def decide(self, task: ToolTask) -> ToolDecision:
        """Say what is to be done about the tools of a node, in one call."""
        ...

    async def change_tool(self, task: ToolTask, decision: ToolDecision) -> Sequence[Edit]:
        """Return the edits that carry a decision out, in one call; none means: better leave it."""
        ...


@runtime_checkable
class PipelineTeacher(Protocol):
    """A teacher that knows what to do about the pipeline. Raises OutputError where it has no legal answer."""

    async def rewire(self, task: PipelineTask) -> Sequence[Edit]:
        """Return edits of nodes and edges, in one call; none means: keep them."""
        ...
