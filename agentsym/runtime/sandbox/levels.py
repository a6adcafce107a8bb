"""The levels of the sandbox: how the process that learned code is forked from is started at each of them.

`bubblewrap` and `kernel` run the interpreter of this process, by its real path and with nothing but the standard
library; `docker` runs one of an image.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from agentsym.errors import SandboxError
from agentsym.runtime.sandbox import inside

IMAGE_VARIABLE = "AGENTSYM_SANDBOX_IMAGE"
NOBODY = 65534

_MODULES = (
    "kernel",
    "landlock",
    "calls",
    "confine",
    "frames",
    "learned",
    "template",
)  # each imports only those before it
_START = """
import sys, types
for name, text in {sources!r}.items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, f"<{{name}}>", "exec"), module.__dict__)
    package = sys.modules.setdefault(name.rpartition(".")[0], types.ModuleType("inside"))
    setattr(package, name.rpartition(".")[2], module)
module.serve({settings!r})
"""
# Sets and dictionaries of learned code have the same order in every process, so a call can be repeated.
_ENVIRONMENT = {"PYTHONHASHSEED": "0"}
# As -I, which would not look at that variable: neither the user's packages nor the working folder are imported from.
_FLAGS = ("-P", "-s", "-S", "-B", "-X", "utf8")
_SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache")


class Level(NamedTuple):
    """How strongly learned code is kept in.

    Attributes:
        name: what it is called.
        about: what it does, in a sentence.
        command: returns the command that starts the template; raises SandboxError, with the reason, where it cannot.
    """

    name: str
    about: str
    command: Callable[[], Sequence[str]]


def levels() -> tuple[Level, ...]:
    """Return all levels, the strongest first."""
    return (
        Level("bubblewrap", "the kernel's limits, in a file system that holds the interpreter alone", _bubblewrap),
        Level("kernel", "the kernel's limits: Landlock, a list of system calls, resources", _kernel),
        Level("docker", "a container without a network that can write nothing", _docker),
    )


def environment() -> dict[str, str]:
    """Return the whole environment of the template."""
    return dict(_ENVIRONMENT)


def _kernel() -> Sequence[str]:
    _needs_linux()
    return (_interpreter(), *_FLAGS, "-c", _program(landlock_needed=True))


def _bubblewrap() -> Sequence[str]:
    _needs_linux()
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxError("bwrap is not installed; your system has it in the package bubblewrap")
    interpreter = _interpreter()
    libraries = [*_SYSTEM_LIBRARIES, *_library_folders(), interpreter]
    if os.geteuid() == 0:  # the template gives up root itself: a mapped one would still be root to the kernel
        rights = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        rights = ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY), "--cap-drop", "ALL"]
    return (
        *(bwrap, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *("--as-pid-1", "--die-with-parent", "--new-session", "--clearenv", *rights),
        *(text for name, value in _ENVIRONMENT.items() for text in ("--setenv", name, value)),
        *("--proc", "/proc", "--dev", "/dev", "--dir", "/tmp", "--dir", "/usr", "--dir", "/usr/share"),
        *(text for path in libraries for text in ("--ro-bind-try", path, path)),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"),
        *(interpreter, *_FLAGS, "-c", _program(landlock_needed=False)),
    )


def _docker() -> Sequence[str]:
    docker = shutil.which("docker")
    if docker is None:
        raise SandboxError("docker is not installed")
    image = os.environ.get(IMAGE_VARIABLE, f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim")
    try:
        found = subprocess.run(
            [docker, "image", "inspect", "--format", "{{.Id}}", image],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(f"docker does not answer ({error})") from error
    if found.returncode:
        why = found.stderr.strip().splitlines() or ["no reason given"]
        raise SandboxError(f"docker cannot use the image {image} ({why[-1]}); `docker pull {image}` gets it")
    return (
        *(docker, "run", "--rm", "--interactive", "--pull", "never"),
        *("--network", "none", "--ipc", "none", "--read-only"),
        *("--user", f"{NOBODY}:{NOBODY}", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--pids-limit", "128", "--memory", "2g"),
        *(text for name, value in _ENVIRONMENT.items() for text in ("--env", f"{name}={value}")),
        *(image, "python", *_FLAGS, "-c", _program(landlock_needed=False)),
    )


def _needs_linux() -> None:
    if sys.platform != "linux":
        raise SandboxError(f"it needs Linux, and this is {sys.platform}")


def _interpreter() -> str:
    """Return the real path of the interpreter that this environment was made from."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def _library_folders() -> list[str]:
    """Return where the standard library and, beside it, the interpreter's own shared library lie."""
    folders = (f"{sys.base_prefix}/lib", f"{sys.base_exec_prefix}/{sys.platlibdir}")
    return sorted({os.path.realpath(folder) for folder in folders})


@lru_cache(2)
def _program(landlock_needed: bool) -> str:
    folder = Path(inside.__file__).parent
    settings = {"landlock_needed": landlock_needed, "nobody": NOBODY}
    sources = {f"{inside.__name__}.{name}": (folder / f"{name}.py").read_text("utf-8") for name in _MODULES}
    return _START.format(sources=sources, settings=json.dumps(settings))
