"""All attacks on one kind of sandbox, one after the other, as this user or as `nobody`.

They share one world and one sandbox, as calls of one program do; what each did is looked up by the tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from agentsym.runtime.sandbox.levels import Level, levels
from agentsym.runtime.sandbox.process import ProcessSandbox
from agentsym.runtime.sandbox.protocol import LearnedCodeError, Limits
from tests.runtime.sandbox.attacks import ON_OTHERS, PRELUDE, Attack
from tests.runtime.sandbox.attacks_on_itself import ON_ITSELF
from tests.runtime.sandbox.world import NOBODY, SECRET, World, a_world

KEY = "sk-a-key-of-the-users"
LIMITS = Limits(cpu_s=10)
NEXT_CALL = """
import builtins, json, os
def f(x):
    try:
        left = [name for name in os.listdir("/tmp") if name]
    except OSError:
        left = []
    return [x * 2, json.loads(json.dumps(x)), len("abc"), left, print is builtins.print]
"""

# The kinds of sandbox: both levels, and what is left of them where the kernel has less to offer.
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "kernel": ("kernel", {}),
    "kernel without namespaces": ("kernel", {"missing = _namespaces()": "missing = str(None)"}),
    "bubblewrap": ("bubblewrap", {}),
    "bubblewrap without Landlock": ("bubblewrap", {"self._abi = landlock.version()": "self._abi = 0"}),
}


class Outcome(NamedTuple):
    """What an attack did: how it ended, what it answered, what is not as it was; and what the next call answered."""

    ends: str
    answer: object
    message: str
    harm: list[str]
    after: object


def attacks(kind: str) -> list[Attack]:
    """Return the attacks that tell something new on a kind of sandbox."""
    return ON_OTHERS if "without" in kind else [*ON_OTHERS, *ON_ITSELF]


def weakened(name: str, changes: Mapping[str, str]) -> Level:
    """Return a level with some lines of its program changed."""
    (found,) = (level for level in levels() if level.name == name)

    def command() -> Sequence[str]:
        *rest, program = found.command()
        for old, new in changes.items():
            assert old in program, "the program has changed: say anew how to do without that part"
            program = program.replace(old, new)
        return (*rest, program)

    return Level(f"weakened {name}", found.about, command)


@lru_cache
def outcomes(kind: str, user: str) -> dict[str, Outcome]:
    """Try all attacks; what each did, by name."""
    if user == "this user":
        return asyncio.run(_all(kind, attacks(kind)))
    done = subprocess.run([sys.executable, "-m", __name__, kind], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: Outcome(*outcome) for name, outcome in json.loads(done.stdout).items()}


async def _all(kind: str, tried: Sequence[Attack]) -> dict[str, Outcome]:
    sandbox = ProcessSandbox(weakened(*KINDS[kind]))
    os.environ["HARMLESS_API_KEY"] = KEY
    with a_world() as world:
        await sandbox.found()
        world.before = world.look()
        return {attack.name: await _try(sandbox, attack, world) for attack in tried}


async def _try(sandbox: ProcessSandbox, attack: Attack, world: World) -> Outcome:
    ends, answer, message = "", None, ""
    try:
        answer = await sandbox.call(
            PRELUDE + attack.source, "attack", {"w": world.names}, timeout_s=attack.seconds, limits=LIMITS
        )
    except LearnedCodeError as error:
        ends, message = error.reason, str(error)
    harm = world.harm()
    if SECRET in f"{answer}{message}" or KEY in f"{answer}{message}":
        harm.append("it knows a secret")
    return Outcome(ends, answer, message, harm, await sandbox.call(NEXT_CALL, "f", {"x": 4}, timeout_s=10))


def public_interpreter() -> str | None:
    """Return an interpreter of this version that every user may run."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for path in (sys.executable, *(f"{folder}/{name}" for folder in ("/usr/bin", "/usr/local/bin"))):
        real = os.path.realpath(path)
        try:
            subprocess.run([real, "-c", "pass"], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return real
    return None


def _become_nobody() -> None:
    """Go on as `nobody`, with an interpreter that he may run; all that is needed is loaded by now."""
    interpreter = public_interpreter()
    assert interpreter is not None
    sys._base_executable = sys.executable = interpreter  # type: ignore[attr-defined]
    sys.base_prefix = sys.base_exec_prefix = str(Path(interpreter).parent.parent)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


if __name__ == "__main__":
    weakened(*KINDS[sys.argv[1]]).command()  # reads the program, which may lie where nobody may not read
    _become_nobody()
    print(json.dumps(asyncio.run(_all(sys.argv[1], ON_OTHERS))))
