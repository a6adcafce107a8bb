"""What the lint checks inside a node or tool: parameters, fields, labels, examples, arguments, code."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from agentsym.errors import Problem
from agentsym.network.dataflow import writes
from agentsym.network.nodes import AgentNode, AnyNode, FunctionNode, PromptNode, Tool, ToolNode
from agentsym.network.parameters import GROUPS, Choices, Code, Examples, Number, Option, Parameter, Rules, Text
from agentsym.network.skills import SKILL_NAME

_KINDS: dict[str, type[Parameter]] = {
    "instructions": Text,
    "rules": Rules,
    "examples": Examples,
    "model": Option,
    "temperature": Number,
}
_GROUPS: dict[str, type[Parameter]] = dict(zip(GROUPS, (Choices, Text, Text), strict=True))
_NEEDED = ("instructions", "rules", "examples")


def check_node(node: AnyNode, tools: set[str]) -> Iterator[Problem]:
    """Yield what is wrong inside a node; `tools` are the names of the tools that prompt nodes may use."""
    fields = Counter([field.name for field in node.output])
    for name, count in fields.items():
        if count > 1:
            yield Problem("duplicate_field", node.id, f"it writes {name!r} {count} times; keep one")
    if isinstance(node, ToolNode | FunctionNode):
        for field in node.output:
            if field.type == "choice":
                message = f"{field.name!r}: only prompt nodes have choice fields; use the type string"
                yield Problem("no_labels", node.id, message)
    match node:
        case PromptNode():
            yield from _check_parameters(node.weights(), node.id)
            yield from _check_prompt(node, tools)
        case ToolNode():
            yield from check_tool(node.tool, node.id)
            yield from _check_call(node)
        case FunctionNode():
            yield from _check_parameters(node.weights(), node.id)
            yield from _check_keywords(node.weights(), node.inputs, node.id)
        case AgentNode():
            yield from _check_agent(node)


def check_tool(tool: Tool, where: str) -> Iterator[Problem]:
    """Yield what is wrong with a tool: its parameters, its code, or the code's signature."""
    yield from _check_parameters(tool.parameters, where)
    code = tool.parameters.get("code")
    if (code is None) == (tool.code_ref is None):
        message = "a tool has either code_ref (the user's code) or a code parameter (learned code)"
        yield Problem("no_code", where, message)
    if code is not None and not isinstance(code, Code):
        yield Problem("wrong_kind", f"{where}/code", f"it must be a code parameter, it is a {code.kind}")
    if "description" in tool.parameters and not isinstance(tool.parameters["description"], Text):
        yield Problem("wrong_kind", f"{where}/description", "a tool's description must be a text")
    arguments = tuple(field.name for field in tool.arguments)
    weights = {name: p for name, p in tool.parameters.items() if name not in ("code", "description")}
    yield from _check_keywords(weights, arguments, where)
    if isinstance(code, Code) and not list(code.problems()):
        yield from _check_signature(code, tool, {*arguments, *weights}, f"{where}/code")


def _check_parameters(parameters: Mapping[str, Parameter], where: str) -> Iterator[Problem]:
    for name, parameter in parameters.items():
        for problem in parameter.problems():
            yield Problem("limit", f"{where}/{name}", problem)


def _check_prompt(node: PromptNode, tools: set[str]) -> Iterator[Problem]:
    for name in _NEEDED:
        if name not in node.parameters:
            yield Problem("unknown_parameter", node.id, f"a prompt node needs the parameter {name!r}; leave it empty")
    fields = {field.name for field in node.output}
    choice_fields = {field.name for field in node.output if field.type == "choice"}
    for name, parameter in node.parameters.items():
        group, _, member = name.partition("/")
        kind = _GROUPS.get(group) if member else _KINDS.get(name)
        if kind is None:
            known = ", ".join((*_KINDS, "choices/FIELD", "fields/FIELD and skills/NAME"))
            message = f"a prompt node has no parameter {name!r}; it has {known}"
            yield Problem("unknown_parameter", node.id, message)
        elif not isinstance(parameter, kind):
            message = f"it must be a {kind.__name__}, it is a {type(parameter).__name__}"
            yield Problem("wrong_kind", f"{node.id}/{name}", message)
        if group == "fields" and member not in fields:
            message = "there is no field of this name in the node's output; drop the description or add the field"
            yield Problem("unknown_parameter", f"{node.id}/{name}", message)
        if group == "skills" and not re.fullmatch(SKILL_NAME, member):
            yield Problem("unknown_parameter", f"{node.id}/{name}", "a skill's name has letters, digits, - and _")
        if group == "choices" and member not in choice_fields:
            message = "there is no choice field of this name in the node's output; drop the labels or add the field"
            yield Problem("unknown_parameter", f"{node.id}/{name}", message)
    for name in sorted(choice_fields):
        if f"choices/{name}" not in node.parameters:
            message = f"the choice field {name!r} has no labels; write Choice([...]) for it"
            yield Problem("no_labels", node.id, message)
    model = node.parameters.get("model")
    if isinstance(model, Option) and (not model.value or any(name.isspace() for name in model.value)):
        yield Problem("unknown_model", f"{node.id}/model", f"{model.value!r} is no model string; write provider/model")
    for tool, count in Counter(node.tools).items():
        if tool not in tools:
            known = ", ".join(sorted(tools)) or "none"
            yield Problem("unknown_tool", node.id, f"the agent has no tool {tool!r}; it has {known}; create_tool first")
        if count > 1:
            yield Problem("duplicate_id", node.id, f"tool {tool!r} stands {count} times; keep one")
    yield from _check_examples(node)


