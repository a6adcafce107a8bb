"""The tool: a Python function that an agent can call, and how one is made from a function.

Its description is what a model reads of it; its code is the user's, found by reference, or learned, kept as text.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field as Bounded
from pydantic import GetPydanticSchema, PrivateAttr
from pydantic_core import core_schema

from agentsym.errors import NetworkError
from agentsym.network.canonical import Frozen, FrozenDict
from agentsym.network.code import CodeRef, reference_to, resolve, shipped_function
from agentsym.network.fields import PYTHON_TYPES, Field
from agentsym.network.parameters import AnyParameter, Code, Number, Option, Parameter, Text
from agentsym.network.remote import RemoteRef

NodeId = Annotated[str, Bounded(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


def _in_order(parameters: dict[str, Parameter]) -> FrozenDict:
    """Order parameters by kind and name: a version does not depend on the order, so nothing made of it may."""
    return FrozenDict(sorted(parameters.items(), key=lambda item: (_ORDER.index(item[1].kind), item[0])))


_ORDER = ("text", "choices", "rules", "examples", "code", "number", "option", "structure")
Parameters = Annotated[
    Mapping[str, Parameter],
    GetPydanticSchema(
        lambda _, handler: core_schema.no_info_after_validator_function(_in_order, handler(dict[str, AnyParameter]))
    ),
]


class Tool(Frozen):
    """A Python function that an agent can call, in a tool node or by a model's own choice.

    Either `code_ref` points to the user's code, which runs in process, or to a tool of an MCP server, or
    `parameters["code"]` holds learnable source, which runs in the sandbox only. `parameters["description"]` is what a
    model reads of it; numbers are handed to the function as keyword arguments of their name.

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
    code_ref: CodeRef | RemoteRef | None = None
    effect: Literal["pure", "read", "write"] = "pure"
    timeout_s: float = 30.0
    parameters: Parameters = FrozenDict()
    _function: Callable[..., Any] | None = PrivateAttr(default=None)
    _folder: Path | None = PrivateAttr(default=None)

    def function(self, folder: Path | None = None) -> Callable[..., Any]:
        """Return the user's function behind `code_ref`, found in `folder` or the folder it was loaded from."""
        if self._function is None:
            if self.code_ref is None:
                raise NetworkError(f"tool {self.name}: its code is learned and runs in the sandbox only")
            if isinstance(self.code_ref, RemoteRef):
                raise NetworkError(f"tool {self.name}: it lives on a server ({self.code_ref.server}), not here")
            self._function = resolve(self.code_ref, folder or self._folder)
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
    tests: Path | str = "",
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
        tests: what every rewrite must pass: a module of `test_` functions, as text or as the `Path` of its file.
        parameters: declared weights, handed to the function as keyword arguments of their name.

    Raises:
        NetworkError: when a declared parameter is no argument of the function, or tests are given for code that is not
            learned or cannot be read.
    """
    arguments, returns = signature_fields(function)
    unknown = set(parameters) - {field.name for field in arguments}
    if unknown:
        raise NetworkError(f"tool {name or function.__name__}: the function takes no {', '.join(sorted(unknown))}")
    text = description or (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    weights: dict[str, Parameter] = {
        "description": Text(text, role="tells the model when to call the tool"),
        **parameters,
    }
    code_ref: CodeRef | None = reference_to(function)
    if learnable:
        source = inspect.getsource(inspect.getmodule(function) or function)
        weights["code"] = Code(
            source, entry=function.__name__, tests=_text_of(tests, function), role="the tool's implementation"
        )
        code_ref = None
    elif tests:
        raise NetworkError(f"tool {name or function.__name__}: tests are for code that is learned; add learnable=True")
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
        made._function = function
    return made


def _text_of(tests: Path | str, function: Callable[..., Any]) -> str:
    """Return the tests of a function as text."""
    if isinstance(tests, str):
        return tests
    try:
        return tests.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise NetworkError(f"tool {function.__name__}: its tests in {tests} cannot be read ({error})") from error


def load_tool(name: str, **options: Any) -> Tool:
    """Return a tool of the shipped library by its name; `options` are those of `as_tool`."""
    return as_tool(shipped_function(name), **{"name": name, **options})


def signature_fields(function: Callable[..., Any]) -> tuple[tuple[Field, ...], Field]:
    """Read a function's arguments and result as typed fields; an unknown type becomes `any`."""
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


def source_fields(code: Code) -> dict[str, Field]:
    """Read the arguments of a learned function from its source, which is not run for that; an unknown type is `any`."""
    for node in ast.parse(code.value).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == code.entry:
            taken = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            types = {each.arg: ast.unparse(each.annotation) if each.annotation else "" for each in taken}
            return {name: Field(name=name, type=_NAMED_TYPES.get(kind, "any")) for name, kind in types.items()}
    return {}


_NAMED_TYPES = {kind.__name__: name for kind, name in PYTHON_TYPES.items()}
