"""The front and the choice are arithmetic on a few figures, so what they promise can be tried on any of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsym.learning.gate import TIE
from agentsym.learning.objectives import Field, Measured, front, picked
from agentsym.network.records import LossReport, Usage

scores = st.sampled_from([0.0, 0.5, 0.9, 0.905, 1.0])
amounts = st.sampled_from([0.0, 1.0, 2.0, 10.0])
margins = st.sampled_from([0.0, 0.01, 0.5, 1.0])


def fields(usd: st.SearchStrategy[float | None] = amounts) -> st.SearchStrategy[dict[str, Measured]]:
    found = st.builds(Measured, score=scores, tokens=amounts, usd=usd, seconds=amounts)
    return st.lists(found, min_size=1, max_size=6).map(lambda made: {f"v{at}": each for at, each in enumerate(made)})


any_field = fields(st.one_of(st.none(), amounts))


def dominates(one: Measured, other: Measured, cost: str) -> bool:
    a, b = ((-found.score, getattr(found, cost), found.seconds) for found in (one, other))
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def cost_of(field: Field) -> str:
    usd = [found.usd for found in field.values()]
    return "usd" if None not in usd and any(usd) else "tokens"


@given(any_field)
def test_no_version_of_the_front_is_beaten_and_every_other_one_is_by_one_of_it(field: Field) -> None:
    found, cost = front(field), cost_of(field)
    assert found
    for name, own in field.items():
        beaten_by = [other for other in field if dominates(field[other], own, cost)]
        assert (name in found) == (not beaten_by)
        assert name in found or any(other in found for other in beaten_by)
    assert [field[name].score for name in found] == sorted((field[name].score for name in found), reverse=True)


@given(any_field, margins, st.sampled_from(["cheapest", "fastest"]))
def test_what_is_picked_is_within_the_margin_and_none_within_it_costs_less(field: Field, within: float, prefer) -> None:
    taken = field[picked(field, "v0", prefer=prefer, within=within)]
    least = max(found.score for found in field.values()) - within
    assert taken.score >= least - TIE
    price = cost_of(field) if prefer == "cheapest" else "seconds"
    good = [found for found in field.values() if found.score >= least - TIE]
    assert getattr(taken, price) == min(getattr(found, price) for found in good)
    assert taken.score == max(found.score for found in good if getattr(found, price) == getattr(taken, price))


@given(any_field, margins)
def test_the_incumbent_stays_where_none_is_better_by_the_rule(field: Field, within: float) -> None:
    for prefer in ("cheapest", "fastest"):
        taken = picked(field, "v0", prefer=prefer, within=within)
        assert picked(field, taken, prefer=prefer, within=within) == taken
    assert picked(field, "v0", prefer="score", within=within) == "v0"


@given(fields(), margins)
def test_one_unknown_price_makes_tokens_the_cost_of_all(field: Field, within: float) -> None:
    unknown = {name: found.model_copy(update={"usd": None}) for name, found in field.items()}
    mixed = {**field, "v0": unknown["v0"]}
    assert front(mixed) == front(unknown)
    chosen = [picked(each, "v0", prefer="cheapest", within=within) for each in (mixed, unknown)]
    assert chosen[0] == chosen[1]


def test_dollars_count_before_tokens_where_they_are_known() -> None:
    wordy, dear = Measured(score=1.0, tokens=900, usd=0.1), Measured(score=1.0, tokens=100, usd=0.2)
    assert picked({"wordy": wordy, "dear": dear}, "dear", prefer="cheapest", within=0.0) == "wordy"
    free = {"wordy": wordy.model_copy(update={"usd": 0.0}), "dear": dear.model_copy(update={"usd": 0.0})}
    assert picked(free, "wordy", prefer="cheapest", within=0.0) == "dear", "where all is free, tokens are what is left"


def test_a_score_at_the_very_margin_is_within_it() -> None:
    field = {"best": Measured(score=1.0, usd=2.0), "edge": Measured(score=0.99, usd=1.0)}
    assert picked(field, "best", prefer="cheapest", within=0.01) == "edge"
    assert picked(field, "best", prefer="cheapest", within=0.009) == "best"
    odd = {"best": Measured(score=0.8, usd=2.0), "edge": Measured(score=0.7, usd=1.0)}
    assert 0.8 - 0.1 > 0.7 and picked(odd, "best", prefer="cheapest", within=0.1) == "edge"


def test_a_version_is_measured_as_means_over_rows_and_an_unknown_price_makes_the_whole_unknown() -> None:
    used = [Usage(calls=1, prompt_tokens=10, usd=0.1, seconds=1.0), Usage(calls=2, completion_tokens=30, usd=0.3)]
    reports = [LossReport(example_id=f"{at}", score=float(at), worth=worth) for at, worth in enumerate(used)]
    found = Measured.of(reports)
    assert (found.score, found.tokens, found.seconds) == (0.5, 20.0, 0.5)
    assert found.usd == pytest.approx(0.2)
    unknown = LossReport(example_id="2", score=1.0, worth=Usage(calls=1, usd=None))
    assert Measured.of([*reports, unknown]).usd is None
