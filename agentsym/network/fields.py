"""The typed fields that nodes read and write, and how a value is checked against them.

One field type serves the input schema of an agent, the output of a node and the JSON schema that a model must
fill.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field as Bounded

from agentsym.errors import NetworkError
from agentsym.network.canonical import Frozen

FIELD_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
FieldName = Annotated[str, Bounded(pattern=FIELD_NAME)]
FieldType = Literal["string", "integer", "number", "boolean", "list", "object", "choice", "any"]

PYTHON_TYPES: dict[type, FieldType] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "list",
    dict: "object",
}
_JSON_TYPES: dict[FieldType, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "list": (list, tuple),
    "object": Mapping,
    "choice": str,
    "any": object,
}
_SCHEMA_TYPES = {"list": "array"}


class Field(Frozen):
    """A named, typed value.

    Attributes:
        name: the variable it is written to, an identifier.
        type: one of `FieldType`; a `choice` takes its labels from the parameter `choices/NAME` of its node.
        description: what it means, shown to the model.
        required: whether it must be given; only an argument of a tool may have a default of its own.
    """

    name: FieldName
    type: FieldType = "any"
    description: str = ""
    required: bool = True

    def accepts(self, value: Any) -> bool:
        """Say whether a value has this field's type (a boolean is no number)."""
        if isinstance(value, bool) and self.type in ("integer", "number"):
            return False
        return isinstance(value, _JSON_TYPES[self.type])

    def json_schema(self, labels: Sequence[str] = ()) -> dict[str, Any]:
        """Return the JSON schema of a value of this field; `labels` are the choices of a choice field."""
        if self.type == "any":
            schema: dict[str, Any] = {}
        elif self.type == "choice":
            schema = {"type": "string", "enum": list(labels)}
        else:
            schema = {"type": _SCHEMA_TYPES.get(self.type, self.type)}
        return {**schema, "description": self.description} if self.description else schema


class Choice:
    """An output that is one of several labels, as a user writes it: `output={"intent": Choice({...})}`.

    Args:
        labels: the labels in order, or a mapping from label to definition.
        learnable: whether learning may rewrite the definitions (never the labels).
        max_chars: the longest definition in characters.
        description: what the field means, shown to the model.
    """

    def __init__(
        self,
        labels: Iterable[str] | Mapping[str, str],
        *,
        learnable: bool = True,
        max_chars: int = 200,
        description: str = "",
    ) -> None:
        self.labels = dict(labels) if isinstance(labels, Mapping) else dict.fromkeys(labels, "")
        self.learnable = learnable
        self.max_chars = max_chars
        self.description = description


class Described:
    """An output whose description is learned, as a user writes it: `output={"reply": Described(str, "One line.")}`.

    Args:
        spec: what the field is: a type, its name, a `Choice` or a `Field`.
        description: what it must hold, shown to the model.
        learnable: whether learning may rewrite the description.
        max_chars: the longest description in characters.
    """

    def __init__(
        self, spec: Field | Choice | type | str, description: str = "", *, learnable: bool = True, max_chars: int = 400
    ) -> None:
        self.spec = spec
        self.description = description
        self.learnable = learnable
        self.max_chars = max_chars


FieldSpec = Field | Choice | Described | type | str


def as_field(name: str, spec: FieldSpec) -> Field:
    """Turn what a user writes for a field (a Python type, its name, `Choice`, `Described`, `Field`) into a `Field`."""
    if isinstance(spec, Described):
        return as_field(name, spec.spec).model_copy(update={"description": ""})  # it is a parameter of the node
    if isinstance(spec, Field):
        return spec if spec.name == name else spec.model_copy(update={"name": name})
    if isinstance(spec, Choice):
        return Field(name=name, type="choice", description=spec.description)
    if isinstance(spec, str):
        return Field.model_validate({"name": name, "type": spec})
    if spec in PYTHON_TYPES:
        return Field(name=name, type=PYTHON_TYPES[spec])
    raise NetworkError(
        f"field {name!r}: {spec!r} is no field type; use one of str, int, float, bool, list, dict, Choice or Described"
    )


def as_fields(spec: Mapping[str, FieldSpec] | Iterable[Any] | str) -> tuple[Field, ...]:
    """Turn a mapping name → type, a list of names or fields, or one name (of type `any`) into fields."""
    if isinstance(spec, str):
        return (Field(name=spec),)
    if isinstance(spec, Mapping):
        return tuple(as_field(name, kind) for name, kind in spec.items())
    return tuple(
        item
        if isinstance(item, Field)
        else Field.model_validate(item)
        if isinstance(item, Mapping)
        else Field(name=item)
        for item in spec
    )
