"""The spans of a run: one for the agent, one for each visit of a node, and one for each call of a tool.

Each is the current span while its work is done, so the calls of models, of the user's own code (in its worker thread
too) and of agents inside nest under it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langgraph.errors import GraphBubbleUp

from agentsym.models.secrets import scrub, scrubbed_json
from agentsym.network.network import Network
from agentsym.network.records import Trajectory
from agentsym.network.tool import Tool
from agentsym.telemetry import names
from agentsym.telemetry.telemetry import Attributes, Telemetry

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from agentsym.network.nodes import AnyNode
    from agentsym.runtime.recorder import Visit


@contextmanager
def agent_span(telemetry: Telemetry, network: Network, inputs: Mapping[str, Any]) -> Iterator[Span]:
    """Make the span of a run of an agent."""
    with telemetry.span(_name(network), _agent(network), passing=(GraphBubbleUp,)) as span:
        _keep(telemetry, span, names.INPUT_MESSAGES, "user", inputs)
        yield span


def end_agent(telemetry: Telemetry, span: Span, run: Trajectory, error: BaseException | None) -> None:
    """Write into an agent's span how the run ended."""
    span.set_attributes({names.TRAJECTORY_ID: run.id, names.STATUS: run.status})
    if run.example_id:
        span.set_attribute(names.EXAMPLE_ID, run.example_id)
    if error is not None:
        fail(telemetry, span, error)
    else:
        keep_output(telemetry, span, run.output)


def keep_output(telemetry: Telemetry, span: Span, output: Mapping[str, Any]) -> None:
    """Write an agent's output into its span, where content is captured."""
    _keep(telemetry, span, names.OUTPUT_MESSAGES, "assistant", output)


def agent_stream(
    telemetry: Telemetry, network: Network, updates: AsyncGenerator[Any, None]
) -> AsyncGenerator[Any, None]:
    """Hand out what happens in a run, inside of the agent's span."""
    return telemetry.stream(_name(network), _agent(network), updates)


@contextmanager
def node_span(telemetry: Telemetry, node: AnyNode, visit: Visit) -> Iterator[Span]:
    """Make the span of one visit of a node."""
    known = {names.NODE: visit.node, names.NODE_KIND: node.kind, names.SUPER_STEP: visit.place[-2]}
    with telemetry.span(f"node {node.id}", known, passing=(GraphBubbleUp,)) as span:
        yield span


@contextmanager
def tool_span(
    telemetry: Telemetry | None, tool: Tool, arguments: Mapping[str, Any], call_id: str = ""
) -> Iterator[Callable[[Any], None]]:
    """Make the span of a tool's call; what it yields is told the result."""
    if telemetry is None:
        yield lambda result: None
        return
    known = {names.OPERATION: names.EXECUTE_TOOL, names.TOOL_NAME: tool.name, names.TOOL_TYPE: "function"}
    if call_id:
        known[names.TOOL_CALL_ID] = call_id
    with telemetry.span(f"{names.EXECUTE_TOOL} {tool.name}", known) as span:
        captured = telemetry.capture_content and span.is_recording()
        if captured:
            span.set_attribute(names.TOOL_ARGUMENTS, scrubbed_json(arguments))
        yield lambda result: span.set_attribute(names.TOOL_RESULT, scrubbed_json(result)) if captured else None


def fail(telemetry: Telemetry, span: Span, error: BaseException) -> None:
    """Say that what a span tells of has failed, and why, where content is captured."""
    telemetry.fail(span, error, scrub(str(error)) if telemetry.capture_content else None)


def _name(network: Network) -> str:
    return f"{names.INVOKE_AGENT} {network.name}"


def _agent(network: Network) -> Attributes:
    known = {
        names.OPERATION: names.INVOKE_AGENT,
        names.AGENT_NAME: network.name,
        names.AGENT_VERSION: network.version,
    }
    return {**known, names.AGENT_DESCRIPTION: network.description} if network.description else known


def _keep(telemetry: Telemetry, span: Span, name: str, role: str, values: Mapping[str, Any]) -> None:
    """Write fields into a span as one message, whose text is a JSON object."""
    if telemetry.capture_content and span.is_recording():
        part = {"type": "text", "content": scrubbed_json(values)}
        span.set_attribute(name, json.dumps([{"role": role, "parts": [part]}], ensure_ascii=False))
