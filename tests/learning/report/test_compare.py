"""Two runs side by side: what differs in settings, rows, scores, costs and what was learned."""

from agentsym import Agent, Choice, Choices, PromptNode
from agentsym.learning.gate import mean
from agentsym.learning.report.compare import compare, sizes
from agentsym.learning.statistics import paired_bootstrap
from agentsym.network.edits import ReplaceItem
from agentsym.store.store import Store
from tests.learning.symbolic.world import TRAIN, VAL, WORLD, Tracing, mind, rows, trainer

TEST = rows(["a", "b", "free", "both"] * 3, "x")


def test_equal_runs_differ_in_nothing(store: Store) -> None:
    a, b = (trainer(store, WORLD, TRAIN, val=VAL, test=TEST).fit() for _ in range(2))
    found = compare(a, b)
    assert found["settings"] == [] and found["learned"] == [] and found["same_agent"]
    assert set(found["same_data"].values()) == {True}
    assert found["paired"]["gain"] == 0.0 and found["paired"]["holds_zero"]


def test_what_differs_is_named_with_its_paired_interval(store: Store) -> None:
    a = trainer(
        store, WORLD, TRAIN, val=VAL, test=TEST, teacher=Tracing(WORLD, instead={"b": ("be nice",)}), steps=3
    ).fit()
    b = trainer(store, WORLD, TRAIN, val=VAL, test=TEST, seed=5).fit()
    found = compare(a, b)
    assert {"name": "seed", "a": 0, "b": 5} in found["settings"] and {"name": "steps", "a": 3, "b": 12} in found[
        "settings"
    ]
    assert a.tested is not None and b.tested is not None
    gain = paired_bootstrap(a.tested.after, b.tested.after)
    paired = found["paired"]
    assert (paired["rows"], paired["n"]) == ("test", len(TEST))
    assert (paired["a"], paired["b"]) == (mean(a.tested.after), mean(b.tested.after))
    assert (paired["gain"], paired["low"], paired["high"]) == tuple(gain) and paired["gain"] > 0
    assert {"about": "sort/rules", "only_a": [], "only_b": [mind("b")], "changed": []} in found["learned"]
    assert found["b"]["sizes"]["sort/rules"] == 2 and found["b"]["calls"] == b.ledger.total().calls


def test_other_test_rows_are_not_compared_but_common_validation_rows_are(store: Store) -> None:
    a = trainer(store, WORLD, TRAIN, val=VAL, test=TEST).fit()
    b = trainer(store, WORLD, TRAIN, val=VAL[:3], test=TEST[:5]).fit()
    found = compare(a, b)
    assert found["same_data"] == {"train": True, "val": False, "test": False, "must_pass": True}
    assert (found["paired"]["rows"], found["paired"]["n"]) == ("val", 3)


def test_runs_without_rows_in_common_have_no_interval(store: Store) -> None:
    a, b = (trainer(store, WORLD, TRAIN, val=val).fit() for val in ((), VAL))
    assert compare(a, b)["paired"] is None


def test_of_choices_those_count_that_say_what_they_mean() -> None:
    node = PromptNode("sort", "Sort.", inputs=["text"], output={"kind": Choice(["a", "b"])})
    agent = Agent("things", [node])
    (path,) = (path for path, parameter in agent.parameters().items() if isinstance(parameter, Choices))
    assert sizes(agent)[path] == 0 and sizes(agent)["sort/instructions"] == len("Sort.")
    defined = agent.apply([ReplaceItem(path=path, id="a", item="the first one")])
    assert sizes(defined)[path] == 1
