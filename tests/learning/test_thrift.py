"""When learning is over each node gets the cheapest model that holds the score, and nothing else is given up for it.

Everything runs through the trainer; only the models and the teacher are doubles.
"""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentsym import Agent
from agentsym.learning.gate import TIE
from agentsym.learning.objectives import front
from agentsym.learning.protocols import Row
from agentsym.learning.run import Run
from agentsym.learning.symbolic.race import SLICE
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.network.nodes import FunctionNode
from agentsym.network.parameters import Option
from agentsym.store.comparable import comparable
from agentsym.store.store import Store
from tests.learning.dying import FragileStore, Killed
from tests.learning.symbolic.world import NODES, Teacher, agent, mind, opened, rows, rules_of
from tests.learning.thrifty import LARGE, MIDDLE, SMALL, TRAIN, VAL, Gone, Market, Model, choosing, models, offers
from tests.virtual_time import run_virtual

FORGETFUL = {"sort": ("b",)}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with opened(tmp_path) as store:
        yield store


# What is taken


def test_each_node_gets_the_cheapest_model_that_holds_the_score(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Model(MIDDLE), Model(SMALL, FORGETFUL))
    run = choosing(store, market).fit()
    assert run.status == "done" and run.reason == "0 steps are done"
    assert models(run) == {"read": "small", "sort": "middle"}
    assert run.val == (1.0, 1.0)
    assert offers(run) == [("read/model=small", True), ("sort/model=small", False), ("sort/model=middle", True)]
    assert run.tested is not None and run.tested.worth_after is not None and run.tested.worth_before is not None
    assert run.tested.worth_after.usd < 0.4 * run.tested.worth_before.usd


def test_the_dear_model_stays_where_the_score_would_fall_by_more_than_the_margin(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Model(SMALL, {"read": ("a", "free"), "sort": ("b",)}))
    assert models(choosing(store, market, within=0.3).fit()) == {"read": "large", "sort": "large"}
    assert models(choosing(store, market, within=0.34).fit()) == {"read": "large", "sort": "small"}


def test_margins_do_not_add_up(store: Store, market: Market) -> None:
    """Either setting costs a third of the score, which one margin pays for and no two do."""
    market.open(Model(LARGE), Model(SMALL, {"read": ("a",), "sort": ("b",)}))
    run = choosing(store, market, within=0.34).fit()
    assert models(run) == {"read": "small", "sort": "large"}
    assert "under 0.660" in run.offers[-1].reason or "could not reach 0.660" in run.offers[-1].reason


def test_dearer_models_are_not_tried(store: Store, market: Market) -> None:
    market.open(Model(SMALL), Model(LARGE))
    run = choosing(store, market).fit()
    assert run.offers == () and models(run) == {"read": "small", "sort": "small"}
    assert not market.models[LARGE].requests


def test_without_a_preference_nothing_is_tried(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Model(SMALL))
    run = choosing(store, market, prefer="score").fit()
    assert run.offers == () and run.field == {} and models(run) == {"read": "large", "sort": "large"}
    assert not market.models[SMALL].requests


def test_the_fastest_is_taken_whatever_it_costs(store: Store, market: Market) -> None:
    market.open(Model(SMALL, seconds=3.0), Model(LARGE, seconds=1.0))
    run = run_virtual(choosing(store, market, prefer="fastest").afit()).result
    assert models(run) == {"read": "large", "sort": "large"}
    waited = [round(run.field[version].seconds, 6) for version in (run.first.version, run.best.version)]
    assert waited == [6.0, 2.0]


def test_where_prices_are_unknown_tokens_are_the_cost(store: Store, market: Market) -> None:
    market.open(Model(LARGE, tokens=50), Model(SMALL, tokens=20), priced=False)
    run = choosing(store, market).fit()
    assert models(run) == {"read": "small", "sort": "small"}
    assert all(found.usd is None for found in run.field.values())


