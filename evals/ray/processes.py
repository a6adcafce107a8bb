"""CPU seconds and memory of this process and of all that it has started, read from /proc.

A cluster's daemons and workers are descendants of the process that starts it, so nothing of what it costs is missed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Used(NamedTuple):
    """CPU seconds until now, by whom: this process, workers, and the cluster's daemons."""

    driver: float
    workers: float
    daemons: float

    def __sub__(self, other: Used) -> Used:
        return Used(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


def used(workers: set[int]) -> Used:
    """Return what was used; `workers` are the processes that run rows."""
    tree = _tree()
    others = set(tree) - workers - {os.getpid()}
    return Used(
        driver=_cpu(os.getpid()),
        workers=sum(_cpu(pid) for pid in workers),
        daemons=sum(_cpu(pid) for pid in others),
    )


def resident_mib() -> float:
    """Return the resident memory of all descendants; pages that they share are counted once for each."""
    pages = sum(int(_read(pid, "statm", "0 0").split()[1]) for pid in set(_tree()) - {os.getpid()})
    return pages * _PAGE / 2**20


def _tree() -> list[int]:
    """Return this process and its descendants."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(place.name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(place.name))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found


def _cpu(pid: int) -> float:
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / _TICK if fields else 0.0


def _fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, which may hold anything; none for a process that is gone."""
    return _read(pid, "stat", "").rpartition(")")[2].split()


def _read(pid: int, name: str, otherwise: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return otherwise
