"""What a user gets: the wheel, installed into a fresh environment, used from an empty folder outside the checkout.

An editable install would find the checkout's own folders and the developers' extras, and so hide what the wheel lacks.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

from tests.test_packaging import ROOT, build

pytestmark = pytest.mark.xdist_group("wheel")  # one environment serves all tests of this file

MESSAGE = {"message": "My card was charged twice", "arrived": "2026-11-23T09:30"}
SHARES = {"train": 40, "val": 20, "test": 20}  # rows of the training
PIP = (sys.executable, "-m", "pip")
EXTRAS = (
    *("litellm", "torch", "transformers", "pandas", "pyarrow", "langchain_openai"),
    *("fastapi", "mcp", "psycopg", "ray"),
)
OURS_ALONE = ("tools", "pipelines", "evals", "tests", "examples")

# A script that alembic runs, and what is imported only after a look whether its extra is there.
IMPORT_ALL = """
EXCEPT = ("agentsym.store.migrations.env", "agentsym.deploy.server.", "agentsym.store.postgres_texts")
import importlib, importlib.util, pkgutil, sys
import agentsym
there = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
assert not there, there
for module in pkgutil.walk_packages(agentsym.__path__, "agentsym."):
    if not module.name.startswith(EXCEPT):
        importlib.import_module(module.name)
"""


class Installed(NamedTuple):
    """A fresh environment with the wheel in it, and the empty folder to work in."""

    environment: Path
    folder: Path

    def run(self, *command: str) -> str:
        """Run a program of the environment, with no variable that could lead it back; return what it printed."""
        done = subprocess.run(
            [str(self.environment / "bin" / command[0]), *command[1:]],
            cwd=self.folder,
            env={"PATH": os.defpath, "HOME": str(self.folder), "AGENTSYM_HOME": str(self.environment / "store")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def packages(self) -> Path:
        """The environment's site-packages."""
        (found,) = self.environment.glob("lib/python*/site-packages")
        return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("wheel")
    wheel = build("wheel", ROOT, place / "dist")
    environment = place / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    install(wheel, environment / "bin" / "python")
    (place / "work").mkdir()
    return Installed(environment, place / "work")


def install(wheel: Path, python: Path) -> None:
    """Install the wheel and what it depends on, as the Makefile does: by uv, or by pip where uv reaches nothing."""
    what = ["-q", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    by_uv = [[uv, "pip", "install", "--system-certs", "--python", str(python), *what]] if uv else []
    said = ""
    for command in [*by_uv, [*PIP, "--python", str(python), "install", *what]]:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            return
        said += done.stderr
    probe = [*PIP, "download", "-q", "--no-deps", "-d", str(wheel.parent), "platformdirs"]
    if subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("no package can be had here, neither by uv nor by pip")
    pytest.fail(f"the wheel cannot be installed:\n{said}")


def answer(printed: str) -> dict[str, str]:
    """Return the output of `agentsym run … --json`."""
    document = json.loads(printed)
    return dict(document["output"])


def shortened(file: Path, folder: Path, rows: int) -> str:
    """Copy the first rows of a file into a folder; return the copy's name there."""
    with file.open(encoding="utf-8") as lines:
        (folder / file.name).write_text("".join(islice(lines, rows)), "utf-8")
    return file.name


def test_a_copy_of_a_shipped_pipeline_runs_and_is_trained_and_what_was_learned_runs_again(installed: Installed) -> None:
    given = json.dumps(MESSAGE)
    installed.run("agentsym", "new", "mine", "--from", "support_triage")
    before = answer(installed.run("agentsym", "run", "mine", "--input", given, "--json"))
    assert set(before) == {"intent", "urgency", "due"}
    mine = installed.folder / "mine" / "data"
    few = {name: shortened(mine / f"{name}.jsonl", installed.folder, rows) for name, rows in SHARES.items()}
    flags = [flag for name, file in few.items() for flag in (f"--{name}", file)]
    printed = installed.run("agentsym", "optimize", "mine", "--steps", "1", *flags, "--out", "better", "--json")
    assert json.loads(printed)["steps"] == 1
    assert (installed.folder / "better" / "agent.yaml").is_file()
    after = answer(installed.run("agentsym", "run", "better", "--input", given, "--json"))
    assert set(after) == set(before)


def test_a_shipped_pipeline_is_found_by_its_name(installed: Installed) -> None:
    found = answer(installed.run("agentsym", "run", "support_triage", "--input", json.dumps(MESSAGE), "--json"))
    assert found["intent"] == "billing_error"


def test_only_agentsym_can_be_imported(installed: Installed) -> None:
    program = "import importlib.util as u, sys; print([name for name in sys.argv[1:] if u.find_spec(name)])"
    assert installed.run("python", "-c", program, "agentsym", *OURS_ALONE) == "['agentsym']\n"


def test_no_module_misses_an_extra(installed: Installed) -> None:
    installed.run("python", "-W", "error", "-c", IMPORT_ALL, *EXTRAS)


def test_nothing_that_is_installed_runs_by_itself_or_hides(installed: Installed) -> None:
    packages = installed.packages
    assert [file.name for file in packages.glob("*.pth") if re.search(r"(?m)^import[ \t]", file.read_text())] == []
    (record,) = packages.glob("agentsym-*.dist-info/RECORD")
    ours = [PurePosixPath(row[0]) for row in csv.reader(record.read_text("utf-8").splitlines())]
    assert len(ours) > 100
    assert [str(path) for path in ours if path.suffix == ".pth"] == []
    assert [str(path) for path in ours if any(re.match(r"\.[^.]", part) for part in path.parts)] == []
