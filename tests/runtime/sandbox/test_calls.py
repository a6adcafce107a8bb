"""A call runs one function of learned source in a fresh process; what goes wrong is told with type, text and line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentsym.errors import NodeError
from agentsym.network.code import shipped_folder
from agentsym.runtime.sandbox.protocol import LearnedCodeError, Limits, Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one template for all of them
DEADLINE = (shipped_folder("tools") / "deadline.py").read_text("utf-8")


async def call(sandbox: Sandbox, source: str, timeout_s: float = 10, **arguments: Any) -> Any:
    return await sandbox.call(source, "f", arguments, timeout_s=timeout_s)


async def fails(sandbox: Sandbox, source: str, **arguments: Any) -> LearnedCodeError:
    with pytest.raises(LearnedCodeError) as raised:
        await call(sandbox, source, **arguments)
    return raised.value


async def test_a_shipped_tool_gives_what_it_gives_in_process(sandbox: Sandbox) -> None:
    arguments = {"urgency": "today", "arrived": "2026-03-07T09:30"}
    assert await sandbox.call(DEADLINE, "deadline", arguments, timeout_s=10) == "2026-03-09T12:00"


@pytest.mark.parametrize(
    "value", [None, True, 3, -2.5, "", "ü\n\u2028", [], {}, {"a": [{"b": [1, 2.0, None]}]}, 2**200, "x" * 100_000]
)
async def test_values_come_back_as_they_went(sandbox: Sandbox, value: Any) -> None:
    returned = await call(sandbox, "def f(x):\n    return x\n", x=value)
    assert returned == value and type(returned) is type(value)


async def test_tuples_and_kinds_of_one_s_own_become_plain_values(sandbox: Sandbox) -> None:
    source = """
import collections, enum
class Color(str, enum.Enum):
    RED = "red"
Point = collections.namedtuple("Point", "x y")
def f():
    return {"point": Point(1, 2), "counted": collections.Counter("aab")}
"""
    assert await call(sandbox, source) == {"point": [1, 2], "counted": {"a": 2, "b": 1}}


async def test_an_exception_is_told_with_type_message_and_line(sandbox: Sandbox) -> None:
    error = await fails(sandbox, "def g(x):\n    return 1 / x\n\ndef f(x):\n    return g(x)\n", x=0)
    assert str(error) == "ZeroDivisionError: division by zero (line 2 of the learned code)"
    assert (error.reason, error.exception, error.line) == ("exception", "ZeroDivisionError", 2)


async def test_an_exception_in_the_library_is_told_with_the_line_that_called_it(sandbox: Sandbox) -> None:
    error = await fails(sandbox, "import json\n\ndef f():\n    return json.loads('{')\n")
    assert (error.exception, error.line) == ("JSONDecodeError", 4)


@pytest.mark.parametrize(
    ("source", "reason", "message"),
    [
        ("def f(:\n", "exception", "SyntaxError: invalid syntax (line 1 of the learned code)"),
        ("x = 1\nx.y\n", "exception", "AttributeError: 'int' object has no attribute 'y' (line 2 of the learned code)"),
        ("def g():\n    pass\n", "source", "the learned code cannot be used: it defines no function 'f'"),
        ("f = 3\n", "source", "the learned code cannot be used: it defines no function 'f'"),
        ("import numpy\n", "exception", "ModuleNotFoundError: No module named 'numpy' (line 1 of the learned code)"),
        ("import agentsym\n", "exception", "ModuleNotFoundError: No module named 'agentsym' (line 1"),
        ("def f(x):\n    pass\n", "exception", "TypeError: f() missing 1 required positional argument: 'x'"),
        ("def f():\n    return {1}\n", "result", "returned what is no JSON: it is a set; only str, int, float"),
    ],
)
async def test_source_that_cannot_be_used_is_told(sandbox: Sandbox, source: str, reason: str, message: str) -> None:
    error = await fails(sandbox, source)
    assert error.reason == reason and message in str(error)


async def test_arguments_that_are_no_json_are_the_caller_s_mistake(sandbox: Sandbox) -> None:
    for value in (object(), float("nan")):
        with pytest.raises(NodeError, match="takes JSON values only"):
            await call(sandbox, "def f(x):\n    return 1\n", x=value)


async def test_async_functions_run_to_their_end(sandbox: Sandbox) -> None:
    source = "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + 1\n"
    assert await call(sandbox, source, x=1) == 2
    error = await fails(sandbox, "import asyncio\nasync def f():\n    await asyncio.sleep(1)\n")
    assert error.reason == "exception" and error.line == 3


async def test_the_standard_library_is_there(sandbox: Sandbox) -> None:
    source = """
