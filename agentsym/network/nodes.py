"""The four kinds of node and the tool: what can stand in a symbolic network.

A node says which fields it reads and writes and holds its weights by name in `parameters`; how it is run is written
in `runtime/`, so that a network stays plain data.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_type_hints

from pydantic import GetPydanticSchema, PrivateAttr, SerializeAsAny
from pydantic import Field as Bounded
from pydantic_core import core_schema

from agentsym.errors import NetworkError
from agentsym.network.canonical import Frozen, FrozenDict, Kinded
from agentsym.network.code import CodeRef, reference_to, resolve, shipped_function
from agentsym.network.fields import PYTHON_TYPES, Choice, Field, FieldName, FieldSpec, as_fields
from agentsym.network.parameters import (
    AnyParameter,
    Choices,
    Code,
    Examples,
    Number,
    Option,
    Parameter,
    Rules,
    Text,
)

if TYPE_CHECKING:
    from agentsym.network.network import Network

NodeId = Annotated[str, Bounded(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Parameters = Annotated[
    Mapping[str, Parameter],
    GetPydanticSchema(
        lambda _, handler: core_schema.no_info_after_validator_function(FrozenDict, handler(dict[str, AnyParameter]))
    ),
]
OutputSpec = Mapping[str, FieldSpec] | Iterable[Any] | str


class Tool(Frozen):
    """A Python function that an agent can call, in a tool node or by a model's own choice.

    Either `code_ref` points to the user's code, which runs in process, or `parameters["code"]` holds learnable
    source, which runs in the sandbox only. `parameters["description"]` is what a model reads of it; numbers are
    handed to the function as keyword arguments of their name.

    Attributes:
        name: the name by which a model calls it.
        arguments: what it takes, as fields; those of `parameters` are left out.
        returns: the type of its result.
        effect: `write` for a tool that changes the world outside.
        timeout_s: seconds after which a call is given up.
    """

    name: NodeId
    arguments: tuple[Field, ...] = ()
    returns: Field = Field(name="result")
    code_ref: CodeRef | None = None
    effect: Literal["pure", "read", "write"] = "pure"
    timeout_s: float = 30.0
    parameters: Parameters = FrozenDict()
    _function: Callable[..., Any] | None = PrivateAttr(default=None)

    def function(self, folder: Any = None) -> Callable[..., Any]:
        """Return the user's function behind `code_ref` (found relative to `folder`, if it must be loaded)."""
        if self._function is None:
            if self.code_ref is None:
                raise NetworkError(f"tool {self.name}: its code is learned and runs in the sandbox only")
            object.__setattr__(self, "_function", resolve(self.code_ref, folder))
        assert self._function is not None
        return self._function


def as_tool(
    function: Callable[..., Any],
    *,
    name: str = "",
    description: str = "",
    effect: Literal["pure", "read", "write"] = "pure",
    timeout_s: float = 30.0,
    learnable: bool = False,
    **parameters: Number | Text | Option,
) -> Tool:
    """Make a tool from a function: its signature gives the arguments, its docstring the description.

    Args:
        function: a function, sync or async, with annotated arguments.
        name: the tool's name; the function's own by default.
        description: what a model reads of it; the first paragraph of the docstring by default.
        effect: `write` for a function that changes the world outside.
        timeout_s: seconds after which a call is given up.
        learnable: keep the source of its file as a `code` parameter, which learning may rewrite.
        parameters: declared weights, handed to the function as keyword arguments of their name.

    Raises:
        NetworkError: when a declared parameter is no argument of the function.
    """
    arguments, returns = signature_fields(function)
    unknown = set(parameters) - {field.name for field in arguments}
    if unknown:
        raise NetworkError(f"tool {name or function.__name__}: the function takes no {', '.join(sorted(unknown))}")
    text = description or (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    weights: dict[str, Parameter] = {"description": Text(text, role="tells the model when to call the tool"), **parameters}
    code_ref: CodeRef | None = reference_to(function)
    if learnable:
        source = inspect.getsource(inspect.getmodule(function) or function)
        weights["code"] = Code(source, entry=function.__name__, role="the tool's implementation")
        code_ref = None
    made = Tool(
        name=name or function.__name__,
        arguments=tuple(field for field in arguments if field.name not in parameters),
        returns=returns,
        code_ref=code_ref,
        effect=effect,
        timeout_s=timeout_s,
        parameters=weights,
    )
    if not learnable:
        object.__setattr__(made, "_function", function)
    return made


def load_tool(name: str, **options: Any) -> Tool:
    """Return a tool of the shipped library by its name; `options` are those of `as_tool`."""
    return as_tool(shipped_function(name), **{"name": name, **options})


def signature_fields(function: Callable[..., Any]) -> tuple[tuple[Field, ...], Field]:
    """Read a function's arguments and result as typed fields; an unannotated or unusual type becomes `any`."""
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError):
        hints = {}
    arguments = tuple(
        Field(
            name=name,
            type=PYTHON_TYPES.get(hints.get(name, object), "any"),
            required=parameter.default is parameter.empty,
        )
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    )
    return arguments, Field(name="result", type=PYTHON_TYPES.get(hints.get("return", object), "any"))


