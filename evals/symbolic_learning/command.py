"""The command line of a task: flags, what a resumed run takes from its beginning, and the order of things.

`python -m evals.hotpotqa` and `python -m evals.humaneval` differ in their task alone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from agentsym.cli.caps import CONCURRENCY, Caps
from agentsym.cli.screen import guarded
from agentsym.errors import UsageError
from agentsym.learning.parts import OPTIMIZERS
from evals.symbolic_learning.data import VARIABLE, part, read
from evals.symbolic_learning.double import SCRIPTED
from evals.symbolic_learning.report import show, show_plan
from evals.symbolic_learning.run import Plan, begun_with, learn, planned
from evals.symbolic_learning.task import Problem, Task

Instead = Callable[[argparse.Namespace, Sequence[Problem]], int | None]
_DECIDED = (
    "student",
    "teacher",
    "optimizer",
    "gate",
    "steps",
    "batch",
    "patience",
    "split",
    "seed",
    "samples",
    "repeats",
)
"""What a run is begun with, and a resumed one takes from there."""


def command(
    task: Task,
    argv: Sequence[str] | None,
    about: str,
    *,
    add: Callable[[argparse.ArgumentParser], None] | None = None,
    instead: Instead | None = None,
) -> int:
    """Do what the flags ask for and return the exit code, as `agentsym optimize` has it.

    Args:
        task: the task.
        argv: the flags; those of the process by default.
        about: what `--help` says first.
        add: adds flags that only this task has.
        instead: does what those flags ask for, and returns its exit code; None where they ask for nothing.
    """
    parser = _parser(task, about)
    if add is not None:
        add(parser)
    options = parser.parse_args(argv)
    return guarded(lambda: _do(task, options, instead), as_json=options.json)


def _do(task: Task, options: argparse.Namespace, instead: Instead | None) -> int:
    folder = options.data or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    caps = Caps(options.max_calls, options.max_tokens, options.max_usd, options.max_seconds, options.concurrency)
    if options.resume is None:
        resume, plan = None, _plan(options, task)
    else:
        resume, plan = _resumed(options, task)
    problems = read(folder, task.files[plan.split], task.needs)
    if instead is not None and (code := instead(options, problems)) is not None:
        return code
    if plan.is_scripted and caps.max_usd is not None:
        raise UsageError("the scripted model costs nothing, so leave out --max-usd, or name --student and --teacher")
    parts = part(problems, task.key, plan.seed)
    if options.dry_run:
        show_plan(planned(task, plan, parts, caps), as_json=options.json)
        return 0
    document, code = learn(task, plan, parts, caps, resume=resume, out=options.out)
    show(document, as_json=options.json)
    return code


def _plan(options: argparse.Namespace, task: Task) -> Plan:
    given = {name: value for name in _DECIDED if (value := getattr(options, name)) is not None}
    models = {
        "student": options.student or os.environ.get("AGENTSYM_STUDENT"),
        "teacher": options.teacher or os.environ.get("AGENTSYM_TEACHER"),
    }
    if missing := [name for name, model in models.items() if not model]:
        if len(missing) == 1:
            raise UsageError(f"name the {missing[0]} too, with --{missing[0]}; without both a scripted model answers")
        models = {"student": SCRIPTED, "teacher": SCRIPTED}
    if SCRIPTED in models.values() and len(set(models.values())) > 1:
        raise UsageError(f"{SCRIPTED} is student and teacher together; leave out both flags, or name two other models")
    return Plan.model_validate({"split": next(iter(task.files)), **given, **models, "eval": task.name})


def _resumed(options: argparse.Namespace, task: Task) -> tuple[str, Plan]:
    """Return the run to go on with and what it was begun with.

    Raises:
        UsageError: there is no such run, it is of something else, or a flag is given that it has decided.
    """
    if decided := [f"--{name}" for name in (*_DECIDED, "dry_run") if getattr(options, name) not in (None, False)]:
        raise UsageError(
            f"--resume takes models and settings from the run, so leave out {', '.join(decided).replace('_', '-')}; "
            "only --data, --out, --json, --concurrency and the caps may be given anew"
        )
    return begun_with(options.resume, task.name)


def _parser(task: Task, about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m evals.{task.name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help=f"folder of the data (default: {VARIABLE})")
    add("--split", choices=list(task.files), help=f"which problems (default {next(iter(task.files))})")
    add("--student", metavar="MODEL", help="runs the agent; needs --teacher")
    add("--teacher", metavar="MODEL", help="criticises and rewrites; needs --student")
    add("--optimizer", choices=OPTIMIZERS, help="who learns (default symbolic; paper: Algorithm 1)")
    add("--gate", metavar="NAME", help="what decides on a version (default: the optimizer's own)")
    add("--steps", type=_at_least(0), metavar="N", help="most steps (default 10)")
    add("--batch", type=_at_least(1), metavar="N", help="rows a step (default: the optimizer's own)")
    add("--patience", type=_at_least(1), metavar="N", help="stop after N steps without gain (default 5)")
    add("--samples", type=_at_least(1), metavar="N", help="answers to each problem when it is scored (default 1)")
    add("--repeats", type=_at_least(1), metavar="N", help="runs of a row to judge an edit by (default 1)")
    add("--seed", type=int, metavar="N", help="of the split and the run (default 0)")
    add("--concurrency", type=_at_least(1), default=CONCURRENCY, metavar="N", help="calls in flight (default 8)")
    add("--max-calls", type=_at_least(1), metavar="N", help="cap on model calls")
    add("--max-tokens", type=_at_least(1), metavar="N", help="cap on tokens")
    add("--max-usd", type=_above_0, metavar="X", help="cap on US dollars")
    add("--max-seconds", type=_above_0, metavar="X", help="start no model call after X seconds")
    add("--out", type=Path, metavar="DIR", help="save the best agent there")
    add("--resume", nargs="?", const="last", metavar="RUN", help="go on with a run of this task (default: its last)")
    add("--dry-run", action="store_true", help="say what would run, without any model call")
    add("--json", action="store_true", help="one JSON document instead of a table")
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        value = int(text) if text.lstrip("-").isdigit() else least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r}: it must be a whole number, {least} or more")
        return value

    return whole


def _above_0(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: it must be a number above 0")
    return value
