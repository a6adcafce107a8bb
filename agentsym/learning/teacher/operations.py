"""Operations on the components of a node, as a language model writes them, and the edits that they become.

A form offers an operation only where it is legal: of these paths, these ids, these labels, within these bounds; so the
model need not know the rules, and what it writes needs no guessing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel
from pydantic import Field as Bounded

from agentsym.errors import UsageError
from agentsym.learning.backward import learnable_at
from agentsym.learning.teacher.replies import (
    Form,
    Operation,
    edits_reply,
    example_fields,
    fields_form,
    make_form,
    one_of,
)
from agentsym.learning.teacher.structural import structural_edit, structure_form, tool_operations
from agentsym.learning.teacher.views import node_at
from agentsym.network.edits import AddItem, DropItem, Edit, ImproveTool, ReplaceItem, SetParameter
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode, Tool
from agentsym.network.parameters import Choices, Code, Examples, Number, Option, Parameter, Rules, Text

__all__ = ["described", "editable_at", "edits_of", "move_form", "node_edits_form", "structure_form"]

P = TypeVar("P", bound=Parameter)


def editable_at(network: Network, node: str) -> tuple[str, ...]:
    """Return the paths of all that can be learned at a node: its own components, and those of the tools it may call."""
    found, around = node_at(network, node)
    outer, slash, _ = node.rpartition("/")
    tools = found.tools if isinstance(found, PromptNode) else ()
    held = (f"{outer}{slash}{around.tool(name).name}" for name in tools)
    return tuple(path for owner in (node, *held) for path in _learnable(network, node, owner))


def node_edits_form(network: Network, node: str, paths: Sequence[str]) -> Form:
    """Return the form of a node's edits: the operations that its components allow, and with them those on its tools.

    Args:
        network: the network.
        node: the node; inside an agent node `outer/inner`.
        paths: the components that may be edited, of the node or of its tools (`editable_at` has them all).

    Raises:
        UsageError: there is nothing that may be edited.
    """
    options = component_operations(network, paths)
    if network.structure.learnable and "/" not in node and isinstance(network.node(node), PromptNode):
        options += tool_operations(network, [node])
    if not options:
        raise UsageError(f"{node}: no component is named that could be edited; unfreeze one of its parameters")
    return edits_reply(options)


def move_form(network: Network) -> Form:
    """Return the form of a move that may also rewrite instructions, so that a node's task can be split.

    Raises:
        UsageError: the structure of the network is frozen.
    """
    tasks = [
        path
        for path, item in network.parameters().items()
        if path.endswith("/instructions") and isinstance(item, Text) and item.learnable
    ]
    return structure_form(network, component_operations(network, tasks))


def component_operations(network: Network, paths: Sequence[str]) -> list[Form]:
    """Return the operations on the values of components."""
    found = {path: network.parameter(path) for path in paths}
    read = {f"{tool.name}/description": tool for tool in network.tools if f"{tool.name}/description" in found}
    texts = [path for path in _of(found, Text) if path not in read]
    rules, choices, examples = _of(found, Rules), _of(found, Choices), _of(found, Examples)
    options: list[Form] = []
    if texts:
        options.append(_operation("set_text", texts, value=str))
    if rules:
        options.append(_operation("add_rule", list(rules), text=str))
        filled = {path: item for path, item in rules.items() if item.value}
        options += _each("replace_rule", filled, lambda _, item: {"id": _ids(item), "text": str})
        options += _each("drop_rule", filled, lambda _, item: {"id": _ids(item)})
    options += _each("define_label", choices, lambda _, item: {"label": one_of(item.labels), "definition": str})
    options += _example_operations(network, examples)
    options += _each("set_number", _of(found, Number), lambda _, item: {"value": _between(item.low, item.high)})
    options += _each("set_option", _of(found, Option), lambda _, item: {"value": one_of(item.options)})
    options += [_improve_tool(tool, at) for at, tool in enumerate(read.values())]
    if code := _of(found, Code):
        options.append(_operation("rewrite_code", list(code), source=str))
    return options


def edits_of(network: Network, reply: Any) -> tuple[Edit, ...]:
    """Turn an answer in one of these forms into edits, in its order; only `apply` knows whether they fit together.

    Raises:
        NetworkError: an edit cannot be made from what the answer says.
    """
    return tuple(_EDITS[item.op](item) if item.op in _EDITS else structural_edit(network, item) for item in reply.edits)


def described(form: Form) -> list[str]:
    """Say each operation that a form offers in one line: its name, its fields, and what it does."""
    forms: dict[str, Form] = {}
    for option in _options(form.model_fields["edits"].annotation):
        forms.setdefault(get_args(option.model_fields["op"].annotation)[0], option)
    return [f"`{op}` with {_fields_said(option)}: {_MEANS[op]}" for op, option in forms.items()]


def _learnable(network: Network, node: str, owner: str) -> list[str]:
    """Return the learnable parameters of a node, or of a tool that it may call."""
    if owner == node:
        return list(learnable_at(network, node))
    return [path for path, item in network.parameters().items() if path.startswith(f"{owner}/") and item.learnable]


def _of(found: Mapping[str, Parameter], kind: type[P]) -> dict[str, P]:
    return {path: item for path, item in found.items() if isinstance(item, kind)}


def _operation(op: str, paths: Sequence[str], number: int | None = None, **fields: Any) -> Form:
    """Make the form of an operation on one of these paths; several forms of one operation are numbered."""
    name = op.title().replace("_", "") + ("" if number is None else str(number))
    return make_form(name, Operation, op=one_of([op]), path=one_of(paths), **fields)


def _each(op: str, found: Mapping[str, P], fields: Callable[[str, P], dict[str, Any]]) -> list[Form]:
    """Make a form of one operation for each component, since what may be given differs."""
    return [_operation(op, [path], at, **fields(path, item)) for at, (path, item) in enumerate(found.items())]


def _example_operations(network: Network, examples: Mapping[str, Examples]) -> list[Form]:
    sides = {
        path: example_fields(node_at(network, path.rpartition("/")[0])[0], str(at)) for at, path in enumerate(examples)
    }
    filled = {path: item for path, item in examples.items() if item.value}
    return [
        *_each("add_example", examples, lambda path, _: sides[path]),
        *_each("replace_example", filled, lambda path, item: {"id": _ids(item), **sides[path]}),
        *_each("drop_example", filled, lambda _, item: {"id": _ids(item)}),
    ]


def _improve_tool(tool: Tool, number: int) -> Form:
    docs: Any = fields_form(f"ArgumentDocs{number}", [(field.name, (str | None, None)) for field in tool.arguments])
    more = {"argument_docs": (docs | None, None)} if tool.arguments else {}
    return make_form(
        f"ImproveTool{number}",
        Operation,
        op=one_of(["improve_tool"]),
        tool=one_of([tool.name]),
        description=str,
        **more,
    )


def _ids(parameter: Rules | Examples) -> Any:
    return one_of([item.id for item in parameter.value])


def _between(low: float, high: float) -> Any:
    return Annotated[float, Bounded(ge=low, le=high, allow_inf_nan=False)]


def _example(reply: Any) -> dict[str, Any]:
    return {side: getattr(reply, side).model_dump(by_alias=True, exclude_unset=True) for side in ("input", "output")}


def _improved(reply: Any) -> Edit:
    docs = getattr(reply, "argument_docs", None)
    said = {} if docs is None else docs.model_dump(by_alias=True, exclude_none=True)
    return ImproveTool(tool=reply.tool, description=reply.description, argument_docs=said, why=reply.why)


def _options(kind: Any) -> Iterator[Form]:
    """Yield the forms that an annotation is made of."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in get_args(kind):
        yield from _options(inner)