def test_a_setting_that_is_better_by_more_than_the_margin_is_taken_though_it_is_dearer(
    store: Store, market: Market
) -> None:
    market.open(Model(SMALL, FORGETFUL), Model(LARGE, tokens=50), priced=False)
    run = choosing(store, market).fit()
    assert models(run) == {"read": "small", "sort": "large"}
    in_tokens = "cheaper in tokens (the price of a model is unknown)"
    assert f"not {in_tokens}, but better by more than 0.01" in run.offers[-1].reason
    assert run.offers[0].reason == f"it is not {in_tokens}"


def test_a_version_that_was_measured_is_not_measured_again(store: Store, market: Market) -> None:
    market.open(Model(LARGE, tokens=50), Model(SMALL), priced=False)
    run = choosing(store, market).fit()
    assert offers(run) == [("read/model=small", True), ("sort/model=small", True)]


def test_a_version_that_learning_began_with_is_not_measured_again(store: Store, market: Market) -> None:
    """The search of settings has given one node the large model; back to the small one is where it came from."""
    market.open(Model(SMALL, FORGETFUL), Model(LARGE))
    run = choosing(store, market, optimizer=Recipe(explore=0.0, stagnation=1), steps=6).fit()
    assert models(run) == {"read": "small", "sort": "large"} and run.offers == ()


def test_the_rule_holds_over_all_that_was_measured(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Model(MIDDLE, {"read": ("a",)}), Model(SMALL, {"read": ("a", "free"), "sort": ("b",)}))
    run = choosing(store, market, within=0.2).fit()
    taken, best = run.field[run.best.version], max(found.score for found in run.field.values())
    assert taken.score >= best - 0.2 - TIE
    assert all(found.usd >= taken.usd for found in run.field.values() if found.score >= best - 0.2 - TIE)
    assert run.best.version in front(run.field)


# What must not break

KEEP = (Row(id="keep", inputs={"ticket": "k1 is free"}, expected={"label": "label free"}),)
HELD = tuple(row for row in VAL if "free" not in row.inputs["ticket"])


def test_a_setting_that_breaks_a_must_pass_row_is_not_taken(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Model(SMALL, {"read": ("free",)}))
    run = choosing(store, market, val=HELD, must_pass=KEEP).fit()
    assert models(run) == {"read": "large", "sort": "small"}
    refused = run.offers[0]
    assert refused.measured.score == 1.0 and refused.reason == "must-pass row keep goes from pass to fail"
    assert refused.candidate not in run.field
    assert models(choosing(store, market, val=HELD).fit()) == {"read": "small", "sort": "small"}


def test_a_must_pass_row_that_a_setting_has_mended_must_pass_from_then_on(store: Store, market: Market) -> None:
    market.open(Model(LARGE, {"read": ("free",)}), Model(SMALL, {"sort": ("free",)}))
    run = choosing(store, market, val=HELD, must_pass=KEEP).fit()
    assert models(run) == {"read": "small", "sort": "large"}


def test_a_cheaper_version_from_before_learning_is_not_taken_where_it_breaks_a_must_pass_row(
    store: Store, market: Market
) -> None:
    """Without its rule the prompt is shorter, and the margin would pay for that."""
    market.open(Model(LARGE))
    learning: dict[str, Any] = {"agent": agent(), "val": rows(["a"] * 3 + ["free"] * 17, "v"), "steps": 2}
    must = rows(["a"], "m")
    free = choosing(store, market, rows(["a", "free"]), within=0.2, **learning).fit()
    assert free.accepted and rules_of(free.best, "read") == []
    held = choosing(store, market, rows(["a", "free"]), within=0.2, must_pass=must, **learning).fit()
    assert rules_of(held.best, "read") == [mind("a")] and held.first.version not in held.field


# How it is tried


def test_a_setting_that_cannot_hold_the_score_is_broken_off(store: Store, market: Market) -> None:
    val = rows(["b"] * 8 * SLICE, "v")
    market.open(Model(LARGE), Model(SMALL, FORGETFUL))
    told: list[Any] = []

    def watch(kind: str, data: Mapping[str, Any]) -> None:
        told.extend([data["offer"]] if kind == "offer" else [])

    run = choosing(store, market, val=val, watch=watch).fit()
    lost = run.offers[1]
    assert (lost.path, lost.accept, lost.finished, lost.scores) == ("sort/model", False, False, {})
    assert lost.reason == "even perfect scores on the rest could not reach 0.990"
    asked = [request for request, _ in market.models[SMALL].requests.items()]
    assert len(asked) < len(val) + 4 * SLICE  # all of `read`, little of `sort`
    assert lost.candidate not in run.field and told == list(run.offers)


