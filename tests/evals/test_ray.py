"""The comparison with Ray measures every way, and the CPU of all that a cluster starts."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from evals.ray.processes import used

BUSY = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ninput()"


def test_the_cpu_of_children_is_counted_by_whose_they_are() -> None:
    before = used(set())
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        as_worker, as_daemon = used({process.pid}) - before, used(set()) - before
        process.stdin.close()
    assert as_worker.workers >= 0.45
    assert as_daemon.daemons - as_worker.daemons >= 0.45
    assert as_worker.driver < 0.45


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (make check-slow installs it)")
def test_every_way_gives_the_same_outcomes_and_has_its_figures() -> None:
    from evals.ray.__main__ import compare

    found = compare(20, 1, [1])  # raises where outcomes differ
    assert list(found["ways"]) == ["local", "ray, 1 worker"]
    assert found["ways"]["local"]["light"]["cpu_ms_workers"] == 0.0
    assert found["ways"]["ray, 1 worker"]["heavy"]["cpu_ms_workers"] > 0
