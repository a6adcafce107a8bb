"""Running learned source: one function on its arguments, or the tests of a candidate.

The source is text and the answer is bytes of JSON, so nothing of what the code made travels on; whoever reads the
answer trusts none of it.
"""

from __future__ import annotations

import json
import linecache
import math
import sys
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

TOOL, TESTS = "tool", "tool_tests"
DEEPEST = 64  # lists and dictionaries within each other, in a result
_LONGEST = 2000  # characters of an exception's message


def answer(payload: bytes | bytearray) -> bytes:
    """Do what a request says and return the answer: `{"result": …}`, `{"tests": […]}` or `{"error": {…}}`."""
    encode = json.JSONEncoder(allow_nan=False).encode  # before any code can redefine it
    request = json.loads(payload)
    try:
        tool = _module(TOOL, request["source"])
        if "tests" in request:
            return encode({"tests": _run_tests(tool, request["tests"])}).encode()
        function = getattr(tool, request["function"], None)
        if not callable(function):
            return encode(
                {"error": {"reason": "source", "text": f"it defines no function {request['function']!r}"}}
            ).encode()
        result = _finished(function(**request["arguments"]))
    except BaseException as error:
        return encode({"error": _told(error, TOOL)}).encode()
    try:
        return encode({"result": _plain(result, 0)}).encode()
    except BaseException as error:
        return encode({"error": {"reason": "result", "text": _text(error)}}).encode()


def _module(name: str, source: str, **given: Any) -> types.ModuleType:
    """Run source as a module that others can import by its name."""
    module = types.ModuleType(name)
    module.__dict__.update(given)
    module.__file__ = f"{name}.py"
    linecache.cache[module.__file__] = (len(source), None, source.splitlines(keepends=True), module.__file__)
    sys.modules[name] = module
    exec(compile(source, module.__file__, "exec", dont_inherit=True), module.__dict__)
    return module


def _finished(result: Any) -> Any:
    """Return the result of a call; an async function is run to its end here, where there is nothing to wait for."""
    if not isinstance(result, types.CoroutineType):
        return result
    while True:
        try:
            result.send(None)
        except StopIteration as end:
            return end.value


def _run_tests(tool: types.ModuleType, source: str) -> list[dict[str, Any]]:
    """Run a module of tests: every function `test_…` is one, and so is the module's own body if it has none."""
    names = {name: value for name, value in vars(tool).items() if not name.startswith("__")}
    body, tests = _tried("module", lambda: _module(TESTS, source, **names))
    found = {name: value for name, value in vars(tests).items() if value is not names.get(name)} if tests else {}
    functions = {name: value for name, value in found.items() if name.startswith("test_") and callable(value)}
    tried = [_tried(name, partial(_tested, test))[0] for name, test in functions.items()]
    return tried if tried and body["passed"] else [body, *tried]


def _tested(test: Callable[[], Any]) -> None:
    _finished(test())


def _tried(name: str, test: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    try:
        result = test()
    except BaseException as error:
        told = _told(error, TESTS)
        kind = told.get("type", "MemoryError")
        return {"name": name, "passed": False, "message": f"{kind}: {told['text']}", "line": told.get("line")}, None
    return {"name": name, "passed": True, "message": "", "line": None}, result


def _told(error: BaseException, module: str) -> dict[str, Any]:
    """Describe an exception: its type, its message, and the last line of the module that it went through."""
    if isinstance(error, MemoryError):
        return {"reason": "memory", "text": "it asked for more memory than it may have"}
    line = None
    if isinstance(error, SyntaxError) and error.filename == f"{module}.py":
        line = error.lineno
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == f"{module}.py":
            line = trace.tb_lineno
        trace = trace.tb_next
    text = _text(error)
    if isinstance(error, AssertionError) and not text and line:
        text = linecache.getline(f"{module}.py", line).strip()
    return {"reason": "exception", "type": type(error).__name__, "text": text, "line": line}


def _text(error: BaseException) -> str:
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)
    except BaseException:
        text = "(its message cannot be read)"
    return text.encode("utf-8", "replace").decode()[:_LONGEST]


def _plain(value: Any, depth: int) -> Any:
    """Return a value as JSON has it; raises TypeError or ValueError where JSON has no such value."""
    if depth > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"it has the key {odd[0]!r}; keys must be strings, as in JSON")
        return {_plain(key, depth): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, str):
        value.encode()  # a lone surrogate is no text
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number that JSON has")
    for base in (bool, int, float):
        if isinstance(value, base):
            return base(value)
    if value is None:
        return None
    raise TypeError(f"it is a {type(value).__name__}; only str, int, float, bool, None, list and dict can be returned")
