"""Build a virtual environment for each library that is compared: `python -m evals.peers.build [NAME…]`.

The libraries' requirements exclude each other in part, and none of them may slow agentsym's own process down; so each
one lives apart, in the user's cache folder. What is there already, with the same versions, is kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from evals.peers import environments
from evals.peers.catalog import ENVIRONMENTS, Environment


def build(environment: Environment, *, force: bool = False) -> dict[str, Any]:
    """Build one environment, unless it is there already, and return a row about it.

    Args:
        environment: what is to be installed.
        force: builds it anew in any case.

    Raises:
        SystemExit: it could not be built; what the installer said went to stderr.
    """
    where, known = environments.folder(environment), environments.built(environment)
    if known is not None and not force:
        return {"name": environment.name, "folder": str(where), "kept": True, **_figures(known)}
    shutil.rmtree(where, ignore_errors=True)
    started = time.monotonic()
    _run([sys.executable, "-m", "venv", "--without-pip", str(where)], environment)
    _install(environment, environment.needs)
    if environment.alone:
        _install(environment, ("--no-deps", *environment.alone))
    found = {
        "seconds": round(time.monotonic() - started, 1),
        "mib": round(sum(file.stat().st_size for file in where.rglob("*") if not file.is_symlink()) / 2**20),
        "versions": _versions(where),
    }
    environments.write_down(environment, found)
    return {"name": environment.name, "folder": str(where), "kept": False, **_figures(found)}


def _install(environment: Environment, what: Sequence[str]) -> None:
    """Install by uv where it is at hand, else or where uv knows no way to the packages by pip."""
    python = str(environments.python(environment))
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        options = ["-q", "--system-certs", "--compile-bytecode", "--python", python]
        if not subprocess.run([uv, "pip", "install", *options, *what]).returncode:
            return
        print("uv could not install; trying with pip", file=sys.stderr)
    _run([sys.executable, "-m", "pip", "--python", python, "install", "-q", *what], environment)


def _run(command: Sequence[str], environment: Environment) -> None:
    if subprocess.run(command).returncode:
        shutil.rmtree(environments.folder(environment), ignore_errors=True)
        sys.exit(f"error: the environment of {environment.name} could not be built; what was said stands above")


def _versions(where: Path) -> dict[str, str]:
    """Return package → version of all that is installed in an environment."""
    paths = [str(path) for path in where.glob("**/site-packages")]
    return {found.name: found.version for found in metadata.distributions(path=paths)}


def _figures(known: dict[str, Any]) -> dict[str, Any]:
    return {"seconds": known["seconds"], "mib": known["mib"], "packages": len(known["versions"])}


def main() -> None:
    """Build what is named, or everything, and say of each what was done."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.peers.build", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENVIRONMENTS)} (default all)")
    parser.add_argument("--force", action="store_true", help="build anew what is there already")
    parser.add_argument("--json", action="store_true", help="one JSON document at the end instead of lines")
    args = parser.parse_args()
    if strangers := [name for name in args.names if name not in ENVIRONMENTS]:
        parser.error(f"there is no library {strangers[0]!r}; there are {', '.join(ENVIRONMENTS)}")
    rows = []
    for name in args.names or ENVIRONMENTS:
        if not args.json:
            print(f"{name}: {' '.join((*ENVIRONMENTS[name].alone, *ENVIRONMENTS[name].needs))}", flush=True)
        row = build(ENVIRONMENTS[name], force=args.force)
        rows.append(row)
        if not args.json:
            done = "there already, built" if row["kept"] else "built"
            size = f"{row['packages']} packages, {row['mib']:,} MiB"
            print(f"  {done} in {row['seconds']:.0f} s: {size}, in {row['folder']}", flush=True)
    if args.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
