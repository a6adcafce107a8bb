"""The forms in which a language model answers the teacher's questions: one for each question, made to measure.

A form offers only what is legal (the paths of this node, the steps before this one, the ids of these rules), so the
schema that a model is given and the check that its answer must pass are the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import BaseModel, create_model
from pydantic import Field as Bounded

from agentsym.errors import UsageError
from agentsym.network.canonical import Frozen
from agentsym.network.edits import AddItem, DropItem, Edit, ReplaceItem, SetParameter
from agentsym.network.fields import Field
from agentsym.network.nodes import AnyNode, PromptNode
from agentsym.network.parameters import Choices, Examples, Parameter, Rules, Text

Form = type[BaseModel]
_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "list": list[Any],
    "object": dict[str, Any],
    "choice": str,
    "any": Any,
}


class LossReply(Frozen):
    """What is wrong with a run that a metric has scored."""

    comments: str
    requirement_for_last: str
    satisfied: bool


class ScoredLossReply(LossReply):
    """What is wrong with a run, and what it is worth."""

    score: float = Bounded(description="From 0 to 10.", allow_inf_nan=False)


class _Suggestion(Frozen):
    advice: str
    severity: Literal[1, 2, 3]


class _Edit(Frozen):
    why: str = Bounded(default="", description="The reason in one sentence.")


def gradient_form(parameters: Sequence[str], parents: Mapping[int, str]) -> Form:
    """Return the form of a gradient.

    Args:
        parameters: paths of the node's learnable parameters; without any, nothing can be suggested.
        parents: index of each earlier step that can be required something → what it is.
    """
    fields: dict[str, Any] = {"analysis": (str, ...)}
    if parameters:
        suggestion = create_model("Suggestion", __base__=_Suggestion, parameter=(Literal[tuple(parameters)], ...))
        fields["suggestions"] = (tuple[suggestion, ...], ())
    if parents:
        steps: dict[str, Any] = {
            f"step_{index}": (str | None, Bounded(default=None, alias=str(index), description=what))
            for index, what in parents.items()
        }
        requirements = create_model("Requirements", __base__=Frozen, **steps)
        fields["requirement_for_previous"] = (requirements, requirements())
    return create_model("GradientReply", __base__=Frozen, **fields, satisfied=(bool, ...))


def edits_form(node: AnyNode, parameter: Parameter) -> Form:
    """Return the form in which edits of one component are answered: only the operations that its kind has.

    Raises:
        UsageError: for a kind that is not written by a language model (code, numbers, options, the structure).
    """
    match parameter:
        case Text():
            options, most = [create_model("Set", __base__=_Edit, op=(Literal["set"], ...), value=(str, ...))], 1
        case Rules():
            options, most = _item_options({"text": (str, ...)}, [rule.id for rule in parameter.value]), None
        case Choices():
            label = Literal[parameter.labels]
            definition = {"op": (Literal["define"], ...), "label": (label, ...), "definition": (str, ...)}
            options, most = [create_model("Define", __base__=_Edit, **definition)], len(parameter.labels)
        case Examples():
            content = {"input": (_inputs_form(node), ...), "output": (_outputs_form(node), ...)}
            options, most = _item_options(content, [example.id for example in parameter.value]), None
        case _:
            raise UsageError(f"a language model writes texts, rules, choices and examples, not {parameter.kind}")
    one: Any = reduce(or_, options)
    edit = Annotated[one, Bounded(discriminator="op")] if len(options) > 1 else one
    edits: Any = tuple[edit, ...] if most is None else Annotated[tuple[edit, ...], Bounded(max_length=most)]
    return create_model("EditsReply", __base__=Frozen, analysis=(str, ...), edits=(edits, ...))


def edit_of(path: str, reply: Any) -> Edit:
    """Turn one edit, as a model wrote it, into the edit of the parameter at `path`."""
    match reply.op:
        case "set":
            return SetParameter(path=path, value=reply.value, why=reply.why)
        case "define":
            return ReplaceItem(path=path, id=reply.label, item=reply.definition, why=reply.why)
        case "drop":
            return DropItem(path=path, id=reply.id, why=reply.why)
        case "add":
            return AddItem(path=path, item=_item(reply), why=reply.why)
        case _:
            return ReplaceItem(path=path, id=reply.id, item=_item(reply), why=reply.why)


def _item(reply: Any) -> Any:
    if hasattr(reply, "text"):
        return {"text": reply.text}
    return {side: getattr(reply, side).model_dump(by_alias=True, exclude_unset=True) for side in ("input", "output")}


def schema_of(form: Form) -> dict[str, Any]:
    """Return the JSON schema of a form: every field required, alternatives as `anyOf`, which more providers take."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            renamed = {"anyOf" if key == "oneOf" else key: plain(item) for key, item in value.items()}
            return {key: item for key, item in renamed.items() if key not in ("discriminator", "default")}
        return [plain(item) for item in value] if isinstance(value, list) else value

    schema: dict[str, Any] = plain(form.model_json_schema(mode="serialization"))
    return schema


def _item_options(content: Mapping[str, Any], ids: Sequence[str]) -> list[Form]:
    """Return the operations on a list of items; what is not there can be neither replaced nor dropped."""
    options = [create_model("Add", __base__=_Edit, op=(Literal["add"], ...), **content)]
    if ids:
        known = Literal[tuple(ids)]
        options += [
            create_model("Replace", __base__=_Edit, op=(Literal["replace"], ...), id=(known, ...), **content),
            create_model("Drop", __base__=_Edit, op=(Literal["drop"], ...), id=(known, ...)),
        ]
    return options


def _inputs_form(node: AnyNode) -> Form:
    return _fields_form("ExampleInput", [(name, Any) for name in node.inputs])


def _outputs_form(node: AnyNode) -> Form:
    return _fields_form("ExampleOutput", [(field.name, _type_of(field, node)) for field in node.output])


def _fields_form(name: str, fields: Sequence[tuple[str, Any]]) -> Form:
    """Return a form with the given fields; they are aliases, since a field may have any name."""
    made: dict[str, Any] = {f"field_{at}": (kind, Bounded(alias=field)) for at, (field, kind) in enumerate(fields)}
    return create_model(name, __base__=Frozen, **made)


def _type_of(field: Field, node: AnyNode) -> Any:
    if field.type == "choice" and isinstance(node, PromptNode):
        return Literal[node.choices(field.name).labels]
    return _TYPES[field.type]
