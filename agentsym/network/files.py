"""Saving an agent as text that a person can read, diff and review, and loading it again.

A folder holds `agent.yaml`, for code that is learned `tools/*.py` with its tests in `tools/*_test.py`, and skills in
`skills/NODE/*.md`; what is loaded has the version that was saved, unless a person has changed a file in between.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import ValidationError

from agentsym.errors import NetworkError, UsageError
from agentsym.network.canonical import FrozenDict, short_id
from agentsym.network.code import CodeRef, find, global_of, require_saveable
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, Tool, ToolNode
from agentsym.network.remote import RemoteRef
from agentsym.network.yaml_text import read_yaml, write_yaml

N = TypeVar("N", bound=Network)
AGENT_FILE = "agent.yaml"
_FILES = {
    "code": {"value": (".py", "file", "sha256"), "tests": ("_test.py", "tests_file", "tests_sha256")},
    "text": {"value": (".md", "file", "sha256")},
}
"""Kind and field of a parameter that is a file → the end of its name, and the entries of the YAML with file and hash.

Of the texts only skills are files.
"""
_FOLDERS = ("tools/", "skills/")


def save(network: Network, folder: str | Path, tuned_with: Mapping[str, str] | None = None) -> Path:
    """Write an agent into a folder and return the folder.

    A new folder appears at once or not at all. In an agent's folder that exists, the agent's own files are replaced
    one by one, `agent.yaml` last, and other files stay.

    Args:
        network: the agent; it must be legal.
        folder: a new or empty folder, or one with an `agent.yaml`.
        tuned_with: the model strings it was tuned with; by default those it was loaded with.

    Raises:
        NetworkError: when the agent is illegal or code of it could not be found again.
        UsageError: when the folder is something else than an agent's.
    """
    network.check()
    target = Path(folder).resolve()
    is_free = not target.exists() or (target.is_dir() and not any(target.iterdir()))
    if not is_free and not (target / AGENT_FILE).is_file():
        raise UsageError(
            f"{folder}: this is no agent's folder (it has no {AGENT_FILE}); choose another or an empty one"
        )
    files = _written(network, target, dict(network.tuned_with if tuned_with is None else tuned_with))
    stale = set() if is_free else _own_files(target) - files.keys()
    target.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name, text in files.items():
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).write_bytes(text.encode("utf-8"))
        if is_free:
            stage.chmod(0o777 & ~_umask())
            if target.exists():
                target.rmdir()
            stage.rename(target)
            return target
        for name in sorted(files, key=lambda name: name == AGENT_FILE):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).replace(target / name)
        for name in stale:
            (target / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return target


def load(path: str | Path, cls: type[N] = Network) -> N:  # type: ignore[assignment]
    """Read an agent from its folder or its YAML file; `tuned_with` of the result is what the file says.

    Warns when a file of code or a skill is not what was saved: what is there now counts.

    Raises:
        UsageError: when there is no such file or it is not YAML.
        NetworkError: when it does not describe a legal agent; the message names the file and the place.
    """
    file = Path(path)
    if file.is_dir():
        file /= AGENT_FILE
    if not file.is_file():
        raise UsageError(f"{path}: there is no {AGENT_FILE} here; name an agent's folder or its YAML file")
    folder = file.resolve().parent
    plain = read_yaml(file)
    tuned_with, found_in = (_strings(plain.pop(key, {}), file, key) for key in ("tuned_with", "code_folders"))
    for where, parameter in _parameters(plain):
        _read_files(parameter, folder, f"{file}: {where}")
    try:
        network = cls.model_validate(plain)
    except ValidationError as error:
        problems = [f"{_place(plain, item['loc'])}: {item['msg']}" for item in error.errors(include_url=False)]
        raise NetworkError(f"{file} does not describe an agent:", problems) from error
    except NetworkError as error:
        raise NetworkError(f"{file} describes an agent that is not legal:", error.problems or [str(error)]) from error
    except (TypeError, ValueError) as error:
        raise NetworkError(f"{file} does not describe an agent: {error}") from error
    for _, holder in code_holders(network):
        place = holder.code_ref.ref.rpartition(":")[0] if holder.code_ref else ""
        holder._folder = folder / found_in.get(place, "")
    network._tuned_with = FrozenDict(tuned_with)
    return network


def check_saveable(network: Network) -> None:
    """Raise NetworkError where the agent refers to code that a saved agent could not find again."""
    for where, holder in code_holders(network):
        if holder.code_ref is not None:
            require_saveable(holder.code_ref, where)


def _written(network: Network, target: Path, tuned_with: dict[str, str]) -> dict[str, str]:
    """Return the agent's files: relative name → text."""
    folders: dict[str, str] = {}
    for where, holder in code_holders(network):
        if holder.code_ref is not None:
            require_saveable(holder.code_ref, where)
            folders.update(_found_in(holder, holder.code_ref, where, target))
    plain = {"schema_version": network.schema_version, **network.model_dump(mode="json", exclude_defaults=True)}
    files: dict[str, str] = {}
    for where, parameter in _parameters(plain):
        if stem := _stem(where, parameter["kind"], files):
            for field, (ending, name, digest) in _FILES[parameter["kind"]].items():
                if text := parameter.pop(field, ""):
                    files[f"{stem}{ending}"] = f"{text}\n" if ending == ".md" else text
                    parameter |= {name: f"{stem}{ending}", digest: _sha256(text)}
        if parameter["kind"] in ("rules", "examples"):
            parameter["value"] = [_without_id(item) for item in parameter.pop("value", ())]
    beside = {"tuned_with": tuned_with, "code_folders": folders}
    return {**files, AGENT_FILE: write_yaml({**plain, **{key: value for key, value in beside.items() if value}})}


