"""What was used and what a version is worth read the same wherever they stand."""

from agentsym.learning.objectives import Measured
from agentsym.learning.report.figures import USED, WORTH, used, worth, worth_changes
from agentsym.learning.report.wording import rows_named
from agentsym.network.records import Usage


def test_what_is_reckoned_has_a_mark_and_what_is_counted_has_none() -> None:
    usage = Usage(calls=1200, cached=3, prompt_tokens=900, completion_tokens=100, usd=None, seconds=75)
    assert used(usage.model_dump()) == ("1,200", "3", "1,000", "unknown", "1 min 15 s")
    reckoned = used(usage.model_copy(update={"estimated": True}).model_dump())
    assert reckoned[2:4] == ("~1,000", "~unknown") and len(reckoned) == len(USED)


def measured(**figures: float | None) -> dict[str, object]:
    return Measured.model_validate({"score": 1.0, **figures}).model_dump()


def test_costs_are_those_of_a_thousand_runs() -> None:
    cells = worth(measured(tokens=1234, usd=0.002, seconds=0.5))
    assert cells == ("1,234", "$2.00", "0.50") and len(cells) == len(WORTH)


def test_changes_are_told_in_per_cent_where_both_sides_are_known() -> None:
    before, after = measured(tokens=200, usd=0.002), measured(tokens=100, usd=0.003)
    assert worth_changes(before, after) == [
        ("tokens a run", "200", "100", "-50 %"),
        ("cost of 1,000 runs", "$2.00", "$3.00", "+50 %"),
    ]
    assert worth_changes(before, measured(tokens=100, usd=None))[1][1:] == ("$2.00", "unknown", "")
    assert worth_changes(measured(tokens=0), after)[0][3] == ""
    assert worth_changes(measured(), measured()) == []


def test_rows_of_validation_are_called_so() -> None:
    assert [rows_named(name) for name in ("val", "test")] == ["validation", "test"]
