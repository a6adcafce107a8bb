"""The four kinds of node: what can stand in a symbolic network.

A node says which fields it reads and writes and holds its weights by name in `parameters`; how it is run is
written in `runtime/`, so that a network stays plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field as Bounded
from pydantic import PrivateAttr, SerializeAsAny

from agentsym.network.canonical import Frozen, FrozenDict, Kinded
from agentsym.network.code import CodeRef, reference_to, resolve
from agentsym.network.fields import Choice, Described, Field, FieldName, FieldSpec, as_fields
from agentsym.network.parameters import Choices, Examples, Number, Option, Parameter, Rules, Text
from agentsym.network.skills import Skills, as_skills
from agentsym.network.template import variables
from agentsym.network.tool import NodeId, Parameters, Tool, as_tool, load_tool, signature_fields

if TYPE_CHECKING:
    from agentsym.network.network import Network

__all__ = [
    "AgentNode",
    "AnyNode",
    "FunctionNode",
    "Node",
    "NodeId",
    "Parameters",
    "PromptNode",
    "Tool",
    "ToolNode",
    "as_tool",
    "load_tool",
    "signature_fields",
]

OutputSpec = Mapping[str, FieldSpec] | Iterable[Any] | str


class Node(Kinded):
    """What all nodes share.

    Attributes:
        id: unique in the network.
        description: what the node is for, shown to whoever writes gradients and edits.
        inputs: the fields it reads.
        output: the fields it writes.
        join: `all` waits for every predecessor that runs, `any` runs once for each that arrives.
        max_visits: how often it may run in one example; a cycle ends there.
        timeout_s: seconds after which one visit is given up; None (for prompts and agents) leaves that to the models,
            each of which has a timeout of its own, so that waiting for a turn fails nobody.
        parameters: its weights by name.
    """

    id: NodeId
    description: str = ""
    inputs: tuple[FieldName, ...] = ()
    output: tuple[Field, ...] = ()
    join: Literal["any", "all"] = "any"
    max_visits: int = Bounded(default=1, ge=1)
    timeout_s: float | None = None
    parameters: Parameters = FrozenDict()

    def weights(self) -> dict[str, Parameter]:
        """Return every parameter by its path below the node."""
        return dict(self.parameters)

    def with_weight(self, name: str, parameter: Parameter) -> Self:
        """Return the node with one parameter replaced."""
        return self.model_copy(update={"parameters": FrozenDict({**self.parameters, name: parameter})})


class PromptNode(Node):
    """A model call. The prompt is made of sections: instructions, choices, rules, examples, and the inputs.

    Args:
        id: unique in the network.
        instructions: what the model is asked to do; `{{field}}` stands for an input.
        inputs: the fields it reads; those that the instructions show as `{{field}}` are added.
        output: the fields it writes: a mapping name → `str`, `int`, `float`, `bool`, `list`, `dict`, `Choice` or
            `Described`.
        rules: sentences that hold for all answers, or for the labels named in backticks.
        examples: worked examples, each `{"input": {...}, "output": {...}}`.
        skills: text files that the node knows by heart (Markdown files, or folders with a `SKILL.md`), or name → text.
        tools: functions or tools that the model may call.
        model: a model string that this node uses instead of the student, or an `Option`.
        temperature: a `Number`, or a plain number that is not learned; the model's default if left out.
    """

    kind: Literal["prompt"] = "prompt"
    tools: tuple[str, ...] = ()
    max_tool_rounds: int = 8
    _tools: tuple[Tool, ...] = PrivateAttr(default=())

    def __init__(
        self,
        id: str,
        instructions: Text | str = "",
        *,
        inputs: Iterable[str] = (),
        output: OutputSpec = (),
        rules: Rules | Iterable[str] = (),
        examples: Examples | Iterable[Mapping[str, Any]] = (),
        skills: Skills = (),
        tools: Iterable[str | Tool | Callable[..., Any]] = (),
        model: Option | str | None = None,
        temperature: Number | float | None = None,
        parameters: Mapping[str, Any] | None = None,
        **data: Any,
    ) -> None:
        if parameters is None:
            task = instructions
            if not isinstance(task, Text):
                task = Text(task, role="what the node is asked to do")
            parameters = _prompt_parameters(task, output, rules, examples, model, temperature)
            parameters |= {f"skills/{name}": text for name, text in as_skills(skills).items()}
            inputs = dict.fromkeys((*inputs, *variables(task.value)))
        held = tuple(item if isinstance(item, str | Tool) else as_tool(item) for item in tools)
        self._fill(
            id=id,
            inputs=tuple(inputs),
            output=as_fields(output),
            parameters=parameters,
            tools=tuple(item if isinstance(item, str) else item.name for item in held),
            **data,
        )
        self._tools = tuple(item for item in held if isinstance(item, Tool))

    def fields(self) -> tuple[Field, ...]:
        """Return the fields that it writes, each with its description, also where that is learned."""

        def described(field: Field) -> Field:
            learned = self.parameters.get(f"fields/{field.name}")
            return field.model_copy(update={"description": learned.value}) if isinstance(learned, Text) else field

        return tuple(described(field) for field in self.output)

    def skills(self) -> dict[str, str]:
        """Return name → text of the skills that it knows by heart."""
        found = {name.partition("/"): item for name, item in self.parameters.items() if isinstance(item, Text)}
        return {name: item.value for (group, _, name), item in found.items() if group == "skills"}

    def choices(self, field: str) -> Choices:
        """Return the labels and definitions of one choice field."""
        parameter = self.parameters[f"choices/{field}"]
        assert isinstance(parameter, Choices)
        return parameter


class ToolNode(Node):
    """Runs one tool; its parameters are the tool's.

    Args:
        id: unique in the network.
        run: the tool, or the function to make one from.
        inputs: the fields handed to the tool, by name; those of its signature by default.
        output: the one field that takes the result, or several if the tool returns a dictionary.
        parameters: declared weights of a plain function, as for `as_tool`; a `Tool` brings its own.
    """

    kind: Literal["tool"] = "tool"
    timeout_s: float | None = 60.0
    tool: Tool

    def __init__(
        self,
        id: str,
        run: Tool | Callable[..., Any] | None = None,
        *,
        inputs: Iterable[str] | None = None,
        output: OutputSpec = (),
        parameters: Mapping[str, Any] | None = None,
        tool: Any = None,
        **data: Any,
    ) -> None:
        held = tool if run is None else run
        if callable(held) and not isinstance(held, Tool):
            held = as_tool(held, **(parameters or {}))
        if isinstance(held, Tool):
            inputs = tuple(field.name for field in held.arguments) if inputs is None else inputs
            if isinstance(output, str):
                output = (held.returns.model_copy(update={"name": output}),)
        self._fill(id=id, tool=held, inputs=tuple(inputs or ()), output=as_fields(output), **data)

    def weights(self) -> dict[str, Parameter]:
        """Return the tool's parameters."""
        return dict(self.tool.parameters)

    def with_weight(self, name: str, parameter: Parameter) -> Self:
        """Return the node with one parameter of its tool replaced."""
        weights = FrozenDict({**self.tool.parameters, name: parameter})
        return self.model_copy(update={"tool": self.tool.model_copy(update={"parameters": weights})})


