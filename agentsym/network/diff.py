"""What is different between two agents, as a person wants to read it: nodes, edges, tools, and every weight.

Rules, examples and definitions are compared by their ids, texts line by line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from agentsym.network.canonical import Frozen
from agentsym.network.mermaid import condition
from agentsym.network.network import Edge, Network
from agentsym.network.nodes import AgentNode, AnyNode, Tool
from agentsym.network.parameters import Choices, Code, Definition, Example, Examples, Parameter, Rule, Rules, Text
from agentsym.network.shown import shown


class Change(Frozen):
    """One thing that is different: `before` is None for what is new, `after` for what is gone."""

    what: str
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.what}" + (f": {self.after}" if self.after else "")
        if self.after is None:
            return f"- {self.what}" + (f": {self.before}" if self.before else "")
        return f"~ {self.what}: {self.before} → {self.after}"


class ParameterChange(Frozen):
    """How one parameter differs: `items` by id for lists and settings, `text` as a unified diff for texts and code."""

    path: str
    items: tuple[Change, ...] = ()
    text: str = ""

    def __str__(self) -> str:
        lines = [f"~ {self.path}", *(f"    {item}" for item in self.items)]
        return "\n".join([*lines, *(f"    {line}" for line in self.text.splitlines())])


class Diff(Frozen):
    """The differences from one agent to another.

    Attributes:
        agent: name, description, inputs, outputs.
        nodes: nodes added, removed, or changed in something else than a weight.
        edges: edges added and removed.
        tools: like nodes.
        parameters: the weights that both have and that differ.
    """

    agent: tuple[Change, ...] = ()
    nodes: tuple[Change, ...] = ()
    edges: tuple[Change, ...] = ()
    tools: tuple[Change, ...] = ()
    parameters: tuple[ParameterChange, ...] = ()

    def __bool__(self) -> bool:
        return any((self.agent, self.nodes, self.edges, self.tools, self.parameters))

    def text(self) -> str:
        """Return all differences as lines, one heading for each kind."""
        parts = (
            f"{title}\n" + "\n".join(f"  {line}" for change in changes for line in str(change).splitlines())
            for title, changes in (
                ("agent", self.agent),
                ("nodes", self.nodes),
                ("edges", self.edges),
                ("tools", self.tools),
                ("parameters", self.parameters),
            )
            if changes
        )
        return "\n".join(parts) or "no difference"


def diff(a: Network, b: Network) -> Diff:
    """Return what must change in `a` to become `b`; inner agents that both have are compared inside."""
    return _diff(a, b, "")


def _diff(a: Network, b: Network, prefix: str) -> Diff:
    old, new = ({node.id: node for node in network.nodes} for network in (a, b))
    agent = [*_attributes(a, b, f"{prefix}agent" if prefix else "agent", ("name", "description", "inputs", "outputs"))]
    nodes = [*_members(old, new, prefix)]
    edges = [*_edges(a, b, prefix)]
    tools = [*_members({t.name: t for t in a.tools}, {t.name: t for t in b.tools}, prefix)]
    parameters = [*_parameters(a, b, prefix)]
    for node_id in old.keys() & new.keys():
        before, after = old[node_id], new[node_id]
        if isinstance(before, AgentNode) and isinstance(after, AgentNode):
            inner = _diff(before.agent, after.agent, f"{prefix}{node_id}/")
            agent += inner.agent
            nodes += inner.nodes
            edges += inner.edges
            tools += inner.tools
            parameters += inner.parameters
    return Diff(
        agent=tuple(agent),
        nodes=tuple(nodes),
        edges=tuple(edges),
        tools=tuple(tools),
        parameters=tuple(sorted(parameters, key=lambda change: change.path)),
    )


def _members(old: dict[str, Any], new: dict[str, Any], prefix: str) -> Iterator[Change]:
    """Compare nodes or tools by name."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            shown = [_about(item) if item is not None else None for item in (before, after)]
            yield Change(what=f"{prefix}{name}", before=shown[0], after=shown[1])
        elif type(before) is not type(after):
            yield Change(what=f"{prefix}{name}", before=_about(before), after=_about(after))
        else:
            skipped = {"parameters", "id", "kind", "agent", "tool"}
            names = tuple(field for field in type(before).model_fields if field not in skipped)
            yield from _attributes(before, after, f"{prefix}{name}", names)
            if hasattr(before, "tool"):
                fields = tuple(field for field in Tool.model_fields if field != "parameters")
                yield from _attributes(before.tool, after.tool, f"{prefix}{name}.tool", fields)


