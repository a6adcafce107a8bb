"""Optimize a small agent through each client against a double of a paid provider, and compare both accounts.

The direct client and litellm ask a server on this machine that speaks OpenAI's protocol and keeps books of its own; the
run's calls, tokens and dollars must be the server's to the last one. Then the same request is made 32 times at once:
through the door it must reach the server once; without the door's single flight it does so 32 times.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from evals.clients.experiment import agrees, measure
from evals.clients.world import PREFIXES


def main() -> None:
    """Measure the clients and print a table, or with --json one document; exit code 1 where the accounts differ."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.clients", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--client", choices=sorted(PREFIXES), action="append", help="only this one; may be repeated")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    options = parser.parse_args()
    found = []
    for client in options.client or PREFIXES:
        started = time.process_time()
        figures = measure(client)
        found.append({**figures, "cpu_s": round(time.process_time() - started, 2)})
    if options.json:
        print(json.dumps({"clients": found}, indent=1))
    else:
        for figures in found:
            print(_shown(figures))
    if not all(map(agrees, found)):
        sys.exit("error: the accounts differ, or identical requests were sent more than once")


def _shown(figures: dict[str, Any]) -> str:
    accuracy, identical = figures["validation"], figures["identical"]
    lines = [
        f"{figures['client']}: validation {accuracy['before']:.3f} -> {accuracy['after']:.3f} ({figures['status']}), "
        f"{figures['cpu_s']:.1f} CPU s with the server",
        f"  {'':24}{'run':>10}{'server':>10}",
        *(f"  {name:24}{run:>10,}{server:>10,}" for name, (run, server) in figures["accounts"].items()),
        f"  {identical['asked']} identical requests at once: {identical['through the door']} sent through the door, "
        f"{identical['past it']} past it",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