class Node(Kinded):
    """What all nodes share.

    Attributes:
        id: unique in the network.
        description: what the node is for, shown to whoever writes gradients and edits.
        inputs: the fields it reads.
        output: the fields it writes.
        join: `all` waits for every predecessor that runs, `any` runs once for each that arrives.
        max_visits: how often it may run in one example; a cycle ends there.
        timeout_s: seconds after which one visit is given up.
        parameters: its weights by name.
    """

    id: NodeId
    description: str = ""
    inputs: tuple[FieldName, ...] = ()
    output: tuple[Field, ...] = ()
    join: Literal["any", "all"] = "any"
    max_visits: int = Bounded(default=1, ge=1)
    timeout_s: float = 60.0
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
        inputs: the fields it reads.
        output: the fields it writes: a mapping name → `str`, `int`, `float`, `bool`, `list`, `dict` or `Choice`.
        rules: sentences that hold for all answers, or for the labels named in backticks.
        examples: worked examples, each `{"input": {...}, "output": {...}}`.
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
        tools: Iterable[str | Tool | Callable[..., Any]] = (),
        model: Option | str | None = None,
        temperature: Number | float | None = None,
        parameters: Mapping[str, Any] | None = None,
        **data: Any,
    ) -> None:
        if parameters is None:
            parameters = _prompt_parameters(instructions, output, rules, examples, model, temperature)
        held = tuple(item if isinstance(item, str | Tool) else as_tool(item) for item in tools)
        self._fill(
            id=id,
            inputs=tuple(inputs),
            output=as_fields(output),
            parameters=parameters,
            tools=tuple(item if isinstance(item, str) else item.name for item in held),
            **data,
        )
        object.__setattr__(self, "_tools", tuple(item for item in held if isinstance(item, Tool)))

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
        parameters: declared weights of a plain function, as for `as_tool`.
    """

    kind: Literal["tool"] = "tool"
    tool: Tool

    def __init__(
        self,
        id: str,
        run: Tool | Callable[..., Any] | None = None,
        *,
        inputs: Iterable[str] | None = None,
        output: OutputSpec = (),
        tool: Any = None,
        **data: Any,
    ) -> None:
        held = tool if run is None else run
        if callable(held) and not isinstance(held, Tool):
            held = as_tool(held)
        if isinstance(held, Tool):
            inputs = tuple(field.name for field in held.arguments) if inputs is None else inputs
            if isinstance(output, str):
                output = (held.returns.model_copy(update={"name": output}),)
        data.pop("parameters", None)
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

    A function gets the inputs and the declared parameters as keyword arguments. An object with `ainvoke` gets the
    inputs as a dictionary and the declared parameters in `config["configurable"]`.

    Args:
        id: unique in the network.
        run: the function or runnable.
        inputs: the fields it reads; those of its signature by default.
        output: the one field that takes the result, or several if it returns a dictionary.
        parameters: declared weights, name → parameter (a plain string becomes a `Text`).
    """

    kind: Literal["function"] = "function"
    code_ref: CodeRef
    _target: Any = PrivateAttr(default=None)

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
            code_ref = reference_to(run, id)
        if inputs is None and run is not None and not hasattr(run, "ainvoke"):
            inputs = [field.name for field in signature_fields(run)[0] if field.name not in weights]
        self._fill(
            id=id, code_ref=code_ref, inputs=tuple(inputs or ()), output=as_fields(output), parameters=weights, **data
        )
        object.__setattr__(self, "_target", run)

    def target(self, folder: Any = None) -> Any:
        """Return the user's object (found relative to `folder`, if it must be loaded)."""
        if self._target is None:
            object.__setattr__(self, "_target", resolve(self.code_ref, folder))
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
    instructions: Text | str,
    output: OutputSpec,
    rules: Rules | Iterable[str],
    examples: Examples | Iterable[Mapping[str, Any]],
    model: Option | str | None,
    temperature: Number | float | None,
) -> dict[str, Parameter]:
    """Turn what a user writes into the parameters of a prompt node."""
    made: dict[str, Parameter] = {
        "instructions": instructions
        if isinstance(instructions, Text)
        else Text(instructions, role="what the node is asked to do"),
        "rules": rules if isinstance(rules, Rules) else Rules(rules, role="rules that the answer must follow"),
        "examples": examples if isinstance(examples, Examples) else Examples(examples, role="worked examples"),
    }
    for name, spec in output.items() if isinstance(output, Mapping) else ():
        if isinstance(spec, Choice):
            made[f"choices/{name}"] = Choices(
                spec.labels, learnable=spec.learnable, max_chars=spec.max_chars, role=f"what each {name} means"
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
