"""Running a user's code: the tool of a tool node, a tool that a model calls, and the code of a function node.

Arguments are checked before the call and results after it, and both are copies, so that a mistake is reported where
it was made.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from agentsym.errors import NetworkError, NodeError, SandboxError
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.nodes import FunctionNode, ToolNode
from agentsym.network.parameters import Code, Number, Option, Parameter, Text
from agentsym.network.records import ToolCall
from agentsym.network.remote import RemoteRef
from agentsym.network.tool import Tool, signature_fields, source_fields
from agentsym.runtime.context import Context, Writes
from agentsym.runtime.recorder import Recorder, Scope, Visit
from agentsym.runtime.spans import tool_span
from agentsym.runtime.values import check_fields, pick, plain

if TYPE_CHECKING:
    from agentsym.runtime.sandbox.protocol import Sandbox

T = TypeVar("T")

_CONFIGURABLE = "configurable"


class ToolRunner:
    """Calls one tool: the user's own function in this process, one of an MCP server there, learned code in the sandbox.

    Raises:
        SandboxError: when the tool's code is learned, and there is no sandbox on this machine.
    """

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        code = tool.parameters.get("code")
        if isinstance(code, Code):
            from agentsym.runtime.sandbox.find import find_sandbox

            self._function: Callable[..., Awaitable[Any]] = partial(_learned, find_sandbox(), code, tool.timeout_s)
            takes = source_fields(code)
        else:
            function = _remote(tool, tool.code_ref) if isinstance(tool.code_ref, RemoteRef) else tool.function()
            self._function = partial(_own, function, tool)
            takes = {field.name: field for field in signature_fields(function)[0]}
        self._required = {field.name for field in tool.arguments if field.required}
        self._parameters = declared(tool.parameters, takes)
        self._returns = tool.returns.model_copy(update={"name": "result"})

    async def __call__(self, arguments: Mapping[str, Any], writes: Writes | None = None) -> Any:
        """Return the tool's result; what `writes` gives instead of one that writes.

        Raises:
            NodeError: when an argument or the result has a wrong type, the tool takes longer than its timeout, or
                learned code gives no result.
            SandboxError: when the sandbox breaks down.
        """
        self._check(arguments)
        if writes is not None and self.tool.effect == "write":
            result = await writes(self.tool.name, plain(dict(arguments)))
        else:
            result = await self._function({**plain(dict(arguments)), **self._parameters})
        result = plain(result, f"the result of tool {self.tool.name!r}")
        check_fields({"result": result}, [self._returns], f"tool {self.tool.name!r}: its")
        return result

    def _check(self, arguments: Mapping[str, Any]) -> None:
        known = {field.name for field in self.tool.arguments}
        if unknown := sorted(arguments.keys() - known):
            raise NodeError(
                f"tool {self.tool.name!r} takes no {', '.join(unknown)}; it takes {', '.join(sorted(known))}"
            )
        if missing := sorted(self._required - arguments.keys()):
            raise NodeError(f"tool {self.tool.name!r} needs {', '.join(missing)}, which nobody gives it")
        check_fields(arguments, self.tool.arguments, f"tool {self.tool.name!r}: argument")

    async def recorded(self, call_id: str, arguments: Mapping[str, Any], context: Context | None = None) -> ToolCall:
        """Call the tool for a model and return the call with its result, or with the error as text."""
        clock = asyncio.get_running_loop().time
        started = clock()
        made: dict[str, Any] = {"tool": self.tool.name, "id": call_id, "arguments": dict(arguments)}
        try:
            writes, telemetry = (context.writes, context.telemetry) if context else (None, None)
            with tool_span(telemetry, self.tool, arguments, call_id) as tell:
                made["result"] = await self(arguments, writes)
                tell(made["result"])
        except SandboxError:
            raise  # no fault of the model's, nor one that it could mend
        except Exception as error:
            made["error"] = str(error) if isinstance(error, NodeError) else f"{type(error).__name__}: {error}"
        return ToolCall(**made, seconds=clock() - started)

    def description(self) -> dict[str, Any]:
        """Return what a model is told of the tool: its name, description and the JSON schema of its arguments."""
        text, code = self.tool.parameters.get("description"), self.tool.code_ref
        schema = {
            "type": "object",
            "properties": {field.name: field.json_schema() for field in self.tool.arguments},
            "required": [field.name for field in self.tool.arguments if field.name in self._required],
            "additionalProperties": False,
        }
        return {
            "name": self.tool.name,
            "description": text.value if isinstance(text, Text) else "",
            "parameters": plain(code.input_schema) if isinstance(code, RemoteRef) else schema,
        }


class ToolWork:
    """What a tool node does: hand its inputs to the tool."""

    def __init__(self, node: ToolNode) -> None:
        self._node = node
        self._run = ToolRunner(node.tool)

    async def __call__(self, values: dict[str, Any], visit: Visit, scope: Scope) -> dict[str, Any]:
        """Return the node's output."""
        clock = asyncio.get_running_loop().time
        started = clock()
        kept: dict[str, Any] = {"tool": self._node.tool.name, "arguments": values}
        try:
            with tool_span(visit.context.telemetry, self._node.tool, values) as tell:
                result = await self._run(values, visit.context.writes)
                tell(result)
            kept["result"] = result
        except Exception as error:
            kept["error"] = f"{type(error).__name__}: {error}"
            raise
        finally:
            visit.tool_calls.append(ToolCall(**kept, seconds=clock() - started))
        return pick(result, self._node.output, f"tool {self._node.tool.name!r}")


