"""Reading what learned code answers: bytes from a process that may have written anything.

Only whole JSON of bounded depth, with finite numbers and valid text, becomes a value; all else is a clean error.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from agentsym.runtime.sandbox.inside.learned import DEEPEST
from agentsym.runtime.sandbox.protocol import Checked, CheckReport, LearnedCodeError

_REASONS = ("exception", "source", "result", "memory")


def read_result(body: bytes) -> Any:
    """Return the result in an answer.

    Raises:
        LearnedCodeError: the answer tells an error, or is none.
    """
    answer = _parsed(body)
    if "result" in answer:
        return answer["result"]
    error = answer.get("error")
    if isinstance(error, dict):
        raise _error(error)
    raise _no_answer("neither a result nor an error")


def read_tests(body: bytes) -> CheckReport:
    """Return the tests in an answer.

    Raises:
        LearnedCodeError: the answer tells an error, or is none.
    """
    answer = _parsed(body)
    if "tests" not in answer:
        read_result(body)
        raise _no_answer("no tests")
    try:
        tests = [(test["name"], test["passed"], test["message"], test["line"]) for test in answer["tests"]]
    except (TypeError, KeyError) as error:
        raise _no_answer("no list of tests") from error
    return CheckReport(tuple(Checked(str(name), ok is True, str(text), _line(line)) for name, ok, text, line in tests))


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body.decode("ascii"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _no_answer(str(error)) from error
    _check(answer)
    if not isinstance(answer, dict):
        raise _no_answer("no object")
    return answer


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number that JSON has")


def _check(answer: Any) -> None:
    """Walk through a value without recursion; raises LearnedCodeError at what may not travel on."""
    level, depth = [answer], 0
    while level:
        if depth > DEEPEST + 2:  # the answer itself, and what is in the innermost list
            raise _no_answer(f"it is nested more than {DEEPEST} deep")
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += [*value, *value.values()]
            elif isinstance(value, list):
                below += value
            elif isinstance(value, float) and not math.isfinite(value):
                raise _no_answer("a number is too large")
            elif isinstance(value, str) and not _is_text(value):
                raise _no_answer("a text holds half a character (a lone surrogate)")
        level, depth = below, depth + 1


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _error(told: dict[str, Any]) -> LearnedCodeError:
    reason, text, line = told.get("reason"), str(told.get("text", "")), _line(told.get("line"))
    if reason not in _REASONS:
        return _no_answer("an error of no kind")
    if reason == "exception":
        kind = str(told.get("type", "Exception"))
        where = f" (line {line} of the learned code)" if line else ""
        return LearnedCodeError(f"{kind}: {text}{where}", "exception", kind, line)
    if reason == "result":
        return LearnedCodeError(f"the learned code returned what is no JSON: {text}", "result")
    return LearnedCodeError(
        f"the learned code cannot be used: {text}"
        if reason == "source"
        else f"the learned code used too much memory: {text}",
        reason,
    )


def _line(line: Any) -> int | None:
    return line if isinstance(line, int) and not isinstance(line, bool) else None


def _no_answer(why: str) -> LearnedCodeError:
    return LearnedCodeError(f"the learned code wrote something that is no answer ({why[:200]})", "result")
