"""What learned code must pass before any example runs with it: its signature, and its tests in the sandbox.

A rollout costs model calls and a test costs none, so code that loops, hogs memory or fails its tests never gets as far
as a gate.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agentsym.errors import SandboxError
from agentsym.learning.backward import together
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, ToolNode
from agentsym.network.parameters import Code
from agentsym.network.tool import Tool
from agentsym.runtime.sandbox.find import find_sandbox
from agentsym.runtime.sandbox.protocol import USUAL, Limits

TESTS_S = 10.0  # seconds for all tests of one piece of code; the processor time has a limit of its own


class Argument(NamedTuple):
    """One argument of a function: its name, and whether it may be left out."""

    name: str
    optional: bool

    def __str__(self) -> str:
        return f"{self.name}=…" if self.optional else self.name


async def check_code(
    before: Network, after: Network, *, timeout_s: float = TESTS_S, limits: Limits = USUAL
) -> list[str]:
    """Return what is wrong with each piece of code that is new or was changed; code that stayed is not looked at.

    A rewrite keeps the arguments (names, order, which of them have defaults) and the tests of what it replaces. New
    code takes the arguments of its tool and brings at least one test. Both must pass their tests; code without any must
    at least load. Where no sandbox works, that is the problem, so nothing but code is lost by it.

    Args:
        before: the network that the edits were made for.
        after: the candidate.
        timeout_s: seconds for the tests of one piece of code.
        limits: what they may use.
    """
    known = dict(_coded(before))
    changed = [
        (path, tool, known.get(path))
        for path, tool in _coded(after)
        if path not in known or _code(known[path]) != _code(tool)
    ]
    found = await together([_checked(path, tool, old, timeout_s, limits) for path, tool, old in changed])
    return [f"{path}: {problem}" for (path, *_), problems in zip(changed, found, strict=True) for problem in problems]


async def _checked(path: str, tool: Tool, old: Tool | None, timeout_s: float, limits: Limits) -> list[str]:
    """Return the problems of one piece of code; what is wrong to look at is not run."""
    code = _code(tool)
    problems = list(_said(code, tool, old))
    if problems:
        return problems
    try:
        report = await find_sandbox().run_tests(code.value, code.tests, timeout_s=timeout_s, limits=limits)
    except SandboxError as error:
        return [str(error)]
    return [
        f"its test {test.name} fails" + (f" in line {test.line}" if test.line else "") + f": {test.message}"
        for test in report.failures
    ]


def _said(code: Code, tool: Tool, old: Tool | None) -> Iterator[str]:
    """Yield what can be told from the source: a changed signature, changed or missing tests."""
    given = arguments_of(code)
    if old is None:
        weights = [name for name in tool.parameters if name not in ("code", "description")]
        wanted = [*map(_argument, tool.arguments), *(item for item in given if item.name in weights)]
        if not any(name.startswith("test_") for name in _functions(code.tests)):
            yield "it has no test; give at least one function whose name begins with test_"
    else:
        wanted = arguments_of(_code(old))
        if code.tests != _code(old).tests:
            yield "its tests are not those of the code that it replaces; keep them"
    if given != wanted:
        asked, said = (", ".join(map(str, items)) or "nothing" for items in (wanted, given))
        yield f"{code.entry} must take ({asked}), it takes ({said}); keep names, order and defaults of the arguments"


def arguments_of(code: Code) -> list[Argument]:
    """Return the arguments of a legal agent's learned function, in their order."""
    args = _functions(code.value)[code.entry].args
    plain = [*args.posonlyargs, *args.args]
    needed = len(plain) - len(args.defaults)
    named = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    return [
        *(Argument(arg.arg, at >= needed) for at, arg in enumerate(plain)),
        *(Argument(arg.arg, default is not None) for arg, default in named),
        *(Argument(f"{stars}{arg.arg}", True) for stars, arg in (("*", args.vararg), ("**", args.kwarg)) if arg),
    ]


def _functions(source: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the functions at the top of a module, none where it is no Python; of equal names the last one counts."""
    try:
        body: Sequence[ast.stmt] = ast.parse(source).body
    except (SyntaxError, ValueError):
        return {}
    return {item.name: item for item in body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)}


def _argument(field: Field) -> Argument:
    return Argument(field.name, not field.required)


def _code(tool: Tool) -> Code:
    code = tool.parameters["code"]
    assert isinstance(code, Code)
    return code


def _coded(network: Network, prefix: str = "") -> Iterator[tuple[str, Tool]]:
    """Yield every tool whose code is learned, with the path of the code."""
    held = [(tool.name, tool) for tool in network.tools]
    held += [(node.id, node.tool) for node in network.nodes if isinstance(node, ToolNode)]
    yield from ((f"{prefix}{name}/code", tool) for name, tool in held if "code" in tool.parameters)
    for node in network.nodes:
        if isinstance(node, AgentNode):
            yield from _coded(node.agent, f"{prefix}{node.id}/")
