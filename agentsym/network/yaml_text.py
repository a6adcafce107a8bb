"""YAML as people like to read it: text in blocks, short things on one line, and no surprises when reading it.

Written files are quoted so that every YAML reader agrees; reading follows YAML 1.2, where `no` is a word and
`12:30` no number, and refuses keys that stand twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from agentsym.errors import UsageError

WIDTH = 110
_FLOW = 90  # characters up to which a mapping or list stands on one line
_PLAIN_TEXT = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]*")
_WORDS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}  # what YAML 1.2 reads as something else than text: pattern and first characters
_NO_TEXT = re.compile("|".join(f"(?:{pattern})" for pattern, _ in _WORDS.values()))


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block and short mappings and lists on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> Any:
        return super().represent_sequence(tag, sequence, flow_style=_is_short(sequence))

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> Any:
        return super().represent_mapping(tag, mapping, flow_style=_is_short(mapping))

    def represent_str(self, data: str) -> Any:
        style = None
        if not _PLAIN_TEXT.fullmatch(data) or "\t" in data or _NO_TEXT.fullmatch(data):
            style = '"'
        elif "\n" in data:
            style = "|"
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


class _Loader(yaml.SafeLoader):
    """Reads YAML 1.2's few implicit types, and no key twice."""

    yaml_implicit_resolvers: Any = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                mark = node.value[number][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", mark)
        return super().construct_mapping(node, deep)


for _tag, (_pattern, _first) in _WORDS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def write_yaml(data: Mapping[str, Any]) -> str:
    """Return plain data as YAML in block style, in the order of its keys."""
    return yaml.dump(
        dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=WIDTH
    )


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        UsageError: when it does not; the message names file and line.
    """
    try:
        data = yaml.load(file.read_text("utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{file}: this is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{file}: a mapping is expected, with name, nodes and edges")
    return data


def _is_short(value: Any) -> bool:
    """Say whether a mapping, or a list of words and numbers, reads well on one line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return len(text) <= _FLOW and "\\n" not in text and _has_short_lists(value)


def _has_short_lists(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_has_short_lists(item) for item in value.values())
    if isinstance(value, list | tuple):
        return not any(isinstance(item, Mapping | list | tuple) or " " in str(item) for item in value)
    return True
