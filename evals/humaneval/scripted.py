"""The student's double for HumanEval: it tries a few short expressions on the examples in the docstring.

It does so only when a rule tells it to; without, it returns the first argument. It knows nothing but the request.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from agentsym.network.prompt import read_inputs, read_system

RULES = {
    "write": (
        "Try the function on the examples in its docstring before you answer.",
        "Write short lines.",
        "Choose telling names for variables.",
    ),
    "check": ("Read the draft twice.", "Leave comments out."),
}
"""What the teacher's double may tell each node; the first one of `write` is what this student lacks."""
_EXPRESSIONS = (
    *("len(x)", "sum(x)", "max(x)", "min(x)", "sorted(x)", "sorted(set(x))", "x[::-1]", "x == x[::-1]", "len(set(x))"),
    *("x.upper()", "x.lower()", "x.swapcase()", "len(set(x.lower()))", "x % 1", "x // 1", "abs(x)", "-x", "x * x"),
    *("x + y", "x - y", "x * y", "x % y", "x / y", "max(x, y)", "min(x, y)", "x[:y]", "x[y:]"),
    *("[each + 1 for each in x]", "[each for each in x if each > 0]", "[len(each) for each in x]"),
    *("[each for each in x if y in each]", "[each for each in x if each.startswith(y)]", "all(each < y for each in x)"),
    *("''.join(x)", "' '.join(x)", "max(x, key=len, default=None)", "[x[: at + 1] for at in range(len(x))]"),
)
_KNOWN = {"__builtins__": {each.__name__: each for each in (len, sum, max, min, sorted, set, abs, all, range)}}


class Function(NamedTuple):
    """What a problem says of its function: its name, its arguments, and examples (arguments, result)."""

    name: str
    arguments: tuple[str, ...]
    examples: tuple[tuple[tuple[Any, ...], Any], ...]


def answer(messages: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> dict[str, Any]:
    """Answer one request of the agent."""
    system, user = (str(message["content"]) for message in messages[:2])
    rules, given = read_system(system).rules, read_inputs(user)
    if "code" in fields:
        return {name: str(given.get("draft", "")) for name in fields}
    function = read(str(given.get("problem", "")))
    tries = any("examples in its docstring" in rule for rule in rules)
    found = expression(function) if tries else None
    names = dict(zip("xy", function.arguments, strict=False))
    body = re.sub(r"\b[xy]\b", lambda match: names.get(match[0], match[0]), found) if found else names.get("x", "None")
    return dict.fromkeys(fields, f"```python\n    return {body}\n```")


def expression(function: Function) -> str | None:
    """Return the first expression that is right on every example; None without examples, or where none is."""
    if not function.examples:
        return None
    return next((found for found in _EXPRESSIONS if all(_right(found, *each) for each in function.examples)), None)


def read(problem: str) -> Function:
    """Read the last function of a problem's text; its examples are those in the form of an interactive session."""
    try:
        functions = [node for node in ast.parse(problem).body if isinstance(node, ast.FunctionDef)]
    except SyntaxError:
        functions = []
    if not functions:
        return Function("", (), ())
    last = functions[-1]
    shown = re.findall(rf"^\s*>>> {re.escape(last.name)}\((.*)\)\n\s*(\S.*)$", problem, re.MULTILINE)
    return Function(last.name, tuple(each.arg for each in last.args.args), tuple(_examples(shown)))


def _examples(shown: Sequence[tuple[str, str]]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the examples that are literals."""
    for given, result in shown:
        with suppress(ValueError, SyntaxError):
            yield ast.literal_eval(f"({given},)"), ast.literal_eval(result.strip())


def _right(found: str, given: tuple[Any, ...], wanted: Any) -> bool:
    """Say whether one of the expressions above gives what an example says."""
    try:
        result = eval(found, {**_KNOWN, **dict(zip("xy", given, strict=False))})
    except Exception:
        return False
    return type(result) is type(wanted) and bool(result == wanted)