import datetime, decimal, email.mime.text, sqlite3, statistics, unicodedata, xml.dom.minidom, zoneinfo, encodings.cp1252
def f():
    summer = datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
    return [str(summer.utcoffset()), str(decimal.Decimal("0.1") * 3), "ä".encode("cp1252").hex()]
"""
    assert await call(sandbox, source) == ["2:00:00", "0.3", "e4"]


async def test_a_call_has_a_scratch_folder_of_its_own(sandbox: Sandbox) -> None:
    source = """
import os, tempfile
def f():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "a"), "w") as file:
            file.write("kept")
        with open(os.path.join(folder, "a")) as file:
            return [file.read(), os.listdir("."), os.getcwd()]
"""
    kept, beside, place = await call(sandbox, source)
    assert (kept, len(beside), place) == ("kept", 1, "/tmp")
    assert not any(Path("/tmp", name).exists() for name in beside)


async def test_equal_calls_give_equal_results_in_every_process(sandbox: Sandbox) -> None:
    source = "def f():\n    return list({'plumbing', 'heating', 'doors', 'other'})\n"
    orders = [await call(sandbox, source) for _ in range(3)]
    assert orders[0] == orders[1] == orders[2]
    # ... and in the template of another loop.
    assert await asyncio.to_thread(lambda: asyncio.run(call(sandbox, source))) == orders[0]


async def test_limits_hold_for_the_one_call(sandbox: Sandbox) -> None:
    source = "def f(x):\n    return len(bytearray(x << 20))\n"
    small, large = Limits(memory_mb=256), Limits(memory_mb=1024)
    assert await sandbox.call(source, "f", {"x": 400}, timeout_s=10, limits=large) == 400 << 20
    with pytest.raises(LearnedCodeError, match="used too much memory"):
        await sandbox.call(source, "f", {"x": 400}, timeout_s=10, limits=small)


async def test_processor_time_is_limited_whatever_the_timeout(sandbox: Sandbox) -> None:
    with pytest.raises(LearnedCodeError, match="used more than 1 seconds of processor time") as raised:
        await sandbox.call("def f():\n    while 1: pass\n", "f", {}, timeout_s=60, limits=Limits(cpu_s=0.5))
    assert raised.value.reason == "cpu"


async def test_a_file_may_not_grow_without_end(sandbox: Sandbox) -> None:
    error = await fails(sandbox, "def f():\n    with open('a', 'wb') as file:\n        file.write(bytes(3 << 20))\n")
    assert error.exception == "OSError" and "File too large" in str(error)


async def test_a_call_that_takes_too_long_is_ended(sandbox: Sandbox) -> None:
    with pytest.raises(LearnedCodeError, match=r"took longer than 0\.05 seconds; make it do less") as raised:
        await call(sandbox, "import time\ndef f():\n    time.sleep(60)\n", timeout_s=0.05)
    assert raised.value.reason == "timeout"


async def test_tests_of_a_candidate_are_reported_one_by_one(sandbox: Sandbox) -> None:
    tests = """
from tool import f

def test_doubles():
    assert f(2) == 4

def test_wrong():
    assert f(2) == 5

def test_raises():
    f(None)

async def test_async():
    assert f(3) == 6
"""
    report = await sandbox.run_tests("def f(x):\n    return x * 2\n", tests, timeout_s=10)
    assert [(test.name, test.passed) for test in report.tests] == [
        ("test_doubles", True),
        ("test_wrong", False),
        ("test_raises", False),
        ("test_async", True),
    ]
    assert not report.passed
    wrong, raises = report.failures
    assert (wrong.message, wrong.line) == ("AssertionError: assert f(2) == 5", 8)
    assert raises.message.startswith("TypeError: unsupported operand") and raises.line == 11


@pytest.mark.parametrize(
    ("tests", "passed"), [("assert f(2) == 4\n", True), ("assert f(2) == 5, 'too little'\n", False), ("", True)]
)
async def test_a_module_of_assertions_is_one_test(sandbox: Sandbox, tests: str, passed: bool) -> None:
    report = await sandbox.run_tests("def f(x):\n    return x * 2\n", tests, timeout_s=10)
    assert [test.name for test in report.tests] == ["module"]
    assert report.passed is passed
    assert passed or report.failures[0].message == "AssertionError: too little"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f(:\n", "SyntaxError"),
        ("while True: pass\n", "took longer than 0.2 seconds"),
        ("import os\nos._exit(0)\n", "ended with exit code 0, without an answer"),
        ("raise ValueError('no')\n", "ValueError: no (line 1 of the learned code)"),
    ],
)
async def test_code_that_stops_its_tests_has_failed_them(sandbox: Sandbox, source: str, message: str) -> None:
    report = await sandbox.run_tests(source, "def test_nothing():\n    pass\n", timeout_s=0.2)
    assert not report.passed
    assert message in report.failures[0].message