def _found_in(holder: Tool | FunctionNode, code: CodeRef | RemoteRef, where: str, target: Path) -> dict[str, str]:
    """Return place → folder for code in a `file.py`: where it lies, seen from the agent's new folder.

    The reference itself stays as it is, since it is part of the version and the place on the disk is not. A folder
    outside the agent's is written in full.
    """
    if isinstance(code, RemoteRef):
        return {}
    place, folder = code.ref.rpartition(":")[0], code_folder(holder)
    try:
        find(code, folder)
    except UsageError as error:
        raise NetworkError(
            f"{where}: its code could not be found again ({error}); give the function or object a global name "
            "in a module or file, and the node of an object the same name"
        ) from error
    if not place.endswith(".py") or Path(place).is_absolute():
        return {}
    folder = (folder or Path()).resolve()
    relative = str(folder.relative_to(target)) if folder.is_relative_to(target) else str(folder)
    return {} if relative == "." else {place: relative}


def code_folder(holder: Tool | FunctionNode) -> Path | None:
    """Return the folder that code in a `file.py` is relative to: that of the live code, else where it was loaded."""
    place = holder.code_ref.ref.rpartition(":")[0] if holder.code_ref else ""
    live = holder._function if isinstance(holder, Tool) else holder._target
    if place.endswith(".py") and live is not None:
        named = hasattr(live, "__qualname__")
        module = sys.modules.get(getattr(live, "__module__", "")) if named else global_of(live)[0]
        file = Path(getattr(module, "__file__", None) or place).resolve()
        if PurePosixPath(file.as_posix()).parts[-len(Path(place).parts) :] == Path(place).parts:
            return file.parents[len(Path(place).parts) - 1]
    return holder._folder


def code_holders(network: Network, prefix: str = "") -> Iterator[tuple[str, Tool | FunctionNode]]:
    """Yield everything that may refer to code of the user's, with its path."""
    for tool in network.tools:
        yield f"{prefix}{tool.name}", tool
    for node in network.nodes:
        match node:
            case ToolNode():
                yield f"{prefix}{node.id}", node.tool
            case FunctionNode():
                yield f"{prefix}{node.id}", node
            case AgentNode():
                yield from code_holders(node.agent, f"{prefix}{node.id}/")
            case _:
                pass


