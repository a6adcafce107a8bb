"""What ten million requests a day need follows from what one costs."""

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
