"""Edits: the small, typed changes by which an agent learns, and `apply`, the only thing that carries them out.

Language models, people and migrations use the same operations; a list of them is applied as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

from pydantic import AfterValidator, TypeAdapter, ValidationError, model_validator
from pydantic import Field as Bounded

from agentsym.errors import NetworkError
from agentsym.network import structure
from agentsym.network.canonical import Frozen, FrozenDict, freeze
from agentsym.network.fields import Field
from agentsym.network.network import Edge, Network, When
from agentsym.network.nodes import AnyNode, NodeId, Tool, ToolNode
from agentsym.network.parameters import Choices, Code, Definition, Example, Examples, Parameter, Rule, Rules

N = TypeVar("N", bound=Network)
Json = Annotated[Any, AfterValidator(freeze)]


class BaseEdit(Frozen):
    """What all edits share: the reason, in a sentence that people read in the history."""

    why: str = ""


class SetParameter(BaseEdit):
    """Replace the value of a parameter; it must be of the parameter's kind."""

    op: Literal["set_parameter"] = "set_parameter"
    path: str
    value: Json


class AddItem(BaseEdit):
    """Add a rule (its text, or `{"text": …}`) or an example (`{"input": {…}, "output": {…}}`); ids come from the content."""

    op: Literal["add_item"] = "add_item"
    path: str
    item: Json


class DropItem(BaseEdit):
    """Remove a rule or an example by its id."""

    op: Literal["drop_item"] = "drop_item"
    path: str
    id: str


class ReplaceItem(BaseEdit):
    """Rewrite a rule or an example, which keeps its id; of a choice, the definition of the label that `id` names."""

    op: Literal["replace_item"] = "replace_item"
    path: str
    id: str
    item: Json


class ImproveTool(BaseEdit):
    """Rewrite what a model reads of a tool: its description, its arguments' descriptions; never names or types."""

    op: Literal["improve_tool"] = "improve_tool"
    tool: str
    description: str | None = None
    argument_docs: FrozenDict = FrozenDict()


class CreateTool(BaseEdit):
    """Add a tool under an unused name and give it to the prompt nodes in `attach_to`."""

    op: Literal["create_tool"] = "create_tool"
    tool: Tool
    attach_to: tuple[str, ...] = ()


class DeleteTool(BaseEdit):
    """Remove a tool from the agent and from every prompt node."""

    op: Literal["delete_tool"] = "delete_tool"
    tool: str


class AttachTool(BaseEdit):
    """Let a prompt node call a tool; an error if it may already."""

    op: Literal["attach_tool"] = "attach_tool"
    node: str
    tool: str


class DetachTool(BaseEdit):
    """Take a tool from a prompt node; an error if it does not have it."""

    op: Literal["detach_tool"] = "detach_tool"
    node: str
    tool: str


class AddNode(BaseEdit):
    """Add a node, on an edge, or between `after` and all its successors, or between `before` and all its predecessors.

    Without a place it is added unconnected, for edges that follow in the same list.
    """

    op: Literal["add_node"] = "add_node"
    node: AnyNode
    on_edge: tuple[str, str] | None = None
    after: str | None = None
    before: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> AddNode:
        if sum(place is not None for place in (self.on_edge, self.after, self.before)) > 1:
            raise ValueError("give one of on_edge, after and before, not several")
        return self


class DeleteNode(BaseEdit):
    """Remove a node: `bridge` joins its predecessors to its successors, `explicit` adds just the given edges."""

    op: Literal["delete_node"] = "delete_node"
    node: str
    mode: Literal["bridge", "explicit"] = "bridge"
    edges: tuple[Edge, ...] = ()


class MoveNode(BaseEdit):
    """Take a node out (bridging the gap) and put it between `after` and all its successors."""

    op: Literal["move_node"] = "move_node"
    node: str
    after: str


class AddEdge(BaseEdit):
    """Add an edge; an error if there is the same one."""

    op: Literal["add_edge"] = "add_edge"
    edge: Edge


class DropEdge(BaseEdit):
    """Remove every edge from `source` to `target`; an error if there is none."""

    op: Literal["drop_edge"] = "drop_edge"
    source: str
    target: str


class SetCondition(BaseEdit):
    """Set the condition (null: none) and, if given, the priority of the edge from `source` to `target`."""

    op: Literal["set_condition"] = "set_condition"
    source: str
    target: str
    when: When | None = None
    priority: int | None = None


class SetEntry(BaseEdit):
    """Let the agent start at one node only."""

    op: Literal["set_entry"] = "set_entry"
    node: str


class SetDescription(BaseEdit):
    """Rewrite what a node is for."""

    op: Literal["set_description"] = "set_description"
    node: str
    value: str


class SetInputs(BaseEdit):
    """Set the fields that a node reads."""

    op: Literal["set_inputs"] = "set_inputs"
    node: str
    value: tuple[str, ...]


class SetOutput(BaseEdit):
    """Set the fields that a node writes; choice fields can be kept or left out, not added (they need labels)."""

    op: Literal["set_output"] = "set_output"
    node: str
    value: tuple[Field, ...]


ValueEdit = SetParameter | AddItem | DropItem | ReplaceItem | ImproveTool
StructureEdit = (
    CreateTool | DeleteTool | AttachTool | DetachTool | AddNode | DeleteNode | MoveNode
    | AddEdge | DropEdge | SetCondition | SetEntry | SetDescription | SetInputs | SetOutput
)  # fmt: skip
Edit = Annotated[ValueEdit | StructureEdit, Bounded(discriminator="op")]
EDITS: TypeAdapter[Any] = TypeAdapter(tuple[Edit, ...])
"""Reads edits from JSON or plain dictionaries (`validate_python`) and gives their schema (`json_schema`)."""


def apply(network: N, edits: Sequence[Any], *, force: bool = False) -> N:
    raise NotImplementedError