class FunctionWork:
    """What a function node does: hand inputs and declared parameters to the user's function or runnable."""

    def __init__(self, node: FunctionNode) -> None:
        self._node = node
        self._target = node.target()
        self._method = next((name for name in ("ainvoke", "invoke") if hasattr(self._target, name)), "")
        if isinstance(self._target, Network):
            raise NetworkError(f"node {node.id!r} runs an agent; use AgentNode({node.id!r}, agent) for that")
        takes = None if self._method else {field.name: field for field in signature_fields(self._target)[0]}
        self._parameters = declared(node.parameters, takes)

    async def __call__(self, values: dict[str, Any], visit: Visit, scope: Scope) -> dict[str, Any]:
        """Return the node's output."""
        given = plain(values)
        if self._node.effect == "write" and visit.context.writes is not None:
            result = await visit.context.writes(self._node.id, given)
            return pick(result, self._node.output, f"what stands in for node {self._node.id!r}")
        if not self._method:
            result = await call(self._target, {**given, **self._parameters}, inline=False)
            return pick(result, self._node.output, f"function {self._node.code_ref.ref}")
        # Never the recorder itself: what the user's graph does inside is no step of this network.
        configurable = {
            **scope.config.get(_CONFIGURABLE, {}),
            "agentsym": Recorder(visit.context, record=False),
            **self._parameters,
        }
        config = {**scope.config, _CONFIGURABLE: configurable}
        result = await call(getattr(self._target, self._method), {"config": config}, False, given)
        return pick(result, self._node.output, self._node.code_ref.ref, exact=not isinstance(result, Mapping))


async def call(function: Callable[..., Any], arguments: Mapping[str, Any], inline: bool, *first: Any) -> Any:
    """Call a function, sync or async; a sync one in a worker thread unless `inline`."""
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
    if inline or is_async:
        result = function(*first, **arguments)
    else:
        result = await asyncio.to_thread(function, *first, **arguments)
    return await result if inspect.isawaitable(result) else result


def within(seconds: float | None, what: str, work: Awaitable[T]) -> Awaitable[T]:
    """Return what awaits something for at most `seconds`, or for as long as it takes.

    Raises:
        NodeError: when it takes longer. A sync function in its thread goes on all the same; its result is not used.
    """
    return work if seconds is None else _limited(seconds, what, work)


async def _limited(seconds: float, what: str, work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds) as timer:
            return await work
    except TimeoutError as error:
        if timer.expired():
            raise NodeError(f"{what} took longer than {seconds:g} seconds") from error
        raise


async def _own(function: Callable[..., Any], tool: Tool, arguments: dict[str, Any]) -> Any:
    return await within(tool.timeout_s, f"tool {tool.name!r}", call(function, arguments, tool.effect == "pure"))


def _remote(tool: Tool, ref: RemoteRef) -> Callable[..., Any]:
    from agentsym.runtime.mcp.remote import RemoteFunction

    return RemoteFunction(ref, may_repeat=tool.effect != "write")


async def _learned(sandbox: Sandbox, code: Code, timeout_s: float, arguments: dict[str, Any]) -> Any:
    return await sandbox.call(code.value, code.entry, arguments, timeout_s=timeout_s)


def declared(parameters: Mapping[str, Parameter], takes: Mapping[str, Field] | None) -> dict[str, Any]:
    """Return the values of declared parameters by name; a number whose argument is an `int` is rounded to one.

    Args:
        parameters: name → parameter.
        takes: the arguments of the function that they are for; None hands them all on, as a graph's configuration.
    """
    values: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if takes is not None and name not in takes:
            continue  # the description of a tool, or its code
        if takes is not None and isinstance(parameter, Number) and takes[name].type == "integer":
            values[name] = round(parameter.value)
        elif isinstance(parameter, Number | Text | Option):
            values[name] = parameter.value
        elif not isinstance(parameter, Code):
            values[name] = parameter.content
    return values
