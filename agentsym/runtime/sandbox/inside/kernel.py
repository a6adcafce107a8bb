"""The system calls that confine a process and that Python has no function for, by ctypes.

Each raises OSError with the kernel's reason, as Python's own functions do.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

NEW_MOUNTS = 0x00020000
NEW_NAMES = 0x04000000  # host name
NEW_IPC = 0x08000000
NEW_USERS = 0x10000000
NEW_NETWORK = 0x40000000

_DIE_WITH_PARENT, _DUMPABLE, _SECCOMP, _NO_NEW_PRIVILEGES = 1, 4, 22, 38
_FILTER = 2  # the mode of seccomp
_CAPABILITIES = 0x20080522  # the version of the structures below
_NO_SUID_NO_DEVICES_NO_EXEC = 2 | 4 | 8

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_libc.mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]


def call(number: int, *arguments: Any) -> int:
    """Make the system call of this number; integers are passed as 64 bits."""
    given = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *given))


def forbid_new_privileges() -> None:
    """No program that is started from here on gets more rights than this process has."""
    _checked(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))


def die_with_parent() -> None:
    """Be killed when the parent ends."""
    _checked(_libc.prctl(_DIE_WITH_PARENT, 9, 0, 0, 0))


def set_dumpable(dumpable: bool) -> None:
    """Say whether processes of the same user may look into this one; its entries in /proc belong to root if not."""
    _checked(_libc.prctl(_DUMPABLE, int(dumpable), 0, 0, 0))


def leave_namespaces(kinds: int) -> None:
    """Get namespaces of one's own, of the kinds `NEW_…`."""
    _checked(_libc.unshare(ctypes.c_int(kinds)))


def mount_scratch(folder: str, size: int, files: int) -> None:
    """Lay an empty file system in memory over a folder: at most `size` bytes in `files` files."""
    options = f"size={size},nr_inodes={files},mode=700".encode()
    _checked(_libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", _NO_SUID_NO_DEVICES_NO_EXEC, options))


def drop_capabilities() -> None:
    """Give up every capability."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(header, nothing))


def filter_calls(program: Any) -> None:
    """Put a seccomp program (a `sock_fprog`) before every system call from here on."""
    _checked(_libc.prctl(_SECCOMP, _FILTER, ctypes.addressof(program), 0, 0))


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
