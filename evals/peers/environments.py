"""Where the libraries' environments lie, and whether they hold what the catalog asks for.

They are in the user's cache folder, so that every checkout uses the same ones.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from evals.peers.catalog import Environment

_STAMP = "built.json"


def folder(environment: Environment) -> Path:
    """Return the folder of a library's environment, whether it is there or not."""
    return user_cache_path("agentsym") / "peers" / environment.name


def python(environment: Environment) -> Path:
    """Return the interpreter of a library's environment, whether it is there or not."""
    return folder(environment) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def built(environment: Environment) -> dict[str, Any] | None:
    """Return what was written down when an environment was built; None where it is missing, half-built or outdated."""
    try:
        stamp: dict[str, Any] = json.loads((folder(environment) / _STAMP).read_text())
    except (OSError, ValueError):
        return None
    return stamp if stamp.get("asked") == _asked(environment) and python(environment).exists() else None


def write_down(environment: Environment, found: dict[str, Any]) -> None:
    """Mark an environment as built, with what is known of it."""
    (folder(environment) / _STAMP).write_text(json.dumps({"asked": _asked(environment), **found}, indent=1))


def how_to_build(environment: Environment) -> str:
    """Return the command that builds an environment."""
    return f"python -m evals.peers.build {environment.name}"


def _asked(environment: Environment) -> list[list[str]]:
    return [list(environment.needs), list(environment.alone)]
