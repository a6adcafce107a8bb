"""The system calls that computing needs; a process that is confined may make no other (seccomp).

What is missing here is what matters: no socket of any kind, no new process or thread, no program to start, no signal
to anyone, no change of a file's owner, mode or time, no namespace, no shared memory. A call that is refused fails with
EPERM. Numbers: `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h` of the kernel.
"""

from __future__ import annotations

import ctypes
import platform
import struct
from typing import Any, NamedTuple

_X86_64 = (
    *range(0, 16),  # read, write, open, close, stat …, mmap …, signal handlers of one's own
    *range(17, 29),  # pread …, pipe, select, madvise
    *(32, 33, 35, 36, 37, 38, 39, 40),  # dup, nanosleep, timers of one's own, getpid, sendfile
    *(60, 61, 63, 74, 75, 77, 78, 79, 80, 81, 82, 83, 84, 85, 87, 89),  # exit, wait, files and folders by path
    *(95, 96, 97, 98, 99, 100, 102, 104, 107, 108, 110, 111, 115, 118, 120, 121, 124),  # umask, clocks, who am I
    *(131, 137, 138, 158, 186, 201, 202, 204, 217, 219, 221, 228, 229, 230, 231, 232, 233),  # futex, clocks, epoll
    *(257, 258, 262, 263, 264, 267, 269, 270, 271, 273, 281, 290, 291, 292, 293),  # openat …, poll, pipes
    *(316, 318, 326, 332, 334, 436, 439),  # random bytes, statx, close_range
)
_GENERIC = (
    *(17, 19, 20, 21, 22, 23, 24, 34, 35, 38, 43, 44, 46, 48, 49, 50, 56, 57, 59),  # files, epoll, dup
    *(61, 62, 63, 64, 65, 66, 67, 68, 71, 72, 73, 78, 79, 80, 82, 83, 93, 94, 98, 99),  # read, write, stat, exit
    *(101, 102, 103, 113, 114, 115, 123, 124, 128, 132, 133, 134, 135, 139),  # clocks, timers, handlers of one's own
    *(148, 150, 153, 155, 156, 158, 160, 163, 165, 166, 169, 172, 173, 174, 175, 176, 177, 178, 179),  # who am I
    *(214, 215, 216, 222, 223, 226, 227, 232, 233, 260, 276, 278, 285, 291, 293, 436, 439),  # memory, random bytes
)


class _Machine(NamedTuple):
    """One processor: the kernel's name for it, calls that are allowed, and those of which one argument is looked at."""

    audit: int
    allowed: tuple[int, ...]
    fcntl: int
    ioctl: int
    prlimit: int


_MACHINES = {
    "x86_64": _Machine(0xC000003E, _X86_64, fcntl=72, ioctl=16, prlimit=302),
    "aarch64": _Machine(0xC00000B7, _GENERIC, fcntl=25, ioctl=29, prlimit=261),
}
_FCNTLS = (0, 1, 2, 3, 4, 1030)  # duplicate, flags; not those that make the kernel send signals to others
# TCGETS and TIOCGWINSZ (is it a terminal?), FIONREAD, FIOCLEX and FIONCLEX: what Python itself asks of a descriptor.
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5451, 0x5450)
_ITSELF = (0,)  # the process whose limits are asked for

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000
_NUMBER, _AUDIT, _ARGUMENTS = 0, 4, 16  # where they lie in `seccomp_data`


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def is_known() -> bool:
    """Whether the numbers of this machine's system calls are known here."""
    return platform.machine() in _MACHINES


def program() -> Any:
    """Return the filter for this machine, as `kernel.filter_calls` takes it; raises KeyError if it is not known."""
    machine = _MACHINES[platform.machine()]
    made = [_step(_LOAD, _AUDIT), _step(_EQUAL, machine.audit, 1, 0), _step(_RETURN, _KILL), _step(_LOAD, _NUMBER)]
    made += [_step(_AT_LEAST, 0x40000000, 0, 1), _step(_RETURN, _REFUSE)]  # the x32 way into the same kernel
    made += _any_of(machine.allowed)
    for number, argument, values in (
        (machine.fcntl, 1, _FCNTLS),
        (machine.ioctl, 1, _IOCTLS),
        (machine.prlimit, 0, _ITSELF),
    ):
        looked_at = [_step(_LOAD, _ARGUMENTS + 8 * argument), *_any_of(values), _step(_RETURN, _REFUSE)]
        made += [_step(_EQUAL, number, 0, len(looked_at)), *looked_at]
    made.append(_step(_RETURN, _REFUSE))
    return _Program(len(made), b"".join(made))


def _any_of(values: tuple[int, ...]) -> list[bytes]:
    return [step for value in values for step in (_step(_EQUAL, value, 0, 1), _step(_RETURN, _ALLOW))]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
