"""`agentsym doctor`: what this installation has and what it lacks, so that a person need not guess.

It reads names, versions and folders, and asks the store whether it answers: no key is shown, nothing is made, nobody
else is called.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentsym.cli import options
from agentsym.cli.screen import emit, screen

_EXTRA = re.compile(r"""^([\w.-]+).*;.*\bextra == ['"](\w+)['"]""")
_FOR_DEVELOPERS = "dev"


def doctor(as_json: options.Json = False) -> None:
    """Say what is installed, which keys are set, where data lie, and in which sandbox learned code runs."""
    from importlib.metadata import version

    found = {
        "agentsym": version("agentsym"),
        "python": {"version": platform.python_version(), "executable": sys.executable, "system": platform.platform()},
        "extras": _extras(),
        "keys": _keys(),
        "store": _store(),
        "cache": _place(_cache_path()),
        "sandbox": _sandbox(),
    }
    if as_json:
        emit(found)
    else:
        _show(found)


def _extras() -> dict[str, dict[str, str | None]]:
    """Return extra → package → its version, None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, requires, version

    extras: dict[str, dict[str, str | None]] = {}
    for needed in requires("agentsym") or []:
        if (match := _EXTRA.match(needed)) and match[2] != _FOR_DEVELOPERS:
            try:
                installed = version(match[1])
            except PackageNotFoundError:
                installed = None
            extras.setdefault(match[2], {})[match[1]] = installed
    return dict(sorted(extras.items()))


def _keys() -> dict[str, list[str]]:
    """Return provider → the variables with a key for it that are set; never what they hold."""
    from agentsym.models.providers import providers

    set_ = {
        prefix: [name for name in provider.key if os.environ.get(name, "").strip()]
        for prefix, provider in providers().items()
    }
    return {prefix: names for prefix, names in set_.items() if names}


def _store() -> dict[str, Any]:
    """Say which store it is, and whether it answers; what is missing is not made."""
    from agentsym.errors import AgentsymError
    from agentsym.store import default_place
    from agentsym.store.database import look

    place = default_place()
    file = _place(place) if isinstance(place, Path) else None
    found = file or {"path": str(place), "exists": False, "writable": True, "problem": ""}
    if found["problem"] or (file and not file["exists"]):
        return {**found, "schema": None}
    try:
        schema = look(place)
    except AgentsymError as error:
        return {**found, "writable": False, "problem": str(error), "schema": None}
    return {**found, "exists": schema is not None, "schema": schema}


def _cache_path() -> Path:
    from agentsym.models.cache import default_cache_path

    return default_cache_path()


def _place(path: Path) -> dict[str, Any]:
    """Say whether a file is there and whether it can be written; what is missing is not made."""
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    if path.exists():
        problem = "" if path.is_file() else "it is no file"
    else:
        problem = "" if nearest.is_dir() else f"{nearest} is no folder"
    if not problem and not os.access(nearest, os.W_OK):
        problem = f"{nearest} may not be written"
    return {"path": str(path), "exists": path.exists(), "writable": not problem, "problem": problem}


def _sandbox() -> dict[str, Any]:
    """Try every level; the first that works is the one in use."""
    from agentsym.runtime.sandbox.find import judge
    from agentsym.runtime.sandbox.levels import levels

    verdicts = [{**judge(level)._asdict(), "about": level.about} for level in levels()]
    return {"level": next((each["level"] for each in verdicts if each["works"]), None), "levels": verdicts}


def _show(found: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    python = found["python"]
    table.add_row("agentsym", found["agentsym"])
    table.add_row("Python", f"{python['version']} on {python['system']}, {python['executable']}")
    for extra, packages in found["extras"].items():
        missing = [name for name, version in packages.items() if version is None]
        installed = ", ".join(f"{name} {version}" for name, version in packages.items() if version is not None)
        hint = f"without {', '.join(missing)}: pip install 'agentsym[{extra}]'" if missing else ""
        table.add_row(f"extra {extra}", "; ".join(filter(None, [installed, hint])))
    keys = [f"{prefix} ({', '.join(names)})" for prefix, names in found["keys"].items()]
    table.add_row("keys", ", ".join(keys) or "none is set; the embedded models need none")
    for name in ("store", "cache"):
        place = found[name]
        there = f"there, schema {place['schema']}" if place.get("schema") else "there"
        state = place["problem"] or (there if place["exists"] else "not there yet, can be made")
        table.add_row(name, f"{place['path']} ({state})")
    level = found["sandbox"]["level"]
    table.add_row("sandbox", level or "none works here: learned code is refused, prompts and structure can be learned")
    for each in found["sandbox"]["levels"]:
        about = f"works: {each['about']}{_made_of(each['found'])}" if each["works"] else f"missing: {each['reason']}"
        table.add_row(f"  {each['level']}", about)
    screen().print(table)


def _made_of(found: Mapping[str, Any]) -> str:
    """Say what a level lacks on this kernel."""
    lacks = []
    if not found["landlock"]:
        lacks.append("Landlock")
    if found["namespaces"] != "yes":
        lacks.append(f"namespaces ({found['namespaces']}; so tools have no scratch folder)")
    return f"; without {' and '.join(lacks)}" if lacks else ""
