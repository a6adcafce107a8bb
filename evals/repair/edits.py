"""Edits as a form wants them: the operation that it has for a purpose, and every field that it asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evals.peers.forms import Schema
from evals.repair.rewrites import drawn

_ADD = ("add_rule", "add", "add_item")


def edit(schema: Schema, ops: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an edit in the first of several operations that a form has for these values.

    Args:
        schema: the form.
        ops: names of the operation, as different forms call it.
        values: field → value; what the operation has no field for is left out, what is not given is null.

    Returns:
        The edit, or None where the form has no such operation, or it cannot take one of the values.
    """
    for op in ops:
        for option in _options(schema):
            fields = option.get("properties", {})
            if op in _allowed(fields.get("op", {})) and all(_takes(fields[name], values.get(name)) for name in fields):
                return {name: op if name == "op" else values.get(name) for name in fields}
    return None


def new_rule(schema: Schema, text: str, path: str, known: Sequence[str], draw: str) -> dict[str, Any] | None:
    """Add to some rules one that the request does not show, drawn by the request's hash; None where none is left.

    Args:
        schema: the form.
        text: all that the request says.
        path: the rules.
        known: what might be told to the node.
        draw: tells apart independent answers to the same request.
    """
    left = [rule for rule in known if rule not in text]
    if not left:
        return None
    return edit(schema, _ADD, {"path": path, "text": drawn(left, text + draw), "why": "It may be this."})


def _options(schema: Any) -> Iterator[Schema]:
    """Yield every object of a form that has a field `op`."""
    if isinstance(schema, Mapping):
        if "op" in schema.get("properties", {}):
            yield schema
        for inner in schema.values():
            yield from _options(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _options(inner)


def _takes(field: Schema, value: Any) -> bool:
    allowed = _allowed(field)
    return not allowed or value is None or not isinstance(value, str) or value in allowed


def _allowed(field: Schema) -> list[Any]:
    return list(field.get("enum", [field["const"]] if "const" in field else []))
