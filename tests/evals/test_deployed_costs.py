"""What ten million requests a day need follows from what one costs, and that is measured on real servers."""

import json
import subprocess
import sys

import pytest

from evals.deployed.needs import FULL, PEAK, Cost, needs


def test_needs_are_those_of_a_calculation_by_hand() -> None:
    cost = Cost(server_ms=3.0, database_ms=0.6, whole_bytes=4000.0, row_bytes=500.0)
    found = needs(8_640_000, cost, sampling=0.1, days=10)
    assert (PEAK, FULL) == (3.0, 0.6)
    assert found.mean == pytest.approx(100.0)
    assert found.peak == pytest.approx(300.0)
    assert found.server_cores == pytest.approx(1.5)
    assert found.processes == 2
    assert found.database_cores == pytest.approx(0.3)
    assert found.gib_a_day == pytest.approx(8_640_000 * 850 / 2**30)
    assert found.gib == pytest.approx(10 * found.gib_a_day)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.timeout(400)  # processes that start, on a machine that may be busy
@pytest.mark.usefixtures("postgres_server")  # skips where there is none
def test_the_command_measures_every_part_in_both_stores() -> None:
    command = [sys.executable, "-m", "evals.deployed.costs", "--json", "--rounds=1", "--seconds=1", "--requests=300"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert [(row["store"], row["sampling"]) for row in found["kept"]] == [
        ("SQLite", 1.0),
        ("SQLite", 0.0),
        ("PostgreSQL", 1.0),
        ("PostgreSQL", 0.0),
    ]
    whole, row = found["kept"][2:]
    assert whole["disk_bytes"] > row["disk_bytes"] > 100
    assert whole["database_ms"] > 0
    assert found["needs"]["1.0"]["gib_a_day"] > found["needs"]["0.1"]["gib_a_day"]