def _fields_said(form: Form) -> str:
    fields = {name: item for name, item in form.model_fields.items() if name not in ("op", "why")}
    return ", ".join(f"`{name}`" + ("" if item.is_required() else " (or null)") for name, item in fields.items())


_EDITS: Mapping[str, Callable[[Any], Edit]] = {
    "set_text": lambda r: SetParameter(path=r.path, value=r.value, why=r.why),
    "set_number": lambda r: SetParameter(path=r.path, value=r.value, why=r.why),
    "set_option": lambda r: SetParameter(path=r.path, value=r.value, why=r.why),
    "rewrite_code": lambda r: SetParameter(path=r.path, value=r.source, why=r.why),
    "add_rule": lambda r: AddItem(path=r.path, item={"text": r.text}, why=r.why),
    "replace_rule": lambda r: ReplaceItem(path=r.path, id=r.id, item={"text": r.text}, why=r.why),
    "drop_rule": lambda r: DropItem(path=r.path, id=r.id, why=r.why),
    "define_label": lambda r: ReplaceItem(path=r.path, id=r.label, item=r.definition, why=r.why),
    "add_example": lambda r: AddItem(path=r.path, item=_example(r), why=r.why),
    "replace_example": lambda r: ReplaceItem(path=r.path, id=r.id, item=_example(r), why=r.why),
    "drop_example": lambda r: DropItem(path=r.path, id=r.id, why=r.why),
    "improve_tool": _improved,
}

_MEANS: Mapping[str, str] = {
    "set_text": "write the text anew",
    "add_rule": "add a rule",
    "replace_rule": "write a rule anew; it keeps its id",
    "drop_rule": "remove a rule",
    "define_label": "write what a label means",
    "add_example": "add a worked example",
    "replace_example": "write an example anew; it keeps its id",
    "drop_example": "remove an example",
    "set_number": "set a number within its bounds",
    "set_option": "choose another option",
    "improve_tool": "write anew what a model reads of a tool and of its arguments",
    "rewrite_code": "write the whole module anew; its function keeps its name and arguments, and its tests must pass",
    "create_tool": "make a tool: `source` is a self-contained module, standard library only, that defines a function "
    "called `name` with these arguments; `tests` is a module of `test_` functions that have the function at hand, "
    "at least one",
    "delete_tool": "remove a tool from the agent",
    "attach_tool": "let a node call a tool",
    "detach_tool": "take a tool from a node",
    "add_node": "add a node that asks a model, on the edge `on_edge` ([source, target]), between `after` and all its "
    "successors, or between `before` and all its predecessors; `inputs` are fields that it reads, `outputs` fields "
    "that it writes",
    "delete_node": "remove a node; its predecessors lead to its successors",
    "move_node": "take a node out and put it between `after` and all its successors",
    "add_edge": "add an edge, taken only if `when` holds",
    "drop_edge": "remove the edge",
    "set_condition": "set or remove the condition of an edge; of several edges that leave a node the lowest "
    "`priority` is tried first, and the last one has no condition",
    "set_entry": "begin at this node only",
    "set_description": "write what a node is for",
    "set_inputs": "set the fields that a node reads",
    "set_output": "set the fields that a node writes",
}
