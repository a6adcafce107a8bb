"""Other settings are tried at the nodes that are to blame, each once, and the one that mends the failure stays."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsym import Agent
from agentsym.errors import Unavailable
from agentsym.learning.protocols import Blame, Evidence, Row, Update
from agentsym.learning.symbolic.alternatives import other_settings
from agentsym.learning.symbolic.attempts import Attempt
from agentsym.learning.symbolic.changes import told
from agentsym.learning.symbolic.gates import ALTERNATIVES
from agentsym.learning.symbolic.groups import Group
from agentsym.learning.symbolic.mend import Case
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.models.protocol import Reply, Request
from agentsym.network.parameters import Number, Option, Parameter, Structure
from agentsym.network.records import LossReport, Trajectory
from agentsym.store.store import Store
from tests.learning.symbolic.world import agent, learned, mind, prompt, rows
from tests.learning.thrifty import LARGE, MIDDLE, SMALL, Gone, Market, Model, choosing, models

MODELS = Option("a", ["a", "b", "c"])


def network(**weights: Parameter) -> Agent:
    """Return the two nodes of the world with the same further weights at both."""
    nodes = [prompt("read", ["ticket"], "fact"), prompt("sort", ["fact"], "label")]
    for name, parameter in weights.items():
        nodes = [node.with_weight(name, parameter) for node in nodes]
    return Agent("tickets", nodes, [("read", "sort")], outputs=["label"])


def case(row: str, **shares: float) -> Case:
    """Return a failure and who is to blame for it."""
    item = Evidence(
        row=Row(id=row, inputs={}),
        trajectory=Trajectory(id=row, version="v"),
        loss=LossReport(example_id=row, score=0.0),
    )
    group = Group(family="sort", feedback=f"wrong {row}", rows=(row,))
    return Case(item, Blame(example_id=row, shares=shares), group)


def tried(changes: Sequence[Update]) -> list[tuple[str, Any, tuple[str, ...]]]:
    """Return path, value and failures of each change."""
    return [(change.parameter, change.edits[0].value, change.groups) for change in changes]


def test_of_an_option_every_other_value_is_tried_at_the_blamed_nodes_only() -> None:
    changes = other_settings(network(model=MODELS), [case("r1", sort=1.0, read=0.0)], {})
    assert tried(changes) == [("sort/model", "b", ("r1",)), ("sort/model", "c", ("r1",))]
    assert {change.status for change in changes} == {"committed"}


@pytest.mark.parametrize(("now", "others"), [(0.5, [0.0, 0.25, 0.75, 1.0]), (0.0, [0.5, 1.0]), (1.0, [0.0, 0.5])])
def test_of_a_number_the_ends_and_the_middles_are_tried(now: float, others: list[float]) -> None:
    changes = other_settings(network(temperature=Number(now, 0.0, 1.0)), [case("r1", read=1.0)], {})
    assert [value for _, value, _ in tried(changes)] == others


def test_a_narrow_range_has_middles_too() -> None:
    changes = other_settings(network(temperature=Number(0.0, 0.0, 1e-9)), [case("r1", read=1.0)], {})
    assert [value for _, value, _ in tried(changes)] == [5e-10, 1e-9]


def test_a_setting_answers_all_failures_that_its_node_is_blamed_for() -> None:
    failing = [case("r1", sort=1.0), case("r2", read=0.5, sort=0.5), case("r3", read=1.0)]
    found = tried(other_settings(network(model=Option("a", ["a", "b"])), failing, {}))
    assert sorted(found) == [("read/model", "b", ("r2", "r3")), ("sort/model", "b", ("r1", "r2"))]


def test_what_is_frozen_and_what_is_no_setting_is_left_alone() -> None:
    fixed = network(model=Option("a", ["a", "b"], learnable=False))
    assert other_settings(fixed, [case("r1", sort=1.0, read=1.0)], {}) == ()


def test_what_was_tried_against_every_failure_that_it_could_mend_is_not_tried_again() -> None:
    base = network(model=Option("a", ["a", "b"]))
    both = [case("r1", sort=1.0), case("r2", sort=1.0)]
    did = Attempt(node="sort", did="set_option sort/model: “a” becomes “b”", outcome="the failure stayed")

    def known(*cases: Case) -> dict[str, tuple[Attempt, ...]]:
        return {case.group.key: (did,) for case in cases}

    assert len(other_settings(base, both, known(both[0]))) == 1
    assert other_settings(base, both, known(*both)) == ()


# In a run


@pytest.fixture
def at(market: Market) -> Market:
    """Small cannot sort `b`, though its rules tell how; large and middle can."""
    return market.open(Model(SMALL, {"sort": ("b",)}), Model(MIDDLE), Model(LARGE))


def begin(**changes: Any) -> dict[str, Any]:
    recipe = Recipe(explore=0.0, stagnation=2)
    return {"agent": agent(sort=[mind("b")]), "optimizer": recipe, "steps": 12, "prefer": "score", **changes}


def test_when_edits_do_not_help_the_blamed_node_gets_a_model_that_does_and_no_other_node(
    store: Store, at: Market
) -> None:
    run = choosing(store, at, **begin()).fit()
    assert run.val == (pytest.approx(1 / 3), 1.0)
    assert models(run)["read"] == "small" and models(run)["sort"] in ("middle", "large")
    assert learned(run.best)["read"] == [mind("a")]
    assert run.offers == () and run.reason == "nothing fails on train any more"


def test_settings_are_tried_after_some_steps_in_vain_and_without_a_call_for_edits(store: Store, at: Market) -> None:
    edits: list[int] = []
    recipe = Recipe(explore=0.0, stagnation=3)
    trainer = choosing(store, at, rows(["b", "free"]), **begin(val=(), optimizer=recipe))
    asked = trainer.parts.teacher.asked

    def watch(kind: str, data: Mapping[str, Any]) -> None:
        if kind == "checkpoint":
            edits.append(asked["mend"] + asked["redesign"])

    trainer.watch = watch
    run = trainer.fit()
    paths = [{update.parameter for update in step.proposal.updates} for step in run.steps]
    assert paths[2] == {"sort/model"} and all("sort/model" not in own for own in paths[:2])
    assert edits[2] > edits[1] and edits[3] == edits[2], "two steps ask for edits, the third one for none"
    assert models(run) == {"read": "small", "sort": "middle"}


def test_the_pipeline_has_its_turn_however_many_settings_there_are(store: Store, market: Market) -> None:
    """Nothing helps with `h`, and only so many attempts are remembered."""
    market.open(*(Model(name, {"sort": ("h",)}) for name in (SMALL, MIDDLE, LARGE)))
    start = agent().replace(structure=Structure(learnable=True))
    start = start.replace(nodes=tuple(n.with_weight("temperature", Number(0.5, 0.0, 1.0)) for n in start.nodes))
    recipe = Recipe(explore=0.0)
    trainer = choosing(store, market, rows(["h", "free"]), **begin(agent=start, optimizer=recipe, val=(), patience=5))
    run = trainer.fit()
    paths = [{update.parameter for update in step.proposal.updates} for step in run.steps]
    assert {"sort/model", "sort/temperature"} <= paths[2] and "structure" in paths[3] and len(paths) == 5


def test_more_settings_than_the_gate_tries_at_once_wait_for_their_turn() -> None:
    base = network(model=Option("m0", [f"m{at}" for at in range(2 * ALTERNATIVES)]))
    failing = [case("r1", sort=1.0)]
    first = other_settings(base, failing, {})
    assert [value for _, value, _ in tried(first)] == [f"m{at}" for at in range(1, ALTERNATIVES + 2)]
    did = tuple(Attempt(node="sort", did=told(change, base), outcome="the failure stayed") for change in first)
    later = other_settings(base, failing, {failing[0].group.key: did})
    assert {value for _, value, _ in tried(later)} == {f"m{at}" for at in range(ALTERNATIVES + 2, 2 * ALTERNATIVES)}


def test_a_model_that_nobody_serves_is_not_taken_and_ends_no_run(store: Store, market: Market) -> None:
    market.open(Model(SMALL, {"sort": ("b",)}), Gone(MIDDLE), Model(LARGE))
    run = choosing(store, market, **begin()).fit()
    assert run.status == "done" and models(run) == {"read": "small", "sort": "large"}


def test_a_model_that_the_run_rests_on_ends_it_when_it_is_gone(store: Store, market: Market) -> None:
    market.open(Gone(SMALL), Model(LARGE))
    with pytest.raises(Unavailable):
        choosing(store, market, **begin()).fit()


def test_edits_come_first_however_soon_the_pipeline_has_its_turn(store: Store, at: Market) -> None:
    run = choosing(store, at, **begin(optimizer=Recipe(explore=0.0, stagnation=1), steps=1)).fit()
    assert not any("model" in update.parameter for update in run.steps[0].proposal.updates)


def test_a_model_that_dies_while_edits_are_tried_ends_the_run(store: Store, market: Market) -> None:
    """The run rests on it, so that no edit is to blame."""
    market.open(Mortal(SMALL), Model(LARGE))
    with pytest.raises(Unavailable):
        choosing(store, market, rows(["a", "free"]), **begin(agent=agent(), val=())).fit()


class Mortal(Model):
    """Is gone as soon as a prompt has a rule."""

    async def complete(self, request: Request) -> Reply:
        if "# Rules" in request.messages[0].content:
            raise Unavailable("the server has gone")
        return await super().complete(request)


def test_a_recipe_may_leave_settings_alone(store: Store, at: Market) -> None:
    run = choosing(store, at, **begin(optimizer=Recipe(explore=0.0, stagnation=2, settings=False))).fit()
    assert models(run) == {"read": "small", "sort": "small"}


def test_a_setting_that_breaks_what_works_is_not_taken(store: Store, market: Market) -> None:
    """Large sorts `b`, but nothing else; the regression gate sees that."""
    market.open(Model(SMALL, {"sort": ("b",)}), Model(LARGE, {"sort": ("a", "free")}))
    run = choosing(store, market, **begin()).fit()
    assert models(run) == {"read": "small", "sort": "small"}
    assert run.val == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_learning_first_with_settings_and_then_choosing_the_cheapest_go_together(store: Store, at: Market) -> None:
    run = choosing(store, at, **begin(prefer="cheapest")).fit()
    assert models(run) == {"read": "small", "sort": "middle"}, "large, if it was found first, gives way to middle"


def test_journals_of_a_search_are_equal_at_every_concurrency(tmp_path: Path, at: Market) -> None:
    from agentsym.store.comparable import comparable

    told = []
    for concurrency in (1, 8):
        with Store.open(tmp_path / f"{concurrency}.db") as store:
            run = choosing(store, at, **begin(concurrency=concurrency)).fit()
            told.append(list(comparable(store.events(run.id))))
    assert told[0] == told[1]