class FunctionNode(Node):
    """The user's own code as a node: a function, a langgraph graph, an agent of another framework.

    A function gets the inputs and the declared parameters as keyword arguments. An object with `ainvoke` gets
    the inputs as a dictionary and the declared parameters in `config["configurable"]`.

    Args:
        id: unique in the network.
        run: the function or runnable.
        inputs: the fields it reads; those of its signature by default.
        output: the one field that takes the result, or several if it returns a dictionary.
        parameters: declared weights, name → parameter (a plain string becomes a `Text`).
        effect: `write` for code that changes the world outside; it is not run where versions are only compared.
    """

    kind: Literal["function"] = "function"
    timeout_s: float | None = 60.0
    effect: Literal["read", "write"] = "read"
    code_ref: CodeRef
    _target: Any = PrivateAttr(default=None)
    _folder: Path | None = PrivateAttr(default=None)

    def __init__(
        self,
        id: str,
        run: Any = None,
        *,
        inputs: Iterable[str] | None = None,
        output: OutputSpec = (),
        parameters: Mapping[str, Any] | None = None,
        code_ref: Any = None,
        **data: Any,
    ) -> None:
        weights = {name: Text(item) if isinstance(item, str) else item for name, item in (parameters or {}).items()}
        if run is not None and code_ref is None:
            code_ref = reference_to(run)
        if inputs is None and run is not None and not hasattr(run, "ainvoke"):
            inputs = [field.name for field in signature_fields(run)[0] if field.name not in weights]
        self._fill(
            id=id,
            code_ref=code_ref,
            inputs=tuple(inputs or ()),
            output=as_fields(output),
            parameters=weights,
            **data,
        )
        self._target = run

    def target(self, folder: Path | None = None) -> Any:
        """Return the user's object, found in `folder` or the folder it was loaded from."""
        if self._target is None:
            self._target = resolve(self.code_ref, folder or self._folder)
        return self._target


