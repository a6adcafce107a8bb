"""What so many requests a day need, worked out from what one request costs.

The two assumptions are named; everything else is measured by `evals.deployed.costs`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

DAY_S = 86_400
PEAK = 3.0
"""The busiest hour asks so many times as often as the mean (assumed)."""
FULL = 0.6
"""The share of a core that is planned with (assumed): what is over makes queues."""


class Cost(NamedTuple):
    """What one request costs.

    Attributes:
        server_ms: CPU milliseconds of the server.
        database_ms: CPU milliseconds of PostgreSQL.
        whole_bytes: on disk, where all of the request is kept.
        row_bytes: on disk, where only its row is kept.
    """

    server_ms: float
    database_ms: float
    whole_bytes: float
    row_bytes: float


class Needs(NamedTuple):
    """What so many requests a day need.

    Attributes:
        mean: requests a second.
        peak: those of the busiest hour.
        server_cores: cores of servers.
        processes: of servers; each uses one core.
        database_cores: cores of PostgreSQL.
        gib_a_day: what the store grows by.
        gib: what it holds once retention drops as much as comes.
    """

    mean: float
    peak: float
    server_cores: float
    processes: int
    database_cores: float
    gib_a_day: float
    gib: float


def needs(requests_a_day: float, cost: Cost, *, sampling: float, days: float) -> Needs:
    """Return what so many requests a day need.

    Args:
        requests_a_day: how many.
        cost: of one.
        sampling: the share of which all is kept.
        days: how long.
    """
    mean = requests_a_day / DAY_S
    peak = mean * PEAK
    server_cores = peak * cost.server_ms / 1000 / FULL
    bytes_each = sampling * cost.whole_bytes + (1 - sampling) * cost.row_bytes
    a_day = requests_a_day * bytes_each / 2**30
    return Needs(
        mean=mean,
        peak=peak,
        server_cores=server_cores,
        processes=math.ceil(server_cores),
        database_cores=peak * cost.database_ms / 1000 / FULL,
        gib_a_day=a_day,
        gib=a_day * days,
    )
