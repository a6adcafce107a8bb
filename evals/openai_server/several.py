"""A request about several runs, taken apart: a brain asks its teacher's double about each of them.

What is common to all runs stands before the first of them, under headings `# Run N`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

_RUN = re.compile(r"^# Run (\d+)$", re.MULTILINE)


def each(schema: Schema, text: str, answer: Callable[[Schema, str], Any]) -> Any:
    """Return what a double answers: to a request about several runs a list of them, to any other its own answer."""
    item = _resolved(schema, schema.get("properties", {}).get("runs", {}).get("items", {}))
    if "run" not in item.get("properties", ()):
        return answer(schema, text)
    inner = {name: form for name, form in item["properties"].items() if name != "run"}
    one = {"type": "object", "properties": inner, "$defs": schema.get("$defs", {})}
    head, *runs = _RUN.split(text)
    return {
        "runs": [
            {"run": int(number), **answer(one, f"{head}# The run{run}")}
            for number, run in zip(runs[::2], runs[1::2], strict=True)
        ]
    }


def _resolved(schema: Schema, part: Schema) -> Schema:
    return schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