class AgentNode(Node):
    """An agent used as a node: it reads the agent's inputs and writes its outputs, under the same names.

    Its parameters are those of the inner agent, one level deeper: `outer/inner/instructions`.
    """

    kind: Literal["agent"] = "agent"
    agent: SerializeAsAny[Network]

    def __init__(self, id: str, agent: Any = None, **data: Any) -> None:
        if isinstance(agent, Frozen):
            network: Any = agent
            data.setdefault("inputs", tuple(field.name for field in network.inputs))
            data.setdefault("output", network.output_fields())
        self._fill(id=id, agent=agent, **data)

    def weights(self) -> dict[str, Parameter]:
        """Return the inner agent's parameters by path."""
        return {path: parameter for path, parameter in self.agent.parameters().items() if path != "structure"}

    def with_weight(self, name: str, parameter: Parameter) -> Self:
        """Return the node with one parameter of the inner agent replaced."""
        return self.model_copy(update={"agent": self.agent.with_parameter(name, parameter)})


AnyNode = Annotated[PromptNode | ToolNode | FunctionNode | AgentNode, Bounded(discriminator="kind")]


def _prompt_parameters(
    instructions: Text,
    output: OutputSpec,
    rules: Rules | Iterable[str],
    examples: Examples | Iterable[Mapping[str, Any]],
    model: Option | str | None,
    temperature: Number | float | None,
) -> dict[str, Parameter]:
    """Turn what a user writes into the parameters of a prompt node."""
    made: dict[str, Parameter] = {
        "instructions": instructions,
        "rules": rules if isinstance(rules, Rules) else Rules(rules, role="rules that the answer must follow"),
        "examples": examples if isinstance(examples, Examples) else Examples(examples, role="worked examples"),
    }
    for name, spec in output.items() if isinstance(output, Mapping) else ():
        if isinstance(spec, Described):
            role = f"what {name} must hold"
            made[f"fields/{name}"] = Text(
                spec.description, learnable=spec.learnable, max_chars=spec.max_chars, role=role
            )
            spec = spec.spec
        if isinstance(spec, Choice):
            made[f"choices/{name}"] = Choices(
                spec.labels,
                learnable=spec.learnable,
                max_chars=spec.max_chars,
                role=f"what each {name} means",
            )
    if model is not None:
        made["model"] = model if isinstance(model, Option) else Option(model, learnable=False, role="the node's model")
    if temperature is not None:
        made["temperature"] = (
            temperature
            if isinstance(temperature, Number)
            else Number(temperature, 0.0, 2.0, learnable=False, role="sampling temperature")
        )
    return made
