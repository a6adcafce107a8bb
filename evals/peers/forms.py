"""Fills the JSON form that a request asks for, whatever its shape, from what there is to say.

Fields are found by name and lists by what their items are made of, so a library may change its forms without this
double knowing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Given:
    """What there is to say, at one place of a form.

    Attributes:
        text: the answer of every free text that has no value of its own.
        values: field → its value; one that is no object stands for all fields of an object of that name.
        nodes: node → what there is to say of it.
        suggestions: the items of a list whose items name a parameter.
        edits: the items of a list whose items name an operation.
    """

    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    nodes: Mapping[str, Given] = field(default_factory=dict)
    suggestions: Sequence[Given] = ()
    edits: Sequence[Given] = ()


def fill(schema: Schema, given: Given) -> Any:
    """Return a value of a schema's form (types, enum, const, anyOf, $ref, properties, items)."""
    return _Form(schema).fill(schema, given, ())


def offered(schema: Schema, name: str) -> list[str]:
    """Return the values that a form offers for the fields of a name, wherever they stand, in order."""
    return list(dict.fromkeys(_offered(schema, name)))


def asks_for(schema: Schema, name: str) -> bool:
    """Say whether a field of that name stands anywhere in a form."""
    return any(name in inner.get("properties", ()) for inner in _walk(schema))


class _Form:
    """One form, whose definitions its parts refer to."""

    def __init__(self, root: Schema) -> None:
        self._definitions = root.get("$defs", {})

    def fill(self, schema: Schema, given: Given, names: tuple[str, ...]) -> Any:
        """Fill one place; `names` are those of the fields that it stands in, innermost first."""
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return self._fill_one_of([self._resolved(option) for option in schema["anyOf"]], given, names)
        value = next((given.values[name] for name in names if name in given.values), _MISSING)
        if "const" in schema or "enum" in schema:
            choices = schema.get("enum", [schema.get("const")])
            return next((found for found in (value, given.text) if found in choices), choices[0])
        match schema.get("type"):
            case "object" if "properties" in schema:
                return {
                    name: self.fill(inner, given.nodes.get(name, given), (name, *names))
                    for name, inner in schema["properties"].items()
                }
            case "object":
                inner = schema.get("additionalProperties") or {}
                return {name: self.fill(inner, own, names) for name, own in given.nodes.items()}
            case "array":
                return self._fill_list(self._resolved(schema.get("items", {})), given, names)
            case "boolean":
                return value is True
            case "number" | "integer":
                return schema.get("minimum", 0) if value is _MISSING or value is None else value
            case "null":
                return None
            case _:
                return given.text if value is _MISSING else value or ""

    def _fill_one_of(self, options: list[Schema], given: Given, names: tuple[str, ...]) -> Any:
        forms = [option for option in options if option.get("type") != "null"]
        if len(forms) < len(options) and not any(given.values.get(name) for name in names):
            return None
        wanted = given.values.get("op")
        return self.fill(next((form for form in forms if wanted in offered(form, "op")), forms[0]), given, names)

    def _fill_list(self, item: Schema, given: Given, names: tuple[str, ...]) -> list[Any]:
        fields = {name for option in item.get("anyOf", [item]) for name in self._resolved(option).get("properties", ())}
        if "op" in fields:
            items: Sequence[Given] = given.edits
        elif fields & {"parameter", "path"}:
            items = given.suggestions
        else:
            items = list(given.nodes.values()) if "node" in fields else ()
        return [self.fill(item, own, names) for own in items]

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self._definitions[schema["$ref"].rpartition("/")[2]]
        return schema


_MISSING = object()


def _offered(schema: Schema, name: str) -> Iterator[str]:
    for inner in _walk(schema):
        if name in inner.get("properties", ()):
            for found in _walk(inner["properties"][name]):
                yield from found.get("enum", [found["const"]] if "const" in found else [])


def _walk(schema: Any) -> Iterator[Schema]:
    """Yield every part of a schema."""
    if isinstance(schema, Mapping):
        yield schema
        for inner in schema.values():
            yield from _walk(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _walk(inner)
