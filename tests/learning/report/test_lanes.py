"""The way to the best version goes straight down; what led nowhere stands aside; of very many some are left out."""

from agentsym.learning.course import VersionRecord
from agentsym.learning.report.lanes import MOST, Place, placed


def versions(*pairs: tuple[str, str | None]) -> list[VersionRecord]:
    return [VersionRecord(name, parent, "accepted" if parent else "first") for name, parent in pairs]


def where(places: list[Place]) -> dict[str, tuple[int, int]]:
    return {place.record.hash: (place.row, place.lane) for place in places}


def test_a_chain_stands_in_one_lane() -> None:
    assert where(placed(versions(("a", None), ("b", "a"), ("c", "b")), "c")) == {"a": (0, 0), "b": (1, 0), "c": (2, 0)}


def test_the_best_goes_straight_on_though_another_branch_came_first_and_is_longer() -> None:
    found = placed(versions(("a", None), ("x", "a"), ("y", "x"), ("z", "y"), ("best", "a")), "best")
    assert where(found) == {"a": (0, 0), "x": (1, 1), "y": (2, 1), "z": (3, 1), "best": (4, 0)}
    assert [place.parent for place in found] == [None, 0, 1, 2, 0]


def test_of_very_many_those_that_matter_are_kept_and_the_gaps_are_counted() -> None:
    names = [f"v{at}" for at in range(300)]
    chain = versions(*zip(names, [None, *names], strict=False))
    found = placed(chain, "v150", ["v40"])
    assert len(found) == MOST and {"v0", "v40", "v150", "v299"} <= {place.record.hash for place in found}
    assert sum(place.skipped for place in found) == 300 - MOST
