"""The two questions about a node's tools: what is to be done about them, and the doing.

The first one offers only operations that this node's tools allow, and the second one is a prompt of its own for each
operation (paper, section 3.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentsym.learning.merge import MergedGradient, merge
from agentsym.learning.tasks import ToolDecision, ToolOperation, ToolTask
from agentsym.learning.teacher import tool_views, views
from agentsym.learning.teacher.operations import component_operations, described
from agentsym.learning.teacher.prompt_files import blocks
from agentsym.learning.teacher.replies import Form, edits_reply, make_form, one_of, told_apart
from agentsym.learning.teacher.requests import listed, messages, section
from agentsym.learning.teacher.structural import create_tool, removable, removals
from agentsym.network.canonical import Frozen
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Code
from agentsym.network.records import Message


def decisions_at(network: Network, node: str) -> dict[ToolOperation, tuple[str, ...]]:
    """Return what can be done about the tools of a node, beside nothing: operation → the tools it can be done to."""
    found: dict[ToolOperation, tuple[str, ...]] = {}
    operations: tuple[ToolOperation, ...] = ("improve", "rewrite")
    for operation in operations:
        decisions = (ToolDecision(operation=operation, target=path) for path in tool_views.targets(network, node))
        found[operation] = tuple(item.target for item in decisions if paths_of(network, node, item))
    if network.structure.learnable and "/" not in node and isinstance(network.node(node), PromptNode):
        found["create"] = ("",)
        found["delete"] = tuple(removable(network, node))
    return {operation: targets for operation, targets in found.items() if targets}


def paths_of(network: Network, node: str, decision: ToolDecision) -> tuple[str, ...]:
    """Return the components of its tool that a decision is to change: the code, or all others.

    The description of a tool node's own tool is not among them: no model reads it.
    """
    unread = f"{node}/description"
    return tuple(
        path
        for path, item in network.parameters().items()
        if decision.target and path.startswith(f"{decision.target}/") and item.learnable and path != unread
        if isinstance(item, Code) == (decision.operation == "rewrite")
    )


def decision_form(task: ToolTask) -> Form:
    """Return the form of a decision."""
    options = [make_form("None", Frozen, operation=one_of(["none"]), reason=str)]
    for operation, targets in decisions_at(task.network, task.node).items():
        place = {} if operation == "create" else {"target": one_of(targets)}
        options.append(make_form(operation.title(), Frozen, operation=one_of([operation]), **place, reason=str))
    return make_form("DecisionReply", Frozen, analysis=str, decision=told_apart(options, "operation"))


def decision_of(reply: Any) -> ToolDecision:
    """Turn an answer in that form into the decision."""
    said = reply.decision
    return ToolDecision(operation=said.operation, target=getattr(said, "target", ""), reason=said.reason)


def decision_messages(task: ToolTask, *, prompts: Path | None = None) -> tuple[Message, ...]:
    """Render the question what is to be done about the tools of a node."""
    parts = blocks("tool_decision", prompts)
    network = task.network
    shown = tool_views.targets(network, task.node)
    operations = ["none", *decisions_at(network, task.node)]
    return messages(
        parts,
        {
            "operations": "\n".join(parts[f"operation: {operation}"] for operation in operations),
            "agent": views.agent(network),
            "node": views.node(network, task.node),
            "tools": tool_views.tools(shown.items()) or parts["no tools"],
            "others": section(parts, "others", tool_views.others(network, shown)),
            "findings": _findings(task),
            "calls": section(parts, "calls", _calls(task, shown)),
            "history": section(parts, "history", listed("history", map(str, task.history))),
            "errors": section(parts, "errors", listed("errors", task.errors)),
        },
    )


def change_form(task: ToolTask, decision: ToolDecision) -> Form:
    """Return the form of the edits that carry a decision out."""
    match decision.operation:
        case "create":
            options = [create_tool([task.node])]
        case "delete":
            options = removals(task.network, task.node, decision.target)
        case _:
            options = component_operations(task.network, paths_of(task.network, task.node, decision))
    return edits_reply(options)


def change_messages(task: ToolTask, decision: ToolDecision, *, prompts: Path | None = None) -> tuple[Message, ...]:
    """Render the request for the edits that carry a decision out, by the prompt of its operation."""
    network, parts = task.network, blocks("tool_change", prompts)
    known = tool_views.targets(network, task.node)
    shown = {path: known[path] for path in known if not decision.target or path == decision.target}
    limits = [f"Learning rate {task.lr:.2g}: {views.phrase(task.lr)}", *task.limits]
    return messages(
        parts,
        {
            "task": parts[f"task: {decision.operation}"],
            "operations": views.bullets(described(change_form(task, decision))),
            "agent": views.agent(network),
            "node": views.node(network, task.node),
            "tools": tool_views.tools(shown.items()) or parts["no tools"],
            "others": section(parts, "others", tool_views.others(network, shown)),
            "reason": views.quoted("reason", decision.reason),
            "findings": _findings(task),
            "calls": section(parts, "calls", _calls(task, shown)),
            "limits": views.bullets(limits),
            "history": section(parts, "history", listed("history", map(str, task.history))),
            "errors": section(parts, "errors", listed("errors", task.errors)),
        },
    )


def _findings(task: ToolTask) -> str:
    merged = merge(task.evidence).get(task.node, MergedGradient(node=task.node))
    return f"{views.summary(merged)}\n{tool_views.findings(merged)}"


def _calls(task: ToolTask, shown: Iterable[str]) -> str:
    listed = (tool_views.calls(task.network, task.evidence, task.node, path) for path in shown)
    return "\n".join(text for text in listed if text)
