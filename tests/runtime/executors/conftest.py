"""A real Ray cluster that tests join: a process of its own, as an administrator would have started it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

CPUS = 3
_CLUSTER = f"""
import sys, ray
found = ray.init(address="local", num_cpus={CPUS}, include_dashboard=False, object_store_memory=100 * 2**20,
                 log_to_driver=False, logging_level="ERROR")
print(found.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster that listens on 127.0.0.1; who joins it must load Ray with the same variables."""
    environment = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        process = subprocess.Popen(
            [sys.executable, "-c", _CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None and process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
