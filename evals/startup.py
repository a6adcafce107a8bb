"""What starting costs: CPU seconds of `import agentsym` and of `agentsym --help`, each in a fresh process.

CPU time of the child (user and system) is measured, not wall time, so that busy neighbours do not count.
The bare interpreter is the row to compare with: subtract it to see what agentsym adds.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
from typing import Any

HELP = "from agentsym.cli import app; app(['--help'], prog_name='agentsym')"
PROGRAMS = {"bare interpreter": "pass", "import agentsym": "import agentsym", "agentsym --help": HELP}


def cpu_seconds(program: str, python: str = sys.executable, **where: Any) -> float:
    """CPU seconds, user and system, that a fresh interpreter needs for `program`.

    Args:
        program: the code.
        python: the interpreter.
        where: `cwd` and `env` of the process, where they are not this one's.

    Raises:
        subprocess.CalledProcessError: the program failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", program], stdout=subprocess.DEVNULL, check=True, **where)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(times: int) -> dict[str, dict[str, float]]:
    """Smallest and median CPU seconds of each program over `times` runs, after one that is not counted."""
    table = {}
    for name, program in PROGRAMS.items():
        cpu_seconds(program)  # writes the byte code
        seconds = [cpu_seconds(program) for _ in range(times)]
        table[name] = {"min": round(min(seconds), 4), "median": round(statistics.median(seconds), 4)}
    return table


def main() -> None:
    """Print the table, or with --json one document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=7, help="runs of each program (default 7)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    args = parser.parse_args()
    table = measure(args.times)
    if args.json:
        print(
            json.dumps(
                {
                    "unit": "CPU seconds",
                    "times": args.times,
                    "python": platform.python_version(),
                    "rows": table,
                }
            )
        )
        return
    print(f"CPU seconds of a child process, {args.times} runs, Python {platform.python_version()}")
    print(f"{'program':<20}{'min':>8}{'median':>8}")
    for name, row in table.items():
        print(f"{name:<20}{row['min']:>8.3f}{row['median']:>8.3f}")


if __name__ == "__main__":
    main()
