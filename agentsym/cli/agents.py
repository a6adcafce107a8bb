"""Finding the AGENT of a command: a folder, a YAML file, `file.py:name`, `module:name`, or a shipped pipeline.

The first that fits counts, in that order; when nothing does, the error says what was tried and what is near.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agentsym.cli.screen import warn
from agentsym.errors import UsageError
from agentsym.network.code import load_file, shipped_folder

if TYPE_CHECKING:
    from agentsym.network.network import Network

SETS = ("train", "val", "test")
CODE = "agent.py"
SAVED = "agent.yaml"
NAME = "agent"
EMBEDDED = "embedded"


class Found(NamedTuple):
    """An agent that was found.

    Attributes:
        agent: the agent.
        name: the reference as it was written.
        reference: the same, but good from any working directory.
        folder: where its data lies, in `data/`; None for one of a module.
    """

    agent: Network
    name: str
    reference: str
    folder: Path | None = None

    def data(self, kind: str) -> Path | None:
        """Return the file `data/KIND.jsonl` of the agent's folder, if it is there."""
        file = self.folder / "data" / f"{kind}.jsonl" if self.folder else None
        return file if file is not None and file.is_file() else None


def find_agent(name: str) -> Found:
    """Find an agent by what a person wrote.

    Raises:
        UsageError: there is none, or what is there is no agent; says what was tried, and what is near.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return _in_folder(path, name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return _saved(path, name)
    place, colon, attribute = name.rpartition(":")
    file = Path(place if colon else name).expanduser()
    if file.suffix == ".py":
        return _in_file(file, attribute if colon else NAME, name)
    if colon and all(part.isidentifier() for part in place.split(".")):
        return _in_module(place, attribute, name)
    if name in shipped_pipelines():
        return _in_folder(shipped_folder("pipelines") / name, name)._replace(reference=name)
    raise UsageError(_not_found(name))


def check_models(found: Found, student: str | None) -> str:
    """Find out before the first call whether somebody answers for the student and for the models that nodes name.

    Warns of a student that is not the one that the agent was tuned with.

    Returns:
        The student's model string: as given, else `AGENTSYM_STUDENT`, else the embedded one.

    Raises:
        UsageError: nobody answers for one of them.
    """
    from agentsym.models.resolve import resolve

    name = student or os.environ.get("AGENTSYM_STUDENT") or EMBEDDED
    resolve(name)
    from agentsym.learning.node_models import asks_student, models_asked

    for model in models_asked(found.agent):
        resolve(model)
    tuned = found.agent.tuned_with.get("student", name).partition(" at ")[0]
    if tuned != name and asks_student(found.agent):
        warn(f"{found.name} was tuned with the student {tuned}; {name} may do worse with its prompts")
    return name


def shipped_pipelines() -> list[str]:
    """Return the names of the pipelines that ship with agentsym."""
    return sorted(file.parent.name for file in shipped_folder("pipelines").glob(f"*/{CODE}"))


def _in_folder(folder: Path, name: str) -> Found:
    if (folder / SAVED).is_file():
        return _saved(folder / SAVED, name)._replace(reference=str(folder.resolve()))
    if (folder / CODE).is_file():
        return _in_file(folder / CODE, NAME, name)._replace(reference=str(folder.resolve()))
    shipped = (
        "; the shipped pipeline of that name is found from any other folder" if name in shipped_pipelines() else ""
    )
    raise UsageError(f"{folder} is a folder, but there is neither an {SAVED} nor an {CODE} in it{shipped}")


def _saved(file: Path, name: str) -> Found:
    from agentsym.network.files import load

    return Found(load(file), name, str(file.resolve()), file.parent.resolve())


def _in_file(file: Path, attribute: str, name: str) -> Found:
    if not file.is_file():
        raise UsageError(f"{file}: there is no such Python file{_near(file.name, _names_beside(file))}")
    agent = _agent_of(load_file(file.resolve(), file.name), attribute, str(file))
    return Found(agent, name, f"{file.resolve()}:{attribute}", file.parent.resolve())


def _in_module(module: str, attribute: str, name: str) -> Found:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        loaded = importlib.import_module(module)
    except Exception as error:
        raise UsageError(
            f"{name}: the module {module!r} cannot be imported ({type(error).__name__}: {error})"
        ) from error
    return Found(_agent_of(loaded, attribute, module), name, name)


def _agent_of(module: Any, attribute: str, place: str) -> Network:
    from agentsym.network.network import Network

    found = getattr(module, attribute, None)
    if isinstance(found, Network):
        return found
    agents = [known for known, value in vars(module).items() if isinstance(value, Network)]
    there = f"; its agents are: {', '.join(agents)} (write {place}:{agents[0]})" if agents else "; it defines no Agent"
    what = "has no" if found is None else f"holds {type(found).__name__}, no Agent, under"
    raise UsageError(f"{place} {what} {attribute!r}{there}")


def _not_found(name: str) -> str:
    tried = "it is no folder, no YAML file, no file.py:name, no module:name and no shipped pipeline"
    known = [*shipped_pipelines(), *_agent_folders(Path())]
    near = _near(name, known) or f"; shipped are: {', '.join(shipped_pipelines())}"
    return f"there is no agent {name!r}: {tried}{near}"


def _agent_folders(place: Path) -> list[str]:
    return sorted(file.parent.name for saved in (SAVED, CODE) for file in place.glob(f"*/{saved}"))


def _names_beside(file: Path) -> list[str]:
    return [other.name for other in file.parent.glob("*.py")] if file.parent.is_dir() else []


def _near(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else ""