def _parameters(plain: Any, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every parameter of a network's plain data with its path, as far as the data has the right shape."""
    if not isinstance(plain, dict):
        return
    for holder in (*_dicts(plain.get("nodes")), *_dicts(plain.get("tools"))):
        name = holder.get("id", holder.get("name"))
        yield from _parameters(holder.get("agent"), f"{prefix}{name}/")
        tool = holder.get("tool")
        parameters = (tool if isinstance(tool, dict) else holder).get("parameters")
        for key, parameter in parameters.items() if isinstance(parameters, dict) else ():
            if isinstance(parameter, dict):
                yield f"{prefix}{name}/{key}", parameter


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _stem(where: str, kind: str, taken: Mapping[str, str]) -> str:
    """Return where the files of a parameter lie, unlike every other file; "" for one that is written into the YAML.

    `reply_by/code` lies in `tools/reply_by`, `triage/skills/returns` in `skills/triage/returns`.
    """
    owner, _, name = where.rpartition("/")
    if kind == "code":
        stem = f"tools/{where.removesuffix('/code')}"
    elif kind == "text" and owner.endswith("/skills"):
        stem = f"skills/{owner.removesuffix('/skills')}/{name}"
    else:
        return ""
    lower = {name.lower() for name in taken}
    while any(f"{stem}{ending}".lower() in lower for ending, *_ in _FILES[kind].values()):
        stem += "_"
    return stem


def _read_files(parameter: dict[str, Any], folder: Path, where: str) -> None:
    """Put the texts of a parameter's files into their places; warn if they are not what was saved."""
    for field, (_, name, digest) in _FILES.get(str(parameter.get("kind")), {}).items():
        if name in parameter:
            saved = parameter.pop(digest, None)
            parameter[field] = _read_file(str(parameter.pop(name)), saved, folder, where, field)


def _read_file(name: str, saved: Any, folder: Path, where: str, field: str) -> str:
    """Return the text of a file of the agent; warns if it is not what was saved."""
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        raise NetworkError(f"{where}: {name} lies outside the agent's folder; put it into that")
    if not file.is_file():
        raise NetworkError(f"{where}: there is no file {name}; restore it, or write its text as `{field}`")
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise NetworkError(f"{where}: {name} is not UTF-8; save it as UTF-8") from error
    text = text.removesuffix("\n") if file.suffix == ".md" else text  # `save` ends a file of text with one
    found = _sha256(text)
    if saved is not None and found != saved:
        warnings.warn(
            f"{where}: {name} has changed since the agent was saved: it was {str(saved)[:12]}, it is {found[:12]} "
            "now; this is another version of the agent",
            stacklevel=4,
        )
    return text


def _own_files(folder: Path) -> set[str]:
    """Return the files of code and skills that belong to the agent in a folder, as its YAML names them."""
    entries = [name for fields in _FILES.values() for _, name, _ in fields.values()]
    names = {str(p.get(entry, "")) for _, p in _parameters(read_yaml(folder / AGENT_FILE)) for entry in entries}
    return {name for name in names if name.startswith(_FOLDERS) and (folder / name).resolve().is_relative_to(folder)}


def _without_id(item: dict[str, Any]) -> Any:
    """Leave out an id that comes from the content; such a rule is then just its text."""
    if "text" in item:
        return item["text"] if item["id"] == short_id("r", item["text"]) else item
    content = {key: item[key] for key in ("input", "output")}
    return content if item["id"] == short_id("e", list(content.values())) else item


def _strings(value: Any, file: Path, key: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise NetworkError(f"{file}: {key} must be a mapping of strings")
    return value


def _place(plain: Any, location: tuple[int | str, ...]) -> str:
    """Say where in the file an error is: list items by their id or name, pydantic's own tags left out."""
    names: list[str] = []
    for part in location:
        if isinstance(plain, list) and isinstance(part, int) and part < len(plain):
            plain = plain[part]
            named = plain.get("id") or plain.get("name") if isinstance(plain, dict) else None
            names.append(str(named or part))
        elif isinstance(plain, dict) and part in plain:
            plain = plain[str(part)]
            names.append(str(part))
        elif part == location[-1]:
            names.append(str(part))
    return ".".join(names)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
