"""JSON-like values: the only ones that may travel between nodes, and how they are copied and checked.

Whatever goes to a user's code or comes from it passes through here, so neither side can change what the other holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from agentsym.errors import NodeError
from agentsym.network.fields import Field

_WHOLE = (str, int, float, bool, type(None))


def plain(value: Any, where: str = "the value") -> Any:
    """Return a deep copy made of dict, list, str, int, float, bool and None only.

    Raises:
        NodeError: when something in it is none of these (pydantic models are turned into dictionaries).
    """
    kind = type(value)
    if kind in _WHOLE:
        return value
    if kind is list or kind is tuple:
        return [plain(item, where) for item in value]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise NodeError(f"{where} has the key {key!r}; keys must be strings, as in JSON")
        return {str(key): plain(item, where) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, where) for item in value]
    for base in (str, bool, int, float):
        if isinstance(value, base):
            return base(value)
    raise NodeError(
        f"{where} is a {kind.__module__}.{kind.__qualname__}; only JSON values (str, int, float, bool, None, list, "
        "dict) can travel between nodes, so convert it first"
    )


def shown(value: Any) -> str:
    """Write a value for an error message, shortened, with its type."""
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


def check_fields(values: Mapping[str, Any], fields: Iterable[Field], what: str) -> None:
    """Check values against the fields of their names; fields without a value are left out.

    Raises:
        NodeError: at the first value of a wrong type; names the field, the type expected and the value.
    """
    for field in fields:
        if field.type != "any" and field.name in values and not field.accepts(values[field.name]):
            kind = "one of its labels" if field.type == "choice" else f"of type {field.type}"
            raise NodeError(f"{what} {field.name!r} must be {kind}, got {shown(values[field.name])}")


def pick(result: Any, fields: tuple[Field, ...], what: str, *, exact: bool = True) -> dict[str, Any]:
    """Turn the result of a user's code into field → value, copied and checked.

    Args:
        result: the value itself for one field; for several, a mapping with one item a field.
        fields: the node's output fields.
        what: who returned it, for error messages.
        exact: False takes the fields out of a larger mapping, also where there is only one field.

    Raises:
        NodeError: when a field is missing, unknown, or of another type.
    """
    if not fields:
        return {}
    if len(fields) == 1 and exact:
        found = {fields[0].name: result}
    else:
        names = {field.name for field in fields}
        if not isinstance(result, Mapping):
            raise NodeError(f"{what} must return a dictionary with {_listed(names)}, it returned {shown(result)}")
        if missing := names - result.keys():
            raise NodeError(f"{what} returned a dictionary without {_listed(missing)}")
        if exact and (extra := result.keys() - names):
            raise NodeError(f"{what} returned {_listed(extra)}, which is no output of the node")
        found = {name: result[name] for name in (field.name for field in fields)}
    made: dict[str, Any] = plain(found, f"what {what} returned")
    check_fields(made, fields, f"{what}: output")
    return made


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(sorted(map(str, names)))
