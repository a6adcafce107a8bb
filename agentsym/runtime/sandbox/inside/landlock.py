"""Landlock: which files a process may open, from now on and for ever, decided by the kernel.

Everything that the running kernel knows to refuse is refused (files, TCP, abstract sockets, signals), then single
folders are allowed again. See `Documentation/userspace-api/landlock.rst` of the kernel; its structures are those of
`include/uapi/linux/landlock.h`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

from agentsym.runtime.sandbox.inside import kernel

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1  # the flag that asks for the version
_BENEATH = 1  # the type of a rule about a path

_WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 1, 1 << 2, 1 << 3
_REMOVE_FOLDER, _REMOVE_FILE, _MAKE_FOLDER, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_TRUNCATE = 1 << 14
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # from a version on: how many rights there are
_TCP = 0b11  # bind, connect: version 4
_SCOPES = 0b11  # abstract sockets, signals: version 6

READ = _READ_FILE | _READ_FOLDER
KEEP_FILES = READ | _WRITE_FILE | _TRUNCATE | _REMOVE_FOLDER | _REMOVE_FILE | _MAKE_FOLDER | _MAKE_FILE
USE_FILE = _READ_FILE | _WRITE_FILE | _TRUNCATE


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64)]


class _Rule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version() -> int:
    """Return the version of Landlock that the kernel speaks; 0 where it has none."""
    try:
        return kernel.call(_CREATE, None, 0, _VERSION)
    except OSError:
        return 0


def restrict(allowed: Mapping[int, int], abi: int) -> None:
    """Refuse this process everything but `allowed`: rights by the descriptor of a folder or file.

    Args:
        allowed: `READ`, `KEEP_FILES` or `USE_FILE` by descriptor; a folder's rights hold for all beneath it.
        abi: what `version` returned.
    """
    known = (1 << max(rights for since, rights in _FILE_RIGHTS.items() if since <= abi)) - 1
    wanted = _Ruleset(known, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = kernel.call(_CREATE, ctypes.byref(wanted), size, 0)
    for folder, rights in allowed.items():
        kernel.call(_ADD, ruleset, _BENEATH, ctypes.byref(_Rule(rights & known, folder)), 0)
    kernel.call(_RESTRICT, ruleset, 0)
    os.close(ruleset)
