"""What a language model gets to see of tools: what they take and do, their code and tests, and how they were called.

Code is never shortened, since it is rewritten as a whole; calls are, the worst ones first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentsym.learning.loss import PERFECT
from agentsym.learning.merge import MergedGradient, bounded, shorten
from agentsym.learning.protocols import Evidence
from agentsym.learning.teacher import views
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode, Tool, ToolNode
from agentsym.network.parameters import Code
from agentsym.network.records import Step, ToolCall

CALL_CHARS = 600
WRONG, RIGHT = 12, 6


def targets(network: Network, node: str) -> dict[str, Tool]:
    """Return the tools at a node by the path that their parameters begin with: its own, or those that it may call."""
    found, around = views.node_at(network, node)
    outer, slash, _ = node.rpartition("/")
    match found:
        case ToolNode():
            return {node: found.tool}
        case PromptNode():
            return {f"{outer}{slash}{name}": around.tool(name) for name in found.tools}
        case _:
            return {}


def tool(path: str, found: Tool) -> str:
    """Show one tool whole: what it takes and gives, its description, code and tests, its numbers and options."""
    arguments = [f"{_typed(field)}{f': {field.description}' if field.description else ''}" for field in found.arguments]
    takes = f"It takes\n{views.bullets(arguments)}" if arguments else "It takes nothing."
    parts = [f"`{path}` gives {found.returns.type}. {takes}"]
    for name, parameter in found.parameters.items():
        state = "" if parameter.learnable else " (read only)"
        own = f"{path}/{name}"
        parts.append(f"`{own}`{state}{views.bounds(parameter)}\n{views.quoted(own, views.value(parameter))}")
        if isinstance(parameter, Code) and parameter.tests:
            parts.append(f"Its tests, which stay as they are:\n{views.quoted(f'{own} tests', parameter.tests)}")
    return "\n".join(parts)


def tools(found: Iterable[tuple[str, Tool]]) -> str:
    """Show several tools whole."""
    return "\n\n".join(tool(path, item) for path, item in found)


def others(network: Network, shown: Iterable[str]) -> str:
    """List the agent's tools that are not among those shown, with what a model reads of them."""
    known = set(shown)
    listed = [
        f"`{item.name}` takes {', '.join(map(_typed, item.arguments)) or 'nothing'}: "
        + (views.line(item.parameters["description"].content) if "description" in item.parameters else "")
        for item in network.tools
        if item.name not in known
    ]
    return views.bullets(listed)


def calls(network: Network, evidence: Sequence[Evidence], node: str, path: str) -> str:
    """List calls of a tool with arguments and result or error, and the score of their run; the worst runs first.

    Args:
        network: the network.
        evidence: the batch.
        node: a node that has the tool.
        path: the tool's path; calls by other nodes of the same agent are listed too, where there can be any.
    """
    name, own = targets(network, node)[path].name, path == node
    made = [
        (item, step, call)
        for item in evidence
        for step in item.trajectory.steps
        if step.node == node or (not own and step.node.rpartition("/")[0] == node.rpartition("/")[0])
        for call in step.tool_calls
        if call.tool == name
    ]
    told = [(item.loss.score, item.row.id, _call(network, item, step, call)) for item, step, call in made]
    wrong = sorted(each for each in told if each[0] < PERFECT)
    right = sorted(each for each in told if each[0] >= PERFECT)
    lines = dict.fromkeys(text for *_, text in (*wrong[:WRONG], *right[:RIGHT]))
    return views.quoted(f"calls of {path}", views.bullets(lines)) if lines else ""


def findings(merged: MergedGradient) -> str:
    """List what critics said of a node: analysis and advice, with the score of the run and how often it was said."""
    listed = []
    for item in bounded(merged).items:
        often = f", said {item.multiplicity} times" if item.multiplicity > 1 else ""
        advice = [f"  advice for `{each.parameter}`: {views.line(each.advice)}" for each in item.suggestions]
        listed.append("\n".join([f"score {item.score:.2f}{often}: {views.line(item.analysis)}", *advice]))
    return views.quoted(f"findings {merged.node}", views.bullets(listed)) if listed else ""


def _call(network: Network, item: Evidence, step: Step, call: ToolCall) -> str:
    outcome = f"error: {call.error}" if call.error else views.line(call.result)
    wanted = [
        f"; expected {name}: {views.line(value)}" for name, value in views.wanted(network, step.node, item.loss).items()
    ]
    said = f"{call.tool} {views.line(call.arguments)} -> {outcome}{''.join(wanted)}"
    return f"score {item.loss.score:.2f}: {shorten(said, CALL_CHARS)}"


def _typed(field: Field) -> str:
    optional = "" if field.required else ", may be left out"
    return f"{field.name} ({field.type}{optional})"
