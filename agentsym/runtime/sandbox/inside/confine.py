"""Giving up rights: first once, for the process that all calls are forked from, then in each call what is left.

Learned code is free to do anything with its own process, so nothing here is hidden from it: what it must not do, the
kernel refuses.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
import zoneinfo
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from agentsym.runtime.sandbox.inside import calls, kernel, landlock

SCRATCH = "/tmp"
_SCRATCH_SIZE, _SCRATCH_FILES = 16 << 20, 1024
_OWN_NAMESPACES = kernel.NEW_USERS | kernel.NEW_NETWORK | kernel.NEW_IPC | kernel.NEW_MOUNTS

# What tools use most is there at once in every call; so is what needs libraries from outside of the interpreter's own
# folders, which cannot be opened later.
_USUAL = (
    *("abc", "array", "ast", "base64", "bisect", "binascii", "calendar", "cmath", "collections.abc", "contextlib"),
    *("copy", "csv", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib"),
    *("heapq", "hmac", "html.parser", "inspect", "io", "itertools", "json", "keyword", "linecache", "locale", "math"),
    *("numbers", "operator", "pathlib", "pprint", "random", "re", "secrets", "statistics", "string", "struct"),
    *("tempfile", "textwrap", "time", "traceback", "types", "typing", "unicodedata", "urllib.parse", "uuid"),
    *("warnings", "xml.etree.ElementTree", "zlib", "zoneinfo", "bz2", "lzma", "sqlite3"),
)
_OPEN_FOLDER = "/proc/self/fd/{}"


class Limits(NamedTuple):
    """What one call may use: seconds of processor time, bytes of memory, bytes in a file, open files."""

    cpu_s: int
    memory: int
    file_size: int
    open_files: int


class Jail:
    """The rights that are left.

    Args:
        landlock_needed: whether to refuse where the kernel has no Landlock.
        nobody: the user and group to become where this process is root's.

    Attributes:
        found: what the machine can do, by name, for `agentsym doctor`.
    """

    def __init__(self, landlock_needed: bool, nobody: int) -> None:
        self._folders = _hold_library()
        _load_usual()
        data = [path for path in zoneinfo.TZPATH if Path(path).is_dir()]
        self._data = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in data]
        self._nothing = os.open(os.devnull, os.O_RDWR)
        self._abi = landlock.version()
        if landlock_needed and not self._abi:
            raise OSError("the kernel has no Landlock (Linux 5.13 and later have, where it is not switched off)")
        if not calls.is_known():
            raise OSError("the system calls of this processor are not known (x86_64 and aarch64 are)")
        self._filter = calls.program()
        if 0 in (os.getuid(), os.geteuid()):
            os.setgroups([])
            os.setresgid(nobody, nobody, nobody)
            os.setresuid(nobody, nobody, nobody)
        kernel.forbid_new_privileges()
        missing = _namespaces()
        kernel.set_dumpable(False)
        kernel.die_with_parent()  # a change of user forgets it, so it comes last
        self._own_mounts = not missing
        self.found: dict[str, Any] = {"landlock": self._abi, "uid": os.getuid(), "namespaces": missing or "yes"}

    def enter(self, limits: Limits, answers: int) -> None:
        """Confine this process, for ever; only the descriptor `answers` and the library stay open.

        Raises:
            OSError: the kernel refuses a step; nothing may be run then.
        """
        os.setsid()
        kernel.die_with_parent()
        for standard in (0, 1, 2):
            os.dup2(self._nothing, standard)
        scratch = self._scratch()
        _close_all_but({0, 1, 2, answers, scratch, self._nothing, *self._folders, *self._data})
        if self._abi:
            readable = dict.fromkeys([*self._folders, *self._data], landlock.READ)
            writable = {} if scratch < 0 else {scratch: landlock.KEEP_FILES}
            landlock.restrict({**readable, **writable, self._nothing: landlock.USE_FILE}, self._abi)
        kernel.drop_capabilities()
        for kind, most in (
            (resource.RLIMIT_CPU, limits.cpu_s),
            (resource.RLIMIT_AS, limits.memory),
            (resource.RLIMIT_FSIZE, limits.file_size),
            (resource.RLIMIT_NOFILE, limits.open_files),
            (resource.RLIMIT_NPROC, 0),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(kind)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            last = most + 1 if kind == resource.RLIMIT_CPU and most != hard else most  # so that SIGXCPU says why
            resource.setrlimit(kind, (most, last))
        for descriptor in {scratch, self._nothing, *self._data} - {-1}:
            os.close(descriptor)
        kernel.filter_calls(self._filter)

    def _scratch(self) -> int:
        """Go to an empty folder of this call's own, in memory, and return it; without namespaces there is none (-1)."""
        os.chdir("/")
        if not self._own_mounts:
            return -1
        kernel.leave_namespaces(kernel.NEW_MOUNTS)
        kernel.mount_scratch(SCRATCH, _SCRATCH_SIZE, _SCRATCH_FILES)
        os.chdir(SCRATCH)
        return os.open(SCRATCH, os.O_PATH | os.O_CLOEXEC)


def _hold_library() -> list[int]:
    """Open the folders of the standard library and import from the open folders from now on.

    So the library is found after the change of user too, wherever the interpreter lies: the way to an open folder does
    not lead through those above it, which another user may be forbidden to enter.
    """
    held = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in sys.path if Path(path).is_dir()}
    new = {path: _OPEN_FOLDER.format(descriptor) for path, descriptor in held.items()}
    sys.path[:] = new.values()
    sys.path_importer_cache.clear()
    for module in list(sys.modules.values()):
        if folders := [Path(folder) for folder in getattr(module, "__path__", ())]:
            module.__path__ = [f"{new.get(str(folder.parent), folder.parent)}/{folder.name}" for folder in folders]
    return list(held.values())


def _load_usual() -> None:
    for name in _USUAL:
        with suppress(ImportError):  # this interpreter was built without it
            importlib.import_module(name)


def _namespaces() -> str:
    """Get a network, shared memory and mounts of one's own; returns why there are none, or "" ."""
    user, group = os.getuid(), os.getgid()
    try:
        kernel.leave_namespaces(_OWN_NAMESPACES)
        kernel.set_dumpable(True)  # else /proc/self belongs to root
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(text)
        kernel.mount_scratch(SCRATCH, _SCRATCH_SIZE, _SCRATCH_FILES)  # some systems refuse this alone
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _close_all_but(kept: set[int]) -> None:
    first = 0
    for descriptor in [*sorted(kept - {-1}), resource.getrlimit(resource.RLIMIT_NOFILE)[0]]:
        if first < descriptor:  # Python takes (0, 0) for all there are
            os.closerange(first, descriptor)
        first = descriptor + 1