def test_without_validation_rows_it_is_judged_on_those_of_train(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Model(SMALL, FORGETFUL))
    run = choosing(store, market, val=()).fit()
    assert models(run) == {"read": "small", "sort": "large"} and run.val is None
    assert market.models[SMALL].asked.keys() == {f"t{at}" for at in range(len(TRAIN))}


@pytest.mark.parametrize("optimizer", ["paper", "symbolic", "textgrad"])
def test_any_optimizer_learns_first(store: Store, market: Market, optimizer: str) -> None:
    market.open(Model(LARGE), Model(SMALL, FORGETFUL))
    teacher = Teacher(market.models[LARGE].world) if optimizer != "symbolic" else None
    more = {"teacher": teacher, "comments": "metric"} if teacher else {}
    run = choosing(store, market, agent=agent(), optimizer=optimizer, steps=6, batch=6, **more).fit()
    assert mind("a") in rules_of(run.best, "read") and mind("b") in rules_of(run.best, "sort")
    assert models(run) == {"read": "small", "sort": "large"}


def test_the_embedded_teacher_may_learn_first(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Model(SMALL, FORGETFUL))
    run = choosing(store, market, teacher="embedded", optimizer="symbolic", steps=3).fit()
    assert models(run) == {"read": "small", "sort": "large"}


def test_a_run_whose_student_fails_chooses_nothing(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Model(SMALL))
    run = choosing(store, market, rows(["unreadable"] * 6), steps=5).fit()
    assert run.status == "failed" and run.offers == () and not market.models[SMALL].requests


# Stopping and going on


def learned(market: Market, **changes: Any) -> dict[str, Any]:
    """Return a run that learns something and then has three settings to try."""
    market.open(Model(LARGE), Model(MIDDLE), Model(SMALL, FORGETFUL))
    return {"agent": agent(), "steps": 6, "concurrency": 4, **changes}


def journal(store: Store, run: Run[Any]) -> list[dict[str, Any]]:
    return list(comparable(store.events(run.id)))


def test_a_run_killed_at_any_write_of_the_choice_asks_nothing_again_and_ends_the_same(
    tmp_path: Path, market: Market
) -> None:
    with FragileStore.open(tmp_path / "whole.db") as store:
        at: list[int] = []

        def watch(kind: str, data: Mapping[str, Any]) -> None:
            if kind == "checkpoint" and not data["state"].over:
                at.append(store.writes)

        expected = choosing(store, market, **learned(market, watch=watch)).fit()
        asked, writes, told = market.requests(), store.writes, journal(store, expected)
    assert models(expected) == {"read": "small", "sort": "middle"} and expected.accepted
    assert writes - at[-1] > 60
    for life in range(at[-1], writes - 1, 7):
        with FragileStore.open(tmp_path / f"{life}.db") as store:
            store.life = life
            with pytest.raises(Killed):
                choosing(store, market, **learned(market)).fit()
            before = market.requests()
        with Store.open(tmp_path / f"{life}.db") as store:
            run_id = store.run().id
            under_way = sum(call.seq is None for call in store.answers.calls(run_id))
            run = choosing(store, market, **learned(market)).fit(resume=run_id)
            again = before + market.requests()
            assert sum((again - asked).values()) <= under_way, life
            assert run.best.version == expected.best.version
            assert journal(store, run) == told, life


def test_journals_are_equal_at_every_concurrency(tmp_path: Path, market: Market) -> None:
    told = []
    for concurrency in (1, 8):
        with opened(tmp_path, f"{concurrency}") as store:
            told.append(journal(store, choosing(store, market, **learned(market, concurrency=concurrency)).fit()))
    assert told[0] == told[1]


