"""The files in deploy/, read as those who run them read them, as far as it takes to hold them against each other."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = ("agentsym-serve@.service", "agentsym-evolve.service")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class Instruction(NamedTuple):
    """An instruction of a Dockerfile, and the number of its stage, from 0."""

    stage: int
    word: str
    rest: str


def dockerfile(file: Path = DEPLOY / "Dockerfile") -> list[Instruction]:
    """Return the instructions of a Dockerfile; those before the first stage have the number -1."""
    lines = [line for line in file.read_text("utf-8").split("\n") if line.strip() and not line.startswith("#")]
    found: list[Instruction] = []
    stage = -1
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).split("\n"):
        word, _, rest = line.partition(" ")
        stage += word == "FROM"
        found.append(Instruction(stage, word, rest))
    return found


def environment(stage: int) -> dict[str, str]:
    """Return the variables that a stage of the Dockerfile sets."""
    pairs = [shlex.split(each.rest) for each in dockerfile() if each.stage == stage and each.word == "ENV"]
    return dict(pair.split("=", 1) for line in pairs for pair in line)  # type: ignore[misc]


def exec_form(word: str) -> list[str]:
    """Return the last stage's command of a kind, which has to be a list."""
    (found,) = [each.rest for each in dockerfile() if each.word == word]
    parsed: list[str] = json.loads(found)
    return parsed


def health_check() -> list[str]:
    """Return the command by which the image says whether it is well."""
    (found,) = [each.rest for each in dockerfile() if each.word == "HEALTHCHECK"]
    parsed: list[str] = json.loads(found.partition("CMD ")[2])
    return parsed


def compose(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return compose.yaml with its variables filled in, as for somebody who has set these."""
    found: dict[str, Any] = yaml.safe_load(filled((DEPLOY / "compose.yaml").read_text("utf-8"), variables or {}))
    return found


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Fill in `${NAME}` and `${NAME:-default}`."""
    return _VARIABLE.sub(lambda match: variables.get(match[1]) or match[2] or "", text)


def unit(name: str) -> dict[str, list[str]]:
    """Return key → values of a systemd unit."""
    found: dict[str, list[str]] = {}
    text = re.sub(r"\\\n\s*", "", (DEPLOY / name).read_text("utf-8"))
    for line in text.split("\n"):
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def unit_command(name: str, instance: str = "8000") -> list[str]:
    """Return the command of a unit, for an instance and with the variables of agentsym.env."""
    (line,) = unit(name)["ExecStart"]
    return shlex.split(filled(line.replace("%i", instance), env_file(DEPLOY / "agentsym.env")))


def env_file(file: Path) -> dict[str, str]:
    """Return the variables of an environment file."""
    lines = [line for line in file.read_text("utf-8").split("\n") if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)  # type: ignore[misc]


def flag(command: Sequence[str], name: str) -> str:
    """Return the value of a flag, in either way to write it."""
    for at, word in enumerate(command):
        if word == name:
            return command[at + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    raise AssertionError(f"{name} is not in {command}")


def seconds(text: str) -> float:
    """Return how long `45s` or `45` is."""
    return float(text.removesuffix("s"))
