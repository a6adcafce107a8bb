"""References to a user's code: how a function is named in a saved agent, found again, and checked for change.

A reference is `module:name`, `file.py:name` (relative to the agent's folder) or `shipped:name` (the tool
library); with it goes the hash of the source, so that changed code is noticed when an agent is loaded.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentsym.errors import NetworkError, UsageError
from agentsym.network.canonical import Frozen
from agentsym.network.remote import RemoteRef


class CodeRef(Frozen):
    """Where code of the user's lives (`ref`) and the SHA-256 of its source when it was last seen."""

    ref: str
    sha256: str

    @property
    def can_be_saved(self) -> bool:
        """Whether another process can find this code (not in `__main__`, not inside a function)."""
        return not self.ref.startswith("__main__:") and "<" not in self.ref


def shipped_folder(kind: str) -> Path:
    """Return the folder of the shipped `tools` or `pipelines`: in the wheel, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_shipped" / kind, package.parent / kind):
        if folder.is_dir():
            return folder
    raise UsageError(f"this installation has no shipped {kind}; reinstall agentsym")


def source_hash(target: Any, module: Any = None) -> str:
    """Return the SHA-256 of the source of a function or class (of its module's file for any other object)."""
    try:
        if inspect.isroutine(target) or inspect.isclass(target):
            source = inspect.getsource(target)
        else:
            source = Path(inspect.getfile(module or type(target))).read_text("utf-8")
    except (OSError, TypeError):
        source = repr(getattr(target, "__qualname__", type(target).__qualname__))
    return hashlib.sha256(source.encode()).hexdigest()


def reference_to(target: Any) -> CodeRef:
    """Return the reference of a live object: by its own name, or by the global that holds it."""
    qualname = getattr(target, "__qualname__", "")
    module = sys.modules.get(getattr(target, "__module__", None) or "__main__")
    if not qualname:  # an object's own module is that of its class; what counts is where the user keeps it
        module, qualname = global_of(target)
    name = getattr(module, "__agentsym_ref__", getattr(module, "__name__", "__main__"))
    return CodeRef(ref=f"{name}:{qualname}", sha256=source_hash(target, module))


def global_of(target: Any) -> tuple[Any, str]:
    """Return the module and name of the global that holds an object, files of the user's first."""
    modules = list(sys.modules.values())
    for module in sorted(modules, key=lambda module: not hasattr(module, "__agentsym_ref__")):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is target:
                return module, name
    return None, f"<{type(target).__name__}>"


def load_file(path: Path, ref: str) -> Any:
    """Import a Python file by its path under a private name; objects of it are referred to as `ref:name`."""
    name = "agentsym_file_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    known = sys.modules.get(name)
    if known is not None and path.is_file() and getattr(known, "__agentsym_source__", None) == path.read_bytes():
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"{path}: no such Python file")
    module = importlib.util.module_from_spec(spec)
    module.__agentsym_ref__ = ref  # type: ignore[attr-defined]
    module.__agentsym_source__ = path.read_bytes()  # type: ignore[attr-defined]
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(name, None)
        raise UsageError(f"{path}: cannot be imported ({type(error).__name__}: {error})") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def resolve(ref: CodeRef, folder: Path | None = None) -> Any:
    """Find the object behind a reference; warns, with both hashes, when its source has changed.

    Args:
        ref: the reference.
        folder: what a relative `file.py` is relative to (the agent's folder).

    Raises:
        UsageError: when the module, file or name is not there.
    """
    target, module = find(ref, folder)
    found = source_hash(target, module)
    if found != ref.sha256:
        warnings.warn(
            f"{ref.ref} has changed since the agent was saved: "
            f"its source was {ref.sha256[:12]}, it is {found[:12]} now",
            stacklevel=2,
        )
    return target


def find(ref: CodeRef, folder: Path | None = None) -> tuple[Any, Any]:
    """Find the object behind a reference and the module that it is in, whatever its source is now; raises as above."""
    place, _, name = ref.ref.rpartition(":")
    if place == "shipped":
        module = load_file(shipped_folder("tools") / f"{name}.py", "shipped")
    elif place.endswith(".py"):
        module = load_file((folder or Path()) / place, place)
    else:
        try:
            module = importlib.import_module(place)
        except ImportError as error:
            raise UsageError(f"{ref.ref}: module {place!r} cannot be imported ({error})") from error
    target: Any = module
    for part in name.split("."):
        if not hasattr(target, part):
            raise UsageError(f"{ref.ref}: {place} has no {name!r}")
        target = getattr(target, part)
    return target, module


def shipped_function(name: str) -> Callable[..., Any]:
    """Return a function of the shipped tool library; the error lists what there is."""
    folder = shipped_folder("tools")
    if not (folder / f"{name}.py").is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.py")))
        raise UsageError(f"there is no shipped tool {name!r}; there are: {known}")
    function: Callable[..., Any] = getattr(load_file(folder / f"{name}.py", "shipped"), name)
    return function


def require_saveable(ref: CodeRef | RemoteRef, where: str) -> None:
    """Raise NetworkError when the code behind a reference could not be found again from a saved agent."""
    if not ref.can_be_saved:
        raise NetworkError(
            f"{where}: {ref.ref} cannot be saved, since no other process could find it; move the function "
            "to the top level of a module or of a .py file and import it from there"
        )