def test_a_budget_that_is_reached_in_the_middle_leaves_the_best_so_far_and_the_run_can_go_on(
    tmp_path: Path, market: Market
) -> None:
    with opened(tmp_path, "whole") as store:
        calls: list[int] = []

        def watch(kind: str, data: Mapping[str, Any]) -> None:
            if kind == "checkpoint" and data["state"].over:
                calls.append(data["usage"].calls)

        expected = choosing(store, market, **learned(market, watch=watch)).fit()
    with opened(tmp_path) as store:
        cut = choosing(store, market, **learned(market), max_calls=calls[1] + 3).fit()
        assert cut.status == "budget" and cut.ledger.total().calls <= calls[1] + 3
        assert models(cut) == {"read": "small", "sort": "large"} and offers(cut) == [("read/model=small", True)]
        run = choosing(store, market, **learned(market)).fit(resume=cut.id)
        assert run.status == "done" and run.best.version == expected.best.version
        assert offers(run) == offers(expected)


def test_what_was_measured_is_what_a_run_costs_by_its_own_account(store: Store, market: Market) -> None:
    """Six rows, two calls each: the account of the one phase that only measured the first version says as much."""
    market.open(Model(LARGE))
    run = choosing(store, market).fit()
    gate = run.ledger.by_phase()["gate"]
    runs = gate.calls / len(NODES)
    found = run.field[run.first.version]
    assert found.tokens == pytest.approx(gate.tokens / runs) and found.usd == pytest.approx(gate.usd / runs)
    assert Counter(market.requests().values()) == {3: 12}, "the baseline, the finalists and the test, without a cache"


def test_a_model_that_cannot_be_asked_is_left_out_and_the_run_ends_well(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Gone(MIDDLE), Model(SMALL, FORGETFUL))
    run = choosing(store, market).fit()
    assert run.status == "done" and run.tested is not None
    assert models(run) == {"read": "small", "sort": "large"}
    assert run.offers[-1].reason.startswith("double/middle cannot be asked: node 'sort'")


def test_a_model_of_which_one_price_alone_is_lower_is_tried(store: Store, market: Market) -> None:
    market.open(Model(LARGE, tokens=1), Model(SMALL, tokens=1))
    prices = {LARGE: {"input": 2.0, "output": 3.0}, SMALL: {"input": 0.5, "output": 8.0}}
    Path(os.environ["AGENTSYM_PRICES"]).write_text(yaml.safe_dump(prices))
    assert models(choosing(store, market).fit()) == {"read": "small", "sort": "small"}


def test_an_option_of_your_own_code_is_tried_whatever_it_is_called(store: Store, market: Market) -> None:
    """It is no model of ours, so nobody asks for its price."""
    market.open(Model(LARGE))
    own = FunctionNode("note", note, output={"noted": str}, parameters={"model": Option("long", ["long", "short"])})
    start = agent(**{node: ["mind a", "mind b"] for node in NODES})
    start = Agent("noting", [own, *start.nodes], [("note", "read"), NODES], inputs=["ticket"], outputs=["label"])
    run = choosing(store, market, agent=start).fit()
    assert run.status == "done" and [offer.path for offer in run.offers] == ["note/model"]


async def note(ticket: str, model: str) -> str:
    return f"{model} note of {ticket}"


def test_a_setting_under_the_margin_that_breaks_a_must_pass_row_is_on_no_front(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Model(SMALL, {"read": ("b",), "sort": ("b",)}))
    run = choosing(store, market, must_pass=rows(["b"], "m")).fit()
    assert [offer.finished for offer in run.offers] == [True, True] and len(run.field) == 1
    for offer in run.offers:
        assert offer.measured.score < 0.9 and offer.candidate not in run.field


def test_where_answers_vary_a_setting_is_judged_by_several_runs(store: Store, market: Market) -> None:
    market.open(Model(LARGE), Model(SMALL))
    choosing(store, market, repeats=3).fit()
    asked = sum(market.models[SMALL].requests.values())
    market.open(Model(LARGE), Model(SMALL))
    choosing(store, market).fit()
    assert asked > 2 * sum(market.models[SMALL].requests.values())
