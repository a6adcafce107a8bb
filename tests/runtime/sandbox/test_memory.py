"""A call inherits the template's memory, and nothing of other calls is in it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from agentsym.runtime.sandbox.process import ProcessSandbox
from agentsym.runtime.sandbox.protocol import Limits
from tests.runtime.sandbox.suite import weakened

# What keeps a process from reading its own memory through /proc is taken away, so that all of it can be searched.
OPEN = {
    "if self._abi:": "if False:",
    "kernel.filter_calls(self._filter)": "pass",
    "kernel.set_dumpable(False)": "pass",
}
SEARCHES = """
import re
def f(x):
    found = set()
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps.read().splitlines():
            where, rights, *_ = line.split()
            if rights.startswith("rw"):
                start, end = (int(part, 16) for part in where.split("-"))
                memory.seek(start)
                found.update(re.findall(rb"needle[0-9]{8}", memory.read(end - start)))
    return sorted(text.decode() for text in found)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it searches /proc")
async def test_a_call_finds_nothing_of_earlier_calls_in_its_memory() -> None:
    sandbox = ProcessSandbox(weakened("kernel", OPEN))

    async def call(source: str, x: Any) -> Any:
        return await sandbox.call(source, "f", {"x": x}, timeout_s=20, limits=Limits(cpu_s=20))

    assert await call(SEARCHES, "needle11111111") == ["needle11111111"]  # the search finds what is there
    for length in (1, 3000):
        texts = ["needle22222222"] * length
        assert await call("def f(x):\n    return x\n", texts) == texts
    assert await call(SEARCHES, "") == []