def _about(item: AnyNode | Tool) -> str:
    kind = "tool" if isinstance(item, Tool) else f"{item.kind} node"
    about = item.parameters.get("description") if isinstance(item, Tool) else item.description
    text = about.value if isinstance(about, Text) else about
    return f"{kind}, {text}" if text else kind


def _attributes(before: Any, after: Any, what: str, names: tuple[str, ...]) -> Iterator[Change]:
    for name in names:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Change(what=f"{what}.{name}", before=_shown(old), after=_shown(new))


def _edges(a: Network, b: Network, prefix: str) -> Iterator[Change]:
    for edge in sorted((set(a.edges) | set(b.edges)) - (set(a.edges) & set(b.edges)), key=_edge):
        text = f"{prefix}{_edge(edge)}"
        gone = edge in a.edges
        yield Change(what=text, before="" if gone else None, after=None if gone else "")


def _edge(edge: Edge) -> str:
    text = f"{edge.source} → {edge.target}"
    text += f" if {condition(edge.when)}" if edge.when else ""
    return text + (f" (priority {edge.priority})" if edge.priority else "")


def _parameters(a: Network, b: Network, prefix: str) -> Iterator[ParameterChange]:
    """Compare the parameters that both have, those of inner agents left out."""
    inner = tuple(f"{node.id}/" for n in (a, b) for node in n.nodes if isinstance(node, AgentNode))
    old, new = a.parameters(), b.parameters()
    for path in old.keys() | new.keys():
        if path.startswith(inner):
            continue
        before, after = old.get(path), new.get(path)
        owner = path.split("/")[0]
        both = all(owner == "structure" or owner in {p.split("/")[0] for p in each} for each in (old, new))
        if both and before != after:
            yield _parameter(f"{prefix}{path}", before, after)


def _parameter(path: str, before: Parameter | None, after: Parameter | None) -> ParameterChange:
    if before is None or after is None or type(before) is not type(after):
        shown = [None if p is None else f"{p.kind} {_shown(p.content)}" for p in (before, after)]
        return ParameterChange(path=path, items=(Change(what="parameter", before=shown[0], after=shown[1]),))
    settings = tuple(name for name in type(before).model_fields if name not in ("kind", "value"))
    items = [*_attributes(before, after, "", settings)]
    items = [item.model_copy(update={"what": item.what.removeprefix(".")}) for item in items]
    if isinstance(before, Text | Code) and isinstance(after, Text | Code):
        lines = difflib.unified_diff(before.value.split("\n"), after.value.split("\n"), "before", "after", lineterm="")
        text = "\n".join(lines)
        return ParameterChange(path=path, items=tuple(items), text=text)
    if isinstance(before, Rules | Choices | Examples) and isinstance(after, Rules | Choices | Examples):
        old, new = ({item.id: _item(item) for item in p.value} for p in (before, after))
        for item_id in [*old, *(item_id for item_id in new if item_id not in old)]:
            if old.get(item_id) != new.get(item_id):
                items.append(Change(what=item_id, before=old.get(item_id), after=new.get(item_id)))
        kept = [[item_id for item_id in each if item_id in old and item_id in new] for each in (old, new)]
        if kept[0] != kept[1]:
            items.append(Change(what="order", before=", ".join(kept[0]), after=", ".join(kept[1])))
    elif before.content != after.content:
        items.append(Change(what="value", before=_shown(before.content), after=_shown(after.content)))
    return ParameterChange(path=path, items=tuple(items))


def _item(item: Rule | Example | Definition) -> str:
    if isinstance(item, Rule):
        return item.text
    if isinstance(item, Definition):
        return item.definition
    return f"{_shown(item.input)} ⇒ {_shown(item.output)}"


def _shown(value: Any) -> str:
    if isinstance(value, Frozen):
        value = value.model_dump(mode="json", exclude_defaults=True)
    elif isinstance(value, tuple) and any(isinstance(item, Frozen) for item in value):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return shown(value)
