"""What the kernel says of a process: the CPU seconds it has used and the memory it holds (Linux)."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and of its children, those that have ended included."""
    fields = _stat(pid)
    own = sum(map(int, fields[11:15])) / _TICK  # utime, stime, and of children that were waited for
    return own + sum(map(cpu_s, children(pid)))


def resident_mib(pid: int) -> float:
    """Return the memory that a process has in use, in MiB, without its children's."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE / 2**20


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still run."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text("ascii").split())
    return found


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 1)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def median(values: Sequence[float]) -> float:
    """Return the median; 0 of none."""
    return statistics.median(values) if values else 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of a process after its name, which may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
