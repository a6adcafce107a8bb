"""Changes: the edits of many answers as one list, without doubles and without two that contradict each other.

A change is an `Update`: edits that are taken or dropped together, with the failures that they answer. Everything here
keeps the order of the answers, so the same answers always make the same candidate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TypeVar

from agentsym.errors import NetworkError
from agentsym.learning.merge import shorten
from agentsym.learning.protocols import Update
from agentsym.network.canonical import canonical_json
from agentsym.network.edits import (
    AddItem,
    AddNode,
    CreateTool,
    DropItem,
    Edit,
    ImproveTool,
    ReplaceItem,
    SetParameter,
    ValueEdit,
)
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Code, owner_of

N = TypeVar("N", bound=Network)
SHOWN = 300  # characters of an edit's text, where it is told
_OF_A_PATH = SetParameter | AddItem | DropItem | ReplaceItem


def as_changes(network: Network, node: str, edits: Sequence[Edit], groups: Sequence[str]) -> tuple[Update, ...]:
    """Part one answer into changes: each edit of a prompt or a number is one; code and structure belong together."""
    apart = [edit for edit in edits if isinstance(edit, ValueEdit) and not _is_code(network, edit)]
    whole = tuple(edit for edit in edits if edit not in apart)
    parts: list[tuple[Edit, ...]] = [(edit,) for edit in apart]
    return tuple(
        Update(parameter=target(own[0]) or node, status="committed", edits=own, groups=tuple(groups))
        for own in ([*parts, whole] if whole else parts)
    )


def merged(changes: Iterable[Update]) -> tuple[Update, ...]:
    """Join equal changes: one that answers several groups is for all of them."""
    distinct: dict[str, Update] = {}
    for change in changes:
        key = canonical_json([edit.model_dump(mode="json", exclude={"why"}) for edit in change.edits])
        known = distinct.get(key)
        groups = change.groups if known is None else tuple(dict.fromkeys((*known.groups, *change.groups)))
        distinct[key] = (known or change).model_copy(update={"groups": groups})
    return tuple(distinct.values())


def compatible(
    changes: Sequence[Update], which: Iterable[int], weight: Mapping[str, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Part changes into those that go together, and alternatives to some of them.

    Of changes of the same thing (a text, an item, a piece of code, the pipeline) the one for most rows comes first.

    Args:
        changes: all of them.
        which: numbers of those that are parted.
        weight: group → its number of rows.
    """
    heavy = sorted(which, key=lambda at: (-sum(weight.get(group, 0) for group in changes[at].groups), at))
    taken: set[str] = set()
    first: list[int] = []
    for at in heavy:
        if not places(changes[at]) & taken:
            first.append(at)
            taken |= places(changes[at])
    return tuple(sorted(first)), tuple(at for at in heavy if at not in first)


def places(change: Update) -> set[str]:
    """Return what only one change of a step can have: a value, an item, a tool's text, the pipeline; not additions."""
    return {place for edit in change.edits if (place := _place(edit))}


def applied(base: N, changes: Sequence[Update], which: Iterable[int]) -> tuple[N, tuple[int, ...]]:
    """Apply changes one after the other; returns the candidate and the numbers of those that could be applied."""
    candidate, done = base, []
    for at in which:
        try:
            candidate = candidate.apply(changes[at].edits)
        except NetworkError:
            continue
        done.append(at)
    return candidate, tuple(done)


def target(edit: Edit) -> str:
    """Return the parameter, node or tool that an edit is about."""
    for name in ("path", "tool", "node"):
        value = getattr(edit, name, None)
        if isinstance(value, str):
            return value
    inner = getattr(edit, "tool", None) or getattr(edit, "node", None)
    return str(getattr(inner, "name", None) or getattr(inner, "id", "structure"))


def node_of(change: Update) -> str:
    """Return the node (or the tool) that a change is about; inside an agent node `outer/inner`."""
    return owner_of(change.parameter) or change.parameter


def texts(change: Update) -> tuple[str, ...]:
    """Return the sentences that a change puts into prompts; worked examples are inputs by nature, and are left out."""
    found = (getattr(edit, "item", None) or getattr(edit, "value", None) for edit in change.edits)
    written = (item.get("text") if isinstance(item, Mapping) else item for item in found)
    return tuple(text for text in written if isinstance(text, str))


def told(change: Update, base: Network) -> str:
    """Say what a change does to a network, for those who must not propose it again."""
    return "; ".join(_told(edit, base) for edit in change.edits)


def _told(edit: Edit, base: Network) -> str:
    """Say what an edit does, under the name that its operation has for a language model."""
    kind = base.parameter(edit.path).kind if isinstance(edit, _OF_A_PATH) and edit.path in base.parameters() else ""
    match edit:
        case AddItem() | ReplaceItem():
            item = edit.item.get("text", edit.item) if isinstance(edit.item, Mapping) else edit.item
            text = item if isinstance(item, str) else canonical_json(item)
            return f"{_op(edit.op, kind)} {edit.path}: {shorten(text, SHOWN)}"
        case DropItem():
            return f"{_op(edit.op, kind)} {edit.path}: {edit.id}"
        case SetParameter():
            old = base.parameter(edit.path).content if kind else ""
            return f"{_op(edit.op, kind)} {edit.path}: {shorten(_difference(str(old), str(edit.value)), SHOWN)}"
        case AddNode(node=PromptNode() as node):
            text = node.parameters["instructions"].content
            place = edit.on_edge or edit.after or edit.before or "unconnected"
            reads, writes = ", ".join(node.inputs), ", ".join(field.name for field in node.output)
            return f"add_node {node.id} ({place}; reads {reads}, writes {writes}): {shorten(str(text), 2 * SHOWN)}"
        case CreateTool():
            return f"{edit.op} {edit.tool.name}"
        case _:
            return shorten(canonical_json(edit.model_dump(mode="json", exclude={"why"}, exclude_defaults=True)), SHOWN)


def _op(op: str, kind: str) -> str:
    if op == "set_parameter":
        return {"text": "set_text", "code": "rewrite_code"}.get(kind, f"set_{kind}")
    if kind == "choices":
        return "define_label"
    return f"{op.removesuffix('_item')}_{kind.removesuffix('s')}"


def _difference(old: str, new: str) -> str:
    """Say what changes between two texts: what goes, and what comes in its place; lines of code, words of others."""
    glue = "\n" if "\n" in old else " "
    before, after = old.split(glue), new.split(glue)
    said = []
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            gone, come = glue.join(before[a:b]), glue.join(after[c:d])
            both = f"“{gone}” becomes “{come}”"
            said.append(both if gone and come else f"“{come}” added" if come else f"“{gone}” removed")
    return "; ".join(said) if old else new


def _place(edit: Edit) -> str:
    match edit:
        case SetParameter():
            return edit.path
        case ReplaceItem() | DropItem():
            return f"{edit.path} {edit.id}"
        case ImproveTool():
            return f"{edit.tool} description"
        case AddItem():
            return ""
        case _:
            return "structure"


def _is_code(network: Network, edit: Edit) -> bool:
    if not isinstance(edit, SetParameter) or edit.path not in network.parameters():
        return False
    return isinstance(network.parameter(edit.path), Code)
