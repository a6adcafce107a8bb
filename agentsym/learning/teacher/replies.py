"""The forms in which a language model answers the teacher's questions: one for each question, made to measure.

A form offers only what is legal (the paths of this node, the steps before this one, the ids of these rules), so the
schema that a model is given and the check that its answer must pass are the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, create_model, model_validator
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
    "number": int | float,
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


class _Suggesting(Frozen):
    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if getattr(self, "satisfied", False) and getattr(self, "suggestions", ()):
            raise ValueError(
                "`satisfied` says that this node needs no change, `suggestions` asks for one: "
                "set `satisfied` to false, or give an empty list"
            )
        return self


class Operation(Frozen):
    """What every edit that a model writes has: the reason."""

    why: str = Bounded(default="", description="The reason in one sentence.")


def gradient_form(parameters: Sequence[str], parents: Mapping[int, str]) -> Form:
    """Return the form of a gradient.

    Args:
        parameters: paths of the node's learnable parameters; without any, nothing can be suggested. A node that is
            satisfied suggests nothing.
        parents: index of each earlier step that can be required something → what it is.
    """
    fields: dict[str, Any] = {"analysis": (str, ...)}
    if parameters:
        suggestion: Any = make_form("Suggestion", _Suggestion, parameter=one_of(parameters))
        fields["suggestions"] = (tuple[suggestion, ...], ())
    if parents:
        steps = {
            f"step_{index}": (str | None, Bounded(default=None, alias=str(index), description=what))
            for index, what in parents.items()
        }
        requirements = make_form("Requirements", Frozen, **steps)
        fields["requirement_for_previous"] = (requirements, requirements())
    return make_form("GradientReply", _Suggesting, **fields, satisfied=bool)


def blame_form(nodes: Sequence[str]) -> Form:
    """Return the form of the blame for a run of these nodes."""
    one: Any = _node_blame(nodes)
    return make_form("BlameReply", Frozen, nodes=(tuple[one, ...], ...))


def blames_form(nodes: Sequence[str], runs: int) -> Form:
    """Return the form of the blame for so many runs of these nodes, which are numbered from 1."""
    blame: Any = _node_blame(nodes)
    one: Any = make_form("RunBlame", Frozen, run=Annotated[int, Bounded(ge=1, le=runs)], nodes=(tuple[blame, ...], ...))
    return make_form("BlamesReply", Frozen, runs=(tuple[one, ...], ...))


def _node_blame(nodes: Sequence[str]) -> Any:
    share: Any = Annotated[float, Bounded(ge=0.0, le=1.0)]
    return make_form("NodeBlame", Frozen, node=one_of(nodes), blame=share, critique=str)


def edits_form(node: AnyNode, parameter: Parameter) -> Form:
    """Return the form in which edits of one component are answered: only the operations that its kind has.

    Raises:
        UsageError: for a kind that is not written by a language model (code, numbers, options, the structure).
    """
    most = None
    match parameter:
        case Text():
            options, most = [make_form("Set", Operation, op=one_of(["set"]), value=str)], 1
        case Rules():
            options = _item_options({"text": str}, [rule.id for rule in parameter.value])
        case Choices():
            options = [
                make_form("Define", Operation, op=one_of(["define"]), label=one_of(parameter.labels), definition=str)
            ]
        case Examples():
            content = example_fields(node)
            options = _item_options(content, [example.id for example in parameter.value])
        case _:
            raise UsageError(f"a language model writes texts, rules, choices and examples, not {parameter.kind}")
    return edits_reply(options, most)


def edits_reply(options: Sequence[Form], most: int | None = None) -> Form:
    """Return the form of an answer that gives edits, each of them one of the options, told apart by `op`.

    Args:
        options: the operations; several forms of one operation are told apart by what they are done to.
        most: how many edits there may be.
    """
    by_op: dict[str, list[Form]] = {}
    for option in options:
        by_op.setdefault(get_args(option.model_fields["op"].annotation)[0], []).append(option)
    edit: Any = told_apart([told_apart(forms, _place_of(forms[0])) for forms in by_op.values()], "op")
    return make_form("EditsReply", Frozen, analysis=str, edits=(tuple[edit, ...], Bounded(max_length=most)))


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
    return _portable(form.model_json_schema())


def _portable(schema: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in schema.items():
        match key:
            case "properties" | "$defs":
                made[key] = {name: _portable(inner) for name, inner in value.items()}
            case "oneOf" | "anyOf":
                made["anyOf"] = [option for inner in value for option in _alternatives(_portable(inner))]
            case "items":
                made[key] = _portable(value)
            case "title" | "default" | "discriminator" | "required":
                pass
            case _:
                made[key] = value
    return {**made, "required": list(made["properties"])} if "properties" in made else made


def _alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the alternatives of a schema that is nothing else, so that none stand within others."""
    return schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]


def make_form(name: str, base: Form, /, **fields: Any) -> Form:
    """Make a form; a field is its type, or (type, default). Names must differ within one answer's form."""
    pairs: dict[str, Any] = {field: spec if isinstance(spec, tuple) else (spec, ...) for field, spec in fields.items()}
    return create_model(name, __base__=base, **pairs)


def one_of(values: Sequence[str]) -> Any:
    """Return the type of a text that is one of these."""
    literal: Any = Literal
    return literal[tuple(values)]


def _item_options(content: Mapping[str, Any], ids: Sequence[str]) -> list[Form]:
    """Return the operations on a list of items; what is not there can be neither replaced nor dropped."""
    options = [make_form("Add", Operation, op=one_of(["add"]), **content)]
    if ids:
        options.append(make_form("Replace", Operation, op=one_of(["replace"]), id=one_of(ids), **content))
        options.append(make_form("Drop", Operation, op=one_of(["drop"]), id=one_of(ids)))
    return options


def example_fields(node: AnyNode, number: str = "") -> dict[str, Any]:
    """Return the two sides of a worked example as forms: the fields that a node reads, and those that it writes."""
    outputs = [(field.name, _type_of(field, node)) for field in node.output]
    return {
        "input": fields_form(f"ExampleInput{number}", [(name, Any) for name in node.inputs]),
        "output": fields_form(f"ExampleOutput{number}", outputs),
    }


def fields_form(name: str, fields: Sequence[tuple[str, Any]]) -> Form:
    """Return a form with the given fields; they are aliases, since a field may have any name."""
    aliased = {f"field_{at}": _aliased(field, spec) for at, (field, spec) in enumerate(fields)}
    return make_form(name, Frozen, **aliased)


def _aliased(field: str, spec: Any) -> tuple[Any, Any]:
    kind, default = spec if isinstance(spec, tuple) else (spec, ...)
    return kind, Bounded(default, alias=field)


def told_apart(forms: Sequence[Any], by: str) -> Any:
    """Return the type of a value that has one of several forms, which differ in the value of one field."""
    return Annotated[reduce(or_, forms), Bounded(discriminator=by)] if len(forms) > 1 else forms[0]


def _place_of(form: Form) -> str:
    """Return the field that says what an operation is done to."""
    return next((name for name in ("path", "node", "source", "tool") if name in form.model_fields), "op")


def _type_of(field: Field, node: AnyNode) -> Any:
    if field.type == "choice" and isinstance(node, PromptNode):
        return one_of(node.choices(field.name).labels)
    return _TYPES[field.type]
