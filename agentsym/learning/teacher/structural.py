"""Operations on tools and on the pipeline, as a language model writes them, and the edits that they become.

What an operation is done to must be there, so it is chosen from a list; what an earlier edit of the same answer may
have made (a node, a tool, a field) is a name, which `apply` and the lint judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, model_validator
from pydantic import Field as Bounded

from agentsym.errors import NetworkError, UsageError
from agentsym.learning.teacher.replies import Form, Operation, edits_reply, make_form, one_of
from agentsym.network.canonical import Frozen
from agentsym.network.edits import (
    AddEdge,
    AddNode,
    AttachTool,
    CreateTool,
    DeleteNode,
    DeleteTool,
    DetachTool,
    DropEdge,
    Edit,
    MoveNode,
    SetCondition,
    SetDescription,
    SetEntry,
    SetInputs,
    SetOutput,
)
from agentsym.network.fields import FIELD_NAME, Choice, Field, FieldSpec
from agentsym.network.frozen import frozen_parameters
from agentsym.network.network import END, START, Edge, Network, When
from agentsym.network.nodes import PromptNode, Tool, ToolNode
from agentsym.network.parameters import Choices, Code, Text

_TYPES = ("string", "integer", "number", "boolean", "list", "object")
_OPERATORS = ("eq", "ne", "in", "contains", "lt", "gt", "exists")
_Scalar = str | int | float | bool


def _named(pattern: str, like: str, *special: str) -> Any:
    """Return the type of a name; it is checked after the schema, since few providers take a pattern in one."""
    known = re.compile(pattern)

    def check(name: str) -> str:
        if name not in special and not known.fullmatch(name):
            raise ValueError(f"{name!r} is no name here; use {like}")
        return name

    return Annotated[str, AfterValidator(check)]


def _list_of(kind: Any) -> Any:
    return tuple[kind, ...]


_NODE = "a letter, then letters, digits, _ and - (64 at most)"
_NodeName = _named(r"[A-Za-z][A-Za-z0-9_-]{0,63}", _NODE)
_Place = _named(r"[A-Za-z][A-Za-z0-9_-]{0,63}", f"{_NODE}, {START} or {END}", START, END)
_FieldName = _named(FIELD_NAME, "letters, digits and _ (64 at most, no digit first)")
_ToolName = _named(r"[a-z][a-z0-9_]{0,63}", "a lower-case letter, then lower-case letters, digits and _ (64 at most)")


def _two(places: tuple[str, ...]) -> tuple[str, ...]:
    if len(places) != 2:
        raise ValueError("an edge is two nodes: where it begins and where it ends")
    return places


_When: Any = make_form(
    "When", Frozen, field=_FieldName, op=one_of(_OPERATORS), value=(_Scalar | list[_Scalar] | None, None)
)


class _AddNode(Operation):
    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(getattr(self, name, None) is not None for name in ("on_edge", "after", "before")) > 1:
            raise ValueError("give one of `on_edge`, `after` and `before`, and null for the others")
        return self


def structure_form(network: Network, more: Sequence[Form] = ()) -> Form:
    """Return the form of a move of the pipeline: every structural operation, those on tools included.

    Args:
        network: the network.
        more: other operations that the move may consist of.

    Raises:
        UsageError: the structure of the network is frozen.
    """
    if not network.structure.learnable:
        raise UsageError(
            f"the structure of agent {network.name!r} is frozen, so there is nothing to offer; "
            "give it structure=Structure(learnable=True)"
        )
    prompts = [node.id for node in network.nodes if isinstance(node, PromptNode)]
    tools = [tool.name for tool in network.tools]
    return edits_reply(
        [*_pipeline(network, prompts), *tool_operations(network, prompts), *_delete_tool(network, tools), *more]
    )


def tool_operations(network: Network, nodes: Sequence[str]) -> list[Form]:
    """Return the operations that give prompt nodes tools, old or new, or take them away; frozen ones stay."""
    options = [create_tool(nodes)] if nodes else []
    options += [
        _operation("attach_tool", at, node=one_of([node]), tool=one_of(missing))
        for at, node in enumerate(nodes)
        if (missing := [tool.name for tool in network.tools if tool.name not in _held(network, node)])
    ]
    options += [
        _operation("detach_tool", at, node=one_of([node]), tool=one_of(loose))
        for at, node in enumerate(nodes)
        if (loose := removable(network, node))
    ]
    return options


def removable(network: Network, node: str) -> list[str]:
    """Return the tools that a prompt node may lose: others have them too, or nothing of them is frozen."""
    frozen = {path.split("/")[0] for path in frozen_parameters(network)}
    others = {name for item in network.nodes if item.id != node for name in _held(network, item.id)}
    return [name for name in _held(network, node) if name in others or name not in frozen]


def removals(network: Network, node: str, tool: str) -> list[Form]:
    """Return the operations that take one tool from a node, or from the whole agent."""
    detach = _operation("detach_tool", node=one_of([node]), tool=one_of([tool]))
    return [detach, *_delete_tool(network, [tool])]


def structural_edit(network: Network, reply: Any) -> Edit:
    """Turn one structural operation, as a model wrote it, into the edit.

    Raises:
        NetworkError: a node is to write a choice whose labels nobody gives.
    """
    return _EDITS[reply.op](network, reply)


def _pipeline(network: Network, prompts: Sequence[str]) -> list[Form]:
    """Return the operations on nodes and edges."""
    ids = [node.id for node in network.nodes]
    frozen = {path.split("/")[0] for path in frozen_parameters(network)}
    loose = [name for name in ids if name not in frozen]
    fields = _list_of(_field_form(network, "Output"))
    options = [
        make_form(
            "AddNode",
            _AddNode,
            op=one_of(["add_node"]),
            id=_NodeName,
            description=str,
            instructions=str,
            inputs=_list_of(_FieldName),
            outputs=fields,
            tools=(_list_of(_NodeName) | None, None),
            on_edge=(Annotated[_list_of(_Place), AfterValidator(_two)] | None, None),
            after=(_Place | None, None),
            before=(_Place | None, None),
            max_visits=(Annotated[int, Bounded(ge=1)] | None, None),
        ),
        _operation("add_edge", source=_Place, target=_Place, when=(_When | None, None)),
        *(
            _operation("drop_edge", at, source=one_of([source]), target=one_of(_targets(network, source)))
            for at, source in enumerate(dict.fromkeys(edge.source for edge in network.edges))
        ),
        _operation(
            "set_condition", source=_Place, target=_Place, when=(_When | None, None), priority=(int | None, None)
        ),
        _operation("set_entry", node=_NodeName),
        _operation("set_description", node=one_of(ids), value=str),
    ]
    if len(ids) > 1:
        options.append(_operation("move_node", node=one_of(ids), after=_Place))
    if len(ids) > 1 and loose:
        options.append(_operation("delete_node", node=one_of(loose)))
    if prompts:
        options.append(_operation("set_inputs", node=one_of(prompts), value=_list_of(_FieldName)))
    if writers := [node.id for node in network.nodes if isinstance(node, PromptNode | ToolNode)]:
        options.append(_operation("set_output", node=one_of(writers), value=fields))
    return options


def create_tool(nodes: Sequence[str]) -> Form:
    """Return the operation that makes a tool for one or more of these prompt nodes."""
    argument: Any = make_form("Argument", Frozen, name=_FieldName, type=one_of(_TYPES), description=str)
    return _operation(
        "create_tool",
        name=_ToolName,
        description=str,
        arguments=_list_of(argument),
        returns=one_of(_TYPES),
        source=str,
        tests=str,
        attach_to=_list_of(one_of(nodes)),
    )


def _delete_tool(network: Network, tools: Sequence[str]) -> list[Form]:
    frozen = {path.split("/")[0] for path in frozen_parameters(network)}
    loose = [name for name in tools if name not in frozen]
    return [_operation("delete_tool", tool=one_of(loose))] if loose else []


def _operation(op: str, number: int | None = None, **fields: Any) -> Form:
    """Make the form of an operation; several forms of one operation are numbered."""
    name = op.title().replace("_", "") + ("" if number is None else str(number))
    return make_form(name, Operation, op=one_of([op]), **fields)


def _field_form(network: Network, name: str) -> Any:
    types = (*_TYPES, "choice") if _choices(network) else _TYPES
    return make_form(name, Frozen, name=_FieldName, type=one_of(types), description=str)


def _targets(network: Network, source: str) -> list[str]:
    return list(dict.fromkeys(edge.target for edge in network.edges if edge.source == source))


def _held(network: Network, node: str) -> tuple[str, ...]:
    found = network.node(node)
    return found.tools if isinstance(found, PromptNode) else ()


def _choices(network: Network) -> dict[str, tuple[Field, Choices]]:
    """Return the choice fields that prompt nodes write, with their labels; of several writers the last one counts."""
    return {
        field.name: (field, node.choices(field.name))
        for node in network.nodes
        if isinstance(node, PromptNode)
        for field in node.output
        if field.type == "choice"
    }


def _added_node(network: Network, reply: Any) -> Edit:
    """Make the node; a choice that it writes has the labels that the field has already."""
    labels = _choices(network)
    output: dict[str, FieldSpec] = {}
    for field in reply.outputs:
        output[field.name] = Field(**field.model_dump())
        if field.type == "choice":
            if field.name not in labels:
                known = ", ".join(labels)
                raise NetworkError(
                    f"add_node {reply.id}: nobody gives the choice {field.name!r} its labels; choices are {known}, "
                    "so take one of them or another type"
                )
            old = labels[field.name][1]
            definitions = {item.label: item.definition for item in old.value}
            output[field.name] = Choice(definitions, max_chars=old.max_chars, description=field.description)
    node = PromptNode(
        reply.id,
        reply.instructions,
        inputs=reply.inputs,
        output=output,
        tools=reply.tools or (),
        description=reply.description,
        max_visits=reply.max_visits or 1,
    )
    return AddNode(node=node, on_edge=reply.on_edge, after=reply.after, before=reply.before, why=reply.why)


def _created_tool(_: Network, reply: Any) -> Edit:
    tool = Tool(
        name=reply.name,
        arguments=tuple(Field(**argument.model_dump()) for argument in reply.arguments),
        returns=Field(name="result", type=reply.returns),
        parameters={
            "description": Text(reply.description, role="tells the model when to call the tool"),
            "code": Code(
                reply.source, entry=reply.name, author="learned", tests=reply.tests, role="the tool's implementation"
            ),
        },
    )
    return CreateTool(tool=tool, attach_to=reply.attach_to, why=reply.why)


def _fields(value: Sequence[Any]) -> tuple[Field, ...]:
    return tuple(Field(**field.model_dump()) for field in value)


def _when(reply: Any) -> When | None:
    return None if reply.when is None else When(**reply.when.model_dump())


_EDITS: Mapping[str, Callable[[Network, Any], Edit]] = {
    "create_tool": _created_tool,
    "delete_tool": lambda _, r: DeleteTool(tool=r.tool, why=r.why),
    "attach_tool": lambda _, r: AttachTool(node=r.node, tool=r.tool, why=r.why),
    "detach_tool": lambda _, r: DetachTool(node=r.node, tool=r.tool, why=r.why),
    "add_node": _added_node,
    "delete_node": lambda _, r: DeleteNode(node=r.node, why=r.why),
    "move_node": lambda _, r: MoveNode(node=r.node, after=r.after, why=r.why),
    "add_edge": lambda _, r: AddEdge(edge=Edge(source=r.source, target=r.target, when=_when(r)), why=r.why),
    "drop_edge": lambda _, r: DropEdge(source=r.source, target=r.target, why=r.why),
    "set_condition": lambda _, r: SetCondition(
        source=r.source, target=r.target, when=_when(r), priority=r.priority, why=r.why
    ),
    "set_entry": lambda _, r: SetEntry(node=r.node, why=r.why),
    "set_description": lambda _, r: SetDescription(node=r.node, value=r.value, why=r.why),
    "set_inputs": lambda _, r: SetInputs(node=r.node, value=r.value, why=r.why),
    "set_output": lambda _, r: SetOutput(node=r.node, value=_fields(r.value), why=r.why),
}
