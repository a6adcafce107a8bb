"""Edits: the small, typed changes by which an agent learns, and `apply`, which alone carries them out.

Language models, people and migrations use the same operations; a list of them is applied as a whole or not at
all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, cast, get_args

from pydantic import AfterValidator, TypeAdapter, ValidationError, model_validator
from pydantic import Field as Bounded

from agentsym.errors import NetworkError
from agentsym.network import structure
from agentsym.network.canonical import Frozen, FrozenDict, Json
from agentsym.network.fields import Field, FieldName
from agentsym.network.frozen import require_frozen_kept, require_no_foreign_code, require_not_last_user
from agentsym.network.network import Edge, Network, When
from agentsym.network.nodes import AnyNode, Tool, ToolNode
from agentsym.network.parameters import Choices, Code, Definition, Example, Examples, Parameter, Rule, Rules

N = TypeVar("N", bound=Network)
Docs = Annotated[Mapping[str, str], AfterValidator(FrozenDict)]


class BaseEdit(Frozen):
    """What all edits share: the reason, in a sentence that people read in the history."""

    why: str = ""


class SetParameter(BaseEdit):
    """Replace the value of a parameter; it must be of the parameter's kind."""

    op: Literal["set_parameter"] = "set_parameter"
    path: str
    value: Json


class AddItem(BaseEdit):
    """Add a rule (its text) or an example (`{"input": {…}, "output": {…}}`); its content gives the id."""

    op: Literal["add_item"] = "add_item"
    path: str
    item: Json


class DropItem(BaseEdit):
    """Remove a rule or an example by its id."""

    op: Literal["drop_item"] = "drop_item"
    path: str
    id: str


class ReplaceItem(BaseEdit):
    """Rewrite a rule or an example, which keeps its id, or the definition of the label that `id` names."""

    op: Literal["replace_item"] = "replace_item"
    path: str
    id: str
    item: Json


