"""What the sandbox costs at each level that works: ms of the first call and of one after it, and calls a second.

To compare with: a fresh interpreter for each call, which is what a sandbox without a template would need, and the same
function called in this process, which has no protection at all.
"""

import argparse
import asyncio
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from agentsym.runtime.sandbox.find import judge
from agentsym.runtime.sandbox.levels import levels
from agentsym.runtime.sandbox.process import ProcessSandbox

SOURCE = "def double(x):\n    return {'doubled': x * 2}\n"
AT_ONCE = 8


async def milliseconds(call: Callable[[], Awaitable[object]], times: int) -> dict[str, float]:
    """Median and 95th percentile of the wall time of one call, in ms."""
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        await call()
        spent.append((time.perf_counter() - started) * 1000)
    return {"median_ms": round(statistics.median(spent), 3), "p95_ms": round(statistics.quantiles(spent, n=20)[-1], 3)}


async def of_a_level(sandbox: ProcessSandbox, times: int) -> dict[str, float]:
    """The row of one level: its first call, those after it, and calls a second with eight waiting."""

    async def call() -> object:
        return await sandbox.call(SOURCE, "double", {"x": 21}, timeout_s=10)

    started = time.perf_counter()
    await call()
    row = {"first_ms": round((time.perf_counter() - started) * 1000, 1), **await milliseconds(call, times)}

    async def caller() -> None:
        for _ in range(times // AT_ONCE):
            await call()

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    return {**row, "calls_per_s": round(times // AT_ONCE * AT_ONCE / (time.perf_counter() - started))}


def in_a_fresh_interpreter() -> object:
    """Call the function in an interpreter of its own, without any protection."""
    program = f"{SOURCE}import json, sys\nprint(json.dumps(double(**json.load(sys.stdin))))"
    command = [sys.executable, "-I", "-S", "-c", program]
    return json.loads(subprocess.run(command, input='{"x": 21}', capture_output=True, text=True, check=True).stdout)


async def measure(times: int) -> dict[str, dict[str, float]]:
    """Return what each way costs, by name."""
    rows = {}
    for level in levels():
        if (verdict := judge(level)).works:
            rows[level.name] = await of_a_level(ProcessSandbox(level), times)
        else:
            print(f"{level.name}: {verdict.reason}", file=sys.stderr)
    namespace: dict[str, Callable[..., object]] = {}
    exec(SOURCE, namespace)

    async def here() -> object:
        return namespace["double"](x=21)

    async def fresh() -> object:
        return in_a_fresh_interpreter()

    rows["fresh interpreter"] = await milliseconds(fresh, max(20, times // 10))
    rows["this process"] = await milliseconds(here, times)
    return rows


def main() -> None:
    """Print the table, or with --json one document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200, help="calls at each level (default 200)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    args = parser.parse_args()
    rows = asyncio.run(measure(args.times))
    if args.json:
        print(json.dumps({"times": args.times, "at_once": AT_ONCE, "python": platform.python_version(), "rows": rows}))
        return
    print(f"{args.times} calls of a learned tool, Python {platform.python_version()}; calls/s: {AT_ONCE} at once")
    columns = {"first_ms": "first, ms", "median_ms": "median, ms", "p95_ms": "p95, ms", "calls_per_s": "calls/s"}
    print(f"{'level':<20}" + "".join(f"{title:>12}" for title in columns.values()))
    for name, row in rows.items():
        print(f"{name:<20}" + "".join(f"{row.get(column, ''):>12}" for column in columns))


if __name__ == "__main__":
    main()