def _check_examples(node: PromptNode) -> Iterator[Problem]:
    """Check that examples answer with the node's fields and labels, and count them per label."""
    examples = node.parameters.get("examples")
    if not isinstance(examples, Examples):
        return
    where = f"{node.id}/examples"
    known = writes(node)
    choices = {
        name.removeprefix("choices/"): parameter
        for name, parameter in node.parameters.items()
        if name.startswith("choices/") and isinstance(parameter, Choices)
    }
    for example in examples.value:
        if unknown := sorted(example.output.keys() - known):
            message = f"example {example.id}: the node writes no {', '.join(unknown)}"
            yield Problem("unknown_field", where, f"{message}; it writes {', '.join(sorted(known))}")
        for name, parameter in choices.items():
            if name in example.output and example.output[name] not in parameter.labels:
                message = f"example {example.id}: {example.output[name]!r} is no label of {name!r}"
                yield Problem("unknown_label", where, f"{message}; there are {', '.join(parameter.labels)}")
    counted = Counter(
        (name, repr(example.output.get(name))) for example in examples.value for name in (list(choices) or [""])
    )
    for (name, label), count in counted.items():
        if count > examples.max_per_label:
            served = f"{name} {label}" if name else "the node"
            yield Problem(
                "too_many_examples", where, f"{count} examples for {served}, at most {examples.max_per_label}"
            )


def _check_call(node: ToolNode) -> Iterator[Problem]:
    """Check that a tool node hands its tool what the tool takes, and can take what it gives."""
    known = {field.name for field in node.tool.arguments}
    required = {field.name for field in node.tool.arguments if field.required}
    if missing := sorted(required - set(node.inputs)):
        message = f"the tool needs {', '.join(missing)}, which the node does not read; add it to inputs"
        yield Problem("missing_argument", node.id, message)
    if unknown := sorted(set(node.inputs) - known):
        message = f"the tool takes no {', '.join(unknown)}; it takes {', '.join(sorted(known)) or 'nothing'}"
        yield Problem("unknown_argument", node.id, message)
    if len(node.output) > 1 and node.tool.returns.type not in ("object", "any"):
        message = f"the tool returns one {node.tool.returns.type}, which cannot fill {len(node.output)} fields"
        yield Problem("wrong_output", node.id, message)


def _check_agent(node: AgentNode) -> Iterator[Problem]:
    """Check that an agent node reads and writes what its agent does."""
    wanted = {field.name for field in node.agent.inputs if field.required}
    taken = {field.name for field in node.agent.inputs}
    if not wanted <= set(node.inputs) <= taken:
        message = f"it must read its agent's inputs, {', '.join(sorted(taken)) or 'none'}"
        yield Problem("missing_argument", node.id, message)
    for inner in node.agent.nodes:
        if inner.id in GROUPS:
            message = f"{inner.id!r} stands in paths of parameters; inside an agent node call a node otherwise"
            yield Problem("reserved_id", f"{node.id}/{inner.id}", message)
    if not writes(node) <= set(node.agent.outputs):
        message = f"its agent only gives {', '.join(node.agent.outputs) or 'nothing'}"
        yield Problem("wrong_output", node.id, message)


def _check_keywords(weights: dict[str, Parameter], taken: tuple[str, ...], where: str) -> Iterator[Problem]:
    """Check that declared parameters can be handed over as keyword arguments beside the inputs."""
    for name in weights:
        if not name.isidentifier() or name in taken:
            message = "a declared parameter is a keyword argument: an identifier that no input has"
            yield Problem("unknown_parameter", f"{where}/{name}", message)


def _check_signature(code: Code, tool: Tool, given: set[str], where: str) -> Iterator[Problem]:
    """Check that learned code defines its function at the top and takes exactly what it is called with."""
    functions = [
        node for node in ast.parse(code.value).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    found = [function for function in functions if function.name == code.entry]
    if not found:
        yield Problem("bad_signature", where, f"it must define the function {code.entry!r} at the top level")
        return
    args = found[-1].args
    positional = [arg.arg for arg in args.args]
    needed = set(positional[: len(positional) - len(args.defaults)])
    needed |= {arg.arg for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default is None}
    takes = {*positional, *(arg.arg for arg in args.kwonlyargs)}
    surplus = set() if args.kwarg else given - takes
    optional = {field.name for field in tool.arguments if not field.required}
    if args.posonlyargs or surplus or needed - (given - optional):
        wanted = ", ".join(sorted(given)) or "nothing"
        yield Problem("bad_signature", where, f"{code.entry} must take {wanted} as keyword arguments, and need no more")