class ImproveTool(BaseEdit):
    """Rewrite what a model reads of a tool: the descriptions of it and its arguments, not names or types."""

    op: Literal["improve_tool"] = "improve_tool"
    tool: str
    description: str | None = None
    argument_docs: Docs = FrozenDict()


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
    """Add a node: on an edge, between `after` and its successors, or between `before` and its predecessors.

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
    """Remove a node: `bridge` joins its predecessors to its successors, `explicit` adds the given edges."""

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
    value: tuple[FieldName, ...]


class SetOutput(BaseEdit):
    """Set the fields that a node writes; choice fields can be kept or left out, not added (no labels)."""

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


STRUCTURAL = frozenset(kind.model_fields["op"].default for kind in get_args(StructureEdit))
"""The operations that need `structure.learnable`."""


def apply(network: N, edits: Sequence[Edit], *, force: bool = False) -> N:
    """Return the network with all edits carried out, one after the other; the given one stays as it is.

    Args:
        network: any network; the result is of the same class.
        edits: edits, later ones see what earlier ones did.
        force: for people and migrations: also change what is not learnable, also bring in code by reference.

    Raises:
        NetworkError: when an edit cannot be carried out (it names the edit's number, operation and place, and
            what to do) or the result is not legal (it lists every problem). Nothing is applied then.
    """
    changed = network
    for number, edit in enumerate(edits, 1):
        try:
            if not force:
                _require_learnable(changed, edit)
            done = _carry_out(changed, edit)
            if not force:
                require_frozen_kept(changed, done)
        except (NetworkError, ValidationError, TypeError) as error:
            raise NetworkError(f"edit {number} of {len(edits)} ({edit.op} {_place(edit)}): {_reason(error)}") from error
        changed = done
    try:
        changed.check()
    except NetworkError as error:
        asked = ", ".join(f"{edit.op} {_place(edit)}" for edit in edits)
        raise NetworkError(
            f"after {len(edits)} edits ({asked}) the agent would not be legal:", error.problems
        ) from error
    return changed


def _carry_out(network: N, edit: Edit) -> N:
    """Carry out one edit, whoever asks for it."""
    match edit:
        case SetParameter() | AddItem() | DropItem() | ReplaceItem():
            old = network.parameter(edit.path)
            return network.with_parameter(edit.path, _edited(old, edit))
        case ImproveTool():
            return _improve_tool(network, edit)
        case CreateTool():
            return structure.create_tool(network, edit.tool, edit.attach_to)
        case DeleteTool():
            return structure.delete_tool(network, edit.tool)
        case AttachTool():
            return structure.attach_tool(network, edit.node, edit.tool)
        case DetachTool():
            return structure.detach_tool(network, edit.node, edit.tool)
        case AddNode():
            return structure.add_node(network, edit.node, on_edge=edit.on_edge, after=edit.after, before=edit.before)
        case DeleteNode():
            return structure.delete_node(network, edit.node, edit.edges if edit.mode == "explicit" else None)
        case MoveNode():
            return structure.move_node(network, edit.node, edit.after)
        case AddEdge():
            return structure.add_edge(network, edit.edge)
        case DropEdge():
            return structure.drop_edge(network, edit.source, edit.target)
        case SetCondition():
            return structure.set_condition(network, edit.source, edit.target, edit.when, edit.priority)
        case SetEntry():
            return structure.set_entry(network, edit.node)
        case SetDescription() | SetInputs():
            field = "description" if isinstance(edit, SetDescription) else "inputs"
            node = network.node(edit.node).model_copy(update={field: edit.value})
            return structure.replace_node(network, node)
        case SetOutput():
            return structure.set_output(network, edit.node, edit.value)


def _edited(old: Parameter, edit: SetParameter | AddItem | DropItem | ReplaceItem) -> Parameter:
    """Return a parameter with another value or with one item changed."""
    if isinstance(edit, SetParameter):
        new = old.with_value(edit.value)
        if isinstance(old, Choices) and cast(Choices, new).labels != old.labels:
            raise NetworkError(f"labels are never added, dropped or reordered; keep {', '.join(old.labels)}")
        if isinstance(old, Code) and new != old:
            new = new.model_copy(update={"author": "learned"})
        return new
    if not isinstance(old, Rules | Examples | Choices):
        raise NetworkError(f"a {old.kind} parameter has no items; use set_parameter")
    items = {item.id: item for item in old.value}
    if isinstance(edit, AddItem):
        if isinstance(old, Choices):
            raise NetworkError("labels are never added; use replace_item to rewrite a definition")
        item = (Rule if isinstance(old, Rules) else Example).model_validate(edit.item)
        if item.id in items:
            raise NetworkError(f"there is an item {item.id!r} already; use replace_item, or another id")
        return old.with_value((*old.value, item))
    if edit.id not in items:
        raise NetworkError(f"there is no item {edit.id!r}; there are {', '.join(items) or 'none'}")
    if isinstance(edit, DropItem):
        if isinstance(old, Choices):
            raise NetworkError("labels are never dropped; use replace_item to rewrite a definition")
        return old.with_value(tuple(item for item in old.value if item.id != edit.id))
    new_item = _rewritten(old, edit)
    return old.with_value(tuple(new_item if item.id == edit.id else item for item in old.value))


def _rewritten(old: Rules | Examples | Choices, edit: ReplaceItem) -> Rule | Example | Definition:
    """Return the new item of a `replace_item`, under the old id."""
    key = "definition" if isinstance(old, Choices) else "text"
    data = {key: edit.item} if isinstance(edit.item, str) else dict(edit.item)
    if isinstance(old, Choices):
        return Definition.model_validate({**data, "label": edit.id})
    return (Rule if isinstance(old, Rules) else Example).model_validate({**data, "id": edit.id})


def _improve_tool(network: N, edit: ImproveTool) -> N:
    """Rewrite what a model reads of a tool."""
    if edit.description is None and not edit.argument_docs:
        raise NetworkError("nothing to improve is given; give description or argument_docs")
    tool = _tool(network, edit.tool)
    names = [field.name for field in tool.arguments]
    if unknown := edit.argument_docs.keys() - set(names):
        raise NetworkError(f"there is no argument {', '.join(sorted(unknown))}; there are {', '.join(names) or 'none'}")
    docs = edit.argument_docs
    arguments = tuple(
        field.model_copy(update={"description": docs.get(field.name, field.description)}) for field in tool.arguments
    )
    better = tool.model_copy(update={"arguments": arguments})
    if edit.description is not None:
        described = network.parameter(f"{edit.tool}/description").with_value(edit.description)
        parameters = FrozenDict({**better.parameters, "description": described})
        better = better.model_copy(update={"parameters": parameters})
    tools = tuple(better if old.name == edit.tool else old for old in network.tools)
    nodes = tuple(
        node.model_copy(update={"tool": better}) if isinstance(node, ToolNode) and node.id == edit.tool else node
        for node in network.nodes
    )
    return network.replace(tools=tools, nodes=nodes)


def _tool(network: Network, name: str) -> Tool:
    for node in network.nodes:
        if isinstance(node, ToolNode) and node.id == name:
            return node.tool
    return network.tool(name)


def _require_learnable(network: Network, edit: Edit) -> None:
    """Raise where an edit asks for what learning may not change."""
    if isinstance(edit, StructureEdit):
        if not network.structure.learnable:
            raise NetworkError(
                "the structure of this agent is frozen; give it structure=Structure(learnable=True) first"
            )
        if isinstance(edit, CreateTool | AddNode):
            require_no_foreign_code(network, edit.tool if isinstance(edit, CreateTool) else edit.node)
        if isinstance(edit, DetachTool):
            require_not_last_user(network, edit.node, edit.tool)
        return
    path = f"{edit.tool}/description" if isinstance(edit, ImproveTool) else edit.path
    if path == "structure":
        raise NetworkError("the structure has no value to set; use the structural operations")
    if not network.parameter(path).learnable:
        raise NetworkError(f"{path} is frozen (learnable=False); leave it alone, or unfreeze({path!r}) first")


def _place(edit: Edit) -> str:
    """Say where an edit takes place, for error messages."""
    match edit:
        case SetParameter() | AddItem():
            return edit.path
        case DropItem() | ReplaceItem():
            return f"{edit.path} {edit.id}"
        case AttachTool() | DetachTool():
            return f"{edit.node} {edit.tool}"
        case CreateTool():
            return edit.tool.name
        case ImproveTool() | DeleteTool():
            return edit.tool
        case AddNode():
            return edit.node.id
        case AddEdge():
            return f"{edit.edge.source} → {edit.edge.target}"
        case DropEdge() | SetCondition():
            return f"{edit.source} → {edit.target}"
        case _:
            return edit.node


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        parts = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False))
        return "the value does not fit: " + "; ".join(parts)
    return str(error)
