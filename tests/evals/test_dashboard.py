"""The measurement of the dashboard's pages asks for real pages of a real store."""

from __future__ import annotations

from evals.dashboard import measure, paths


async def test_every_page_is_measured() -> None:
    found = await measure(1000, 1)
    assert set(found) == set(paths(1000)) and all(0 <= seconds < 1 for seconds in found.values())
