"""What a tool of an MCP server returns, as plain data: its structured content, else its text.

The protocol wants an object at the top, so a server wraps any other result into one; that is undone here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentsym.network.fields import Field, FieldType

if TYPE_CHECKING:
    import mcp_types as types

_TYPES: dict[str, FieldType] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "array": "list",
    "object": "object",
}


def field_type(schema: Any) -> FieldType:
    """Return the type of a field with a JSON schema; what may be several things is `any`."""
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return _TYPES.get(kind, "any") if isinstance(kind, str) else "any"


def result_field(schema: Mapping[str, Any] | None) -> Field:
    """Return the field of a result whose schema a server has given, if it has."""
    inner = _only_property(schema)
    return Field(name="result", type=field_type((schema or {}).get("properties", {})[inner] if inner else schema))


def value_of(result: types.CallToolResult, schema: Mapping[str, Any] | None) -> Any:
    """Return the value of a result.

    An object that has one property only, by its schema, stands for that. Without structured content the value is the
    text, or what it says if it is a JSON object or list; images and the like come as dictionaries in a list.
    """
    content = result.structured_content
    if content is not None:
        inner = _only_property(schema)
        return content[inner] if inner and isinstance(content, Mapping) and inner in content else content
    if all(block.type == "text" for block in result.content):
        text = text_of(result)
        try:
            read = json.loads(text)
        except ValueError:
            return text
        return read if isinstance(read, dict | list) else text
    return [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]


def text_of(result: types.CallToolResult) -> str:
    """Return the text of a result."""
    return "\n".join(block.text for block in result.content if block.type == "text")


def _only_property(schema: Mapping[str, Any] | None) -> str | None:
    """Return the one property that an object has and always has."""
    properties = (schema or {}).get("properties")
    if not isinstance(properties, Mapping) or len(properties) != 1:
        return None
    (name,) = properties
    return name if name in (schema or {}).get("required", ()) else None
