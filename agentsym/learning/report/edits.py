"""An edit as a person reads it: what it is about, and what goes and what comes, line by line or word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

from agentsym.learning.merge import shorten
from agentsym.network.diff import Change, Diff
from agentsym.network.edits import (
    AddEdge,
    AddItem,
    AddNode,
    CreateTool,
    DropEdge,
    DropItem,
    Edit,
    ImproveTool,
    ReplaceItem,
    SetParameter,
)
from agentsym.network.network import END, START, Network
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Choices, Code, Examples, Parameter, Rules, Text
from agentsym.network.shown import shown

SHOWN = 700  # letters of a text that are shown
COMPARED = 6000  # letters of a text that are compared word by word
CODE = 4  # a text of so many lines is compared line by line
CONTEXT = 60  # letters of unchanged text around a change
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


class Piece(NamedTuple):
    """A part of a text: as it was, gone (`-`) or new (`+`)."""

    sign: Literal[" ", "-", "+"]
    text: str


class Line(NamedTuple):
    """One line of a diff: new (`+`), gone (`-`), or changed inside (`~`)."""

    sign: Literal["+", "-", "~"]
    pieces: tuple[Piece, ...]


class EditView(NamedTuple):
    """What an edit says: what it is about, its diff, and the teacher's reason."""

    about: str
    lines: tuple[Line, ...]
    why: str = ""


def view(edit: Edit, base: Network | None) -> EditView:
    """Return how an edit reads.

    Args:
        edit: the edit.
        base: the network that it was proposed for; None where it is not known.
    """
    return EditView(_about(edit), tuple(_lines(edit, base)), edit.why)


def changed(before: str, after: str) -> Line:
    """Compare two texts: word by word, lines of code line by line."""
    if max(len(before), len(after)) > COMPARED:
        before, after = shorten(before, COMPARED), shorten(after, COMPARED)
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if max(len(old), len(new)) < CODE:
        old, new = _WORDS.findall(before), _WORDS.findall(after)
    pieces: list[Piece] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[a:b]), "".join(new[c:d])
        if kind == "equal":
            pieces.append(Piece(" ", _around(gone)))
            continue
        pieces += [Piece("-", shorten(gone, SHOWN))] if gone else []
        pieces += [Piece("+", shorten(come, SHOWN))] if come else []
    return Line("~", tuple(pieces))


def learned(diff: Diff) -> list[EditView]:
    """Return the differences of two versions as edits read."""
    found = []
    for title, changes in (("agent", diff.agent), ("nodes", diff.nodes), ("edges", diff.edges), ("tools", diff.tools)):
        if changes:
            found.append(EditView(title, tuple(_of_change(change, named=True) for change in changes)))
    for parameter in sorted(diff.parameters, key=lambda change: change.path.endswith("/examples")):  # many, and long
        lines = [_of_change(change, named=change.what in ("order", "value")) for change in parameter.items]
        lines += [_of_unified(line) for line in parameter.text.splitlines()[2:] if not line.startswith("@@")]
        found.append(EditView(parameter.path, tuple(lines)))
    return found


def _about(edit: Edit) -> str:
    match edit:
        case SetParameter() | AddItem():
            return edit.path
        case DropItem():
            return f"{edit.path}: drop {edit.id}"
        case ReplaceItem():
            return f"{edit.path}: rewrite {edit.id}"
        case AddNode():
            place = f" after {edit.after}" if edit.after else f" before {edit.before}" if edit.before else ""
            place = f" between {_way(*edit.on_edge)}" if edit.on_edge else place
            return f"add node {edit.node.id}{place}"
        case AddEdge():
            return f"add edge {_way(edit.edge.source, edit.edge.target)}"
        case DropEdge():
            return f"drop edge {_way(edit.source, edit.target)}"
        case CreateTool():
            return f"create tool {edit.tool.name}"
        case _:
            place = getattr(edit, "node", getattr(edit, "tool", ""))
            return f"{edit.op.replace('_', ' ')} {place}".strip()


def _way(source: str, target: str) -> str:
    names = {START: "START", END: "END"}
    return f"{names.get(source, source)} → {names.get(target, target)}"


def _lines(edit: Edit, base: Network | None) -> Iterator[Line]:
    match edit:
        case SetParameter():
            old = _parameter(base, edit.path)
            if isinstance(old, Text | Code) and isinstance(edit.value, str):
                yield changed(old.value, edit.value)
                return
            if old is not None:
                yield _line("-", shown(old.content))
            yield _line("+", shown(edit.value))
        case AddItem():
            yield _line("+", _item(edit.item))
        case DropItem():
            yield _line("-", _known(_parameter(base, edit.path), edit.id) or edit.id)
        case ReplaceItem():
            old_item = _known(_parameter(base, edit.path), edit.id)
            yield changed(old_item, _item(edit.item)) if old_item else _line("+", _item(edit.item))
        case AddNode(node=PromptNode() as node):
            yield _line("+", f"reads {', '.join(node.inputs)}, writes {', '.join(field.name for field in node.output)}")
            yield _line("+", shown(node.parameters["instructions"].content))
        case CreateTool():
            for parameter in edit.tool.parameters.values():
                if isinstance(parameter, Text | Code):
                    yield _line("+", parameter.value)
        case ImproveTool():
            for said in (edit.description, *(f"{name}: {text}" for name, text in edit.argument_docs.items())):
                if said is not None:
                    yield _line("+", said)
        case _:
            details = edit.model_dump(mode="json", exclude={"why", "op"}, exclude_defaults=True)
            if set(details) - {"node", "tool", "source", "target"}:
                yield _line("+", shown(details))


def _of_change(change: Change, *, named: bool) -> Line:
    """Return a difference as a line; what has no name of its own to read goes without."""
    name = f"{change.what}: " if named else ""
    if change.before is None or change.after is None:
        sign: Literal["+", "-"] = "+" if change.before is None else "-"
        said = change.after if change.before is None else change.before
        return _line(sign, f"{name}{said}" if said else change.what)
    line = changed(change.before, change.after)
    label = name or (f"{change.what}: " if len(change.what) < 40 else "")
    return Line("~", (Piece(" ", label), *line.pieces))


def _of_unified(line: str) -> Line:
    """Return a line of a unified diff."""
    if line[:1] == "+":
        return _line("+", line[1:])
    return _line("-", line[1:]) if line[:1] == "-" else Line("~", (Piece(" ", line[1:]),))


def _line(sign: Literal["+", "-"], text: str) -> Line:
    return Line(sign, (Piece(sign, shorten(text, SHOWN)),))


def _parameter(base: Network | None, path: str) -> Parameter | None:
    return None if base is None else base.parameters().get(path)


def _known(parameter: Parameter | None, item_id: str) -> str:
    """Return an item of a parameter as text; "" where it is not there."""
    if not isinstance(parameter, Rules | Examples | Choices):
        return ""
    return next((_item(item.model_dump(mode="json")) for item in parameter.value if item.id == item_id), "")


def _item(item: Any) -> str:
    """Write a rule, a definition or a worked example."""
    if not isinstance(item, Mapping):
        return shown(item)
    if "input" in item or "output" in item:
        return f"{shown(item.get('input'))} ⇒ {shown(item.get('output'))}"
    return str(item.get("text", item.get("definition", ""))) or shown(item)


def _around(same: str) -> str:
    """Return a passage that did not change, without its middle where that is long."""
    return same if len(same) <= 3 * CONTEXT else f"{same[:CONTEXT]} […] {same[-CONTEXT:]}"
