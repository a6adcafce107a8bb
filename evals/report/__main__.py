"""What a report of a run of 200 steps costs: CPU seconds to read and build it, its bytes, and how long it opens.

Opening is measured in headless Chromium, from the navigation to the end of the load event and the first frame after
it, on a desktop and on a phone's width; without Chromium those rows are left out. The limits are 2 MB and 1 s.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from agentsym.learning.report.page import write
from agentsym.learning.report.reading import read_report
from agentsym.store.store import Store
from evals.report.browser import chromium, found
from evals.report.long_run import LongRun

WIDTHS = {"desktop": 1280, "phone": 390}
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"


def measure(steps: int, times: int) -> dict[str, Any]:
    """Make a run, build its report and open it; returns figures by their names, with their units."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        with Store.open(Path(folder) / "agentsym.db") as store:
            run = LongRun(store, steps).write()
            cpu = []
            for _ in range(times):
                began = time.process_time()
                write(read_report(store, run), file)
                cpu.append(time.process_time() - began)
        figures: dict[str, Any] = {"build, CPU seconds": statistics.median(cpu), "megabytes": file.stat().st_size / 1e6}
        for name, width in WIDTHS.items() if found() else ():
            figures[f"open, seconds, {name}"] = statistics.median(opened(file, width, times))
        return {name: round(value, 3) for name, value in figures.items()}


def opened(file: Path, width: int, times: int) -> list[float]:
    """Return how many seconds each opening took until the page was painted; the first warms the browser up."""
    with chromium() as browser:
        seconds = []
        for _ in range(times + 1):
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.goto(file.as_uri(), wait_until="load")
            seconds.append(page.evaluate(PAINTED) / 1000)
            page.close()
    return seconds[1:]


def main() -> None:
    """Print the table, or with --json one document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200, help="steps of the run (default 200)")
    parser.add_argument("--times", type=int, default=5, help="measurements of each figure (default 5)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    args = parser.parse_args()
    figures = measure(args.steps, args.times)
    if args.json:
        print(json.dumps({"steps": args.steps, "times": args.times, "rows": figures}))
        return
    print(f"report of a run of {args.steps} steps, median of {args.times}")
    for name, value in figures.items():
        print(f"{name:<24}{value:>8.3f}")
    if not found():
        print("no Chromium is installed, so nothing was opened")


if __name__ == "__main__":
    main()
