"""What the recorded model traffic in the tests is worth today: how it was made, and which prompts have changed since.

A replay goes on with the prompts of its time, so it says nothing of the prompts of today; this list says where a new
recording would. Run `python -m evals.recordings [FOLDER…] [--json]`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from agentsym.errors import AgentsymError
from agentsym.learning.recording import changed_prompts, shipped_prompts
from agentsym.learning.teacher.prompt_files import blocks
from agentsym.models.recording import PROMPTS, TRAFFIC, Exchange, read_about, read_traffic
from agentsym.models.structured import RETRY_PROMPT

RECORDINGS = Path(__file__).parents[1] / "tests" / "recordings"


def check(folder: Path) -> dict[str, Any]:
    """Return what is known of a recording.

    Raises:
        DataError: it cannot be read.
    """
    exchanges = read_traffic(folder / TRAFFIC)
    return {
        "folder": str(folder),
        **read_about(folder).model_dump(mode="json"),
        "calls": len(exchanges),
        "by_phase": dict(Counter(exchange.phase or "" for exchange in exchanges)),
        "parsed_at_first_try": first_try(exchanges, folder / PROMPTS),
        "changed_prompts": {name: changed_lines(folder, name) for name in changed_prompts(folder)},
    }


def first_try(exchanges: Sequence[Exchange], prompts: Path) -> float | None:
    """Return the share of answers in a form that were used as they first came; None where none was asked for.

    A request that was put again holds the first one, with the refused answer and the retry prompt after it, or (an
    update) with the errors at its end; so what was asked once only was answered well.
    """
    complaint = _head((prompts / RETRY_PROMPT.name).read_text("utf-8"))
    errors = _head(blocks("update", prompts)["errors"])
    asked: Counter[tuple[str, ...]] = Counter()
    for request in (exchange.request for exchange in exchanges if exchange.request.schema_ is not None):
        said = [message.content for message in request.messages]
        while len(said) > 2 and said[-1].startswith(complaint):
            del said[-2:]
        asked[str(request.rollout), *said[:-1], said[-1].partition(f"\n\n{errors}")[0]] += 1
    return sum(times == 1 for times in asked.values()) / len(asked) if asked else None


def changed_lines(folder: Path, name: str) -> int:
    """Return how many lines of a prompt file were replaced, added or taken away since it was recorded."""
    then, now = (
        file.read_text("utf-8").splitlines() if file is not None and file.is_file() else []
        for file in (folder / PROMPTS / name, shipped_prompts().get(name))
    )
    codes = SequenceMatcher(None, then, now, autojunk=False).get_opcodes()
    return sum(max(t2 - t1, n2 - n1) for kind, t1, t2, n1, n2 in codes if kind != "equal")


def _head(template: str) -> str:
    return template.partition("{{")[0].strip()


def _print(found: dict[str, Any]) -> None:
    changed = ", ".join(f"{name} ({lines} lines)" for name, lines in found["changed_prompts"].items())
    phases = ", ".join(f"{phase} {calls}" for phase, calls in found["by_phase"].items())
    share = found["parsed_at_first_try"]
    print(found["folder"])
    print(f"  how: {found['how'] or 'it does not say'}")
    print(f"  made: {found['begun']}, agentsym {found['agentsym']}, {', '.join(found['models']) or 'no model'}")
    print(f"  calls: {found['calls']}{f' ({phases})' if phases else ''}")
    print(f"  parsed at the first try: {'nothing to parse' if share is None else f'{share:.1%}'}")
    print(f"  prompts changed since: {changed or 'none'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the list; return 0, or the exit code of what could not be read."""
    parser = argparse.ArgumentParser(prog="python -m evals.recordings", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="recordings; by default all in tests/recordings")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    options = parser.parse_args(arguments)
    folders = options.folders or sorted(file.parent for file in RECORDINGS.rglob(TRAFFIC))
    try:
        found = [check(folder) for folder in folders]
    except AgentsymError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    for recording in found:
        _print(recording)
    if not found:
        print(f"there are no recordings in {RECORDINGS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
