"""`agentsym optimize --models A,B --prefer cheapest --within X` gives each node a model, and says what that saves.

Both models are the embedded reader behind a provider's double, so they answer alike and differ in price alone.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentsym.cli.agents import find_agent
from evals.openai_server import Server
from evals.openai_server.brains import Reader
from tests.cli.conftest import Call, Result, rows, write_rows

LARGE, SMALL = "openai/large", "openai/small"
BEGIN = ("optimize", "things", "--student", LARGE, "--steps", "0")
CHOICE = ("--models", f"{LARGE}, {SMALL}", "--prefer", "cheapest", "--within", "0")
Ask = Callable[..., Result]


@pytest.fixture
def ask(call: Call, place: Path) -> Iterator[Ask]:
    """Call the command with a provider that has both models, and a list of their prices."""
    prices = place / "prices.yaml"
    prices.write_text(f"{LARGE}: {{input: 10, output: 10}}\n{SMALL}: {{input: 1, output: 1}}\n")
    with Server(Reader()) as server:

        def ask(*flags: str, **more: str) -> Result:
            known = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k", "AGENTSYM_PRICES": str(prices)}
            return call(*flags, **{**known, **more})

        yield ask


def test_the_cheaper_model_is_taken_and_saved_with_the_agent(ask: Ask, place: Path) -> None:
    done = ask(*BEGIN, *CHOICE, "--out", "best", "--json")
    assert done.code == 0 and done.json["best"] != done.json["first"]
    assert done.json["learned"]["settings"] == [f"sort/model: {LARGE} → {SMALL}"]
    option = find_agent("best").agent.parameter("sort/model")
    assert (option.value, option.options) == (SMALL, (LARGE, SMALL))
    worth = done.json["worth"]
    assert worth["after"]["usd"] == pytest.approx(worth["before"]["usd"] / 10) and worth["before"]["usd"] > 0
    assert worth["after"]["tokens"] == worth["before"]["tokens"]


def test_the_tables_show_the_front_and_what_1000_runs_cost(ask: Ask) -> None:
    done = ask(*BEGIN, *CHOICE, "--out", "best")
    worth = ask("runs", "show", "last", "--json").json["worth"]
    (line,) = [line for line in done.out.splitlines() if "cost of 1,000 runs" in line and "%" in line]
    assert f"${1000 * worth['before']['usd']:.2f}" in line and line.split()[-2:] == ["-90", "%"]
    assert "tokens a run" in done.out and "the Pareto front" in done.out
    assert [line for line in done.out.splitlines() if "(taken)" in line]
    assert f"choosing: sort/model {SMALL} taken (cheaper, at a score of" in done.err
    assert "choosing: 1 version measured" in done.err


def test_runs_show_holds_the_front_and_the_offers(ask: Ask) -> None:
    made = ask(*BEGIN, *CHOICE, "--json").json
    shown = ask("runs", "show", "last", "--json").json
    assert shown["front"] == made["front"] and shown["offers"] == made["offers"]
    (offer,) = shown["offers"]
    assert (offer["path"], offer["value"], offer["accept"]) == ("sort/model", SMALL, True)
    assert "scores" not in offer and "must_pass" not in offer
    taken = next(found for found in shown["front"] if found["version"] == shown["best"])
    assert taken["usd"] == pytest.approx(offer["measured"]["usd"]) and taken["score"] == shown["val"]["after"]
    out = ask("runs", "show", "last").out
    assert f"+ sort/model: {SMALL}: cheaper, at a score of" in out and "the Pareto front" in out


def test_the_comparable_journal_of_a_choice_is_the_same_every_time(ask: Ask) -> None:
    printed = []
    for concurrency in ("1", "8"):
        ask(*BEGIN, *CHOICE, "--concurrency", concurrency)
        printed.append(ask("runs", "show", "last", "--journal", "--comparable").out)
    assert printed[0] == printed[1] and '"offer"' in printed[0]


def test_without_a_preference_the_models_are_there_and_none_is_changed(ask: Ask) -> None:
    done = ask(*BEGIN, "--models", SMALL, "--out", "best", "--json").json
    assert done["front"] == done["offers"] == done["learned"]["settings"] == []
    assert find_agent("best").agent.parameter("sort/model").options == (LARGE, SMALL)


def test_where_a_price_is_unknown_tokens_decide_and_the_table_says_no_dollars(ask: Ask) -> None:
    done = ask(*BEGIN, *CHOICE, AGENTSYM_PRICES="")
    assert "no edit was accepted" in done.out, "both take the same tokens"
    shown = ask("runs", "show", "last", "--json").json
    assert shown["offers"][0]["reason"] == "it is not cheaper in tokens (the price of a model is unknown)"
    assert all(found["usd"] is None for found in shown["front"])


def test_a_dry_run_reckons_with_the_choice(ask: Ask) -> None:
    """Eighteen rows for the first version, the best one, and each of two other models."""
    models = ("--models", f"{SMALL},openai/other")
    plain, choosing = (
        ask(*BEGIN, *models, *more, "--dry-run", "--json").json["calls"]["gate"]
        for more in ((), ("--prefer", "cheapest"))
    )
    assert choosing == plain + 4 * 18
    made = ask(*BEGIN, *models, "--prefer", "cheapest", "--json").json["usage"]["by_phase"]["gate"]
    assert made["calls"] + made["cached"] == choosing - 18, "nothing was learned, so the first version is the best one"


def test_a_run_goes_on_with_the_choice_that_it_began_with(ask: Ask, place: Path) -> None:
    few = ("--train", str(write_rows(place / "few.jsonl", rows(0)[:6])))
    whole = ask(*BEGIN, *CHOICE, *few, "--json", XDG_CACHE_HOME=str(place / "one")).json
    other = {"XDG_CACHE_HOME": str(place / "other")}
    stopped = ask(*BEGIN, *CHOICE, *few, "--max-calls", "24", "--json", **other)
    assert stopped.code == 3 and stopped.json["best"] == stopped.json["first"] and stopped.json["front"]
    resumed = ask("optimize", "--resume", "last", "--json", **other).json
    assert resumed["best"] == whole["best"] and resumed["val"] == whole["val"]


@pytest.mark.parametrize(
    "flags",
    [("--models", SMALL), ("--prefer", "cheapest"), ("--within", "0.1"), ("--models", SMALL, "--prefer", "score")],
)
def test_a_resumed_run_takes_no_other_choice(ask: Ask, flags: tuple[str, ...]) -> None:
    done = ask("optimize", "--resume", "last", *flags)
    assert done.code == 2
    assert f"leave out {', '.join(flag for flag in flags if flag.startswith('--'))};" in done.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--prefer", "cheap"), "'cheap' is not one of 'score', 'cheapest', 'fastest'"),
        (("--prefer", "cheapest", "--within", "2"), "within is 2.0; it must be at most 1"),
        (("--prefer", "cheapest", "--within", "-0.1"), "within is -0.1; it must be 0"),
        (("--prefer", "cheapest", "--within", "a bit"), "Invalid value for '--within'"),
        (("--within", "0.1"), "--within is the margin of --prefer cheapest or --prefer fastest"),
        (("--within", "0.1", "--prefer", "score"), "--within is the margin of --prefer cheapest"),
        (("--models", ""), "--models : a name is missing"),
        (("--models", f"{SMALL},,{LARGE}"), "a name is missing"),
        (("--models", "nobody/knows"), "there is no provider 'nobody'"),
        (("--models", "small"), "small"),
        (("--models", LARGE), "no node could be given another model than it has"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_asked(ask: Ask, flags: tuple[str, ...], said: str) -> None:
    done = ask(*BEGIN, *flags)
    assert done.code == 2 and "Traceback" not in done.err
    assert said in " ".join(done.err.replace("│", " ").split())
    assert ask("runs", "list", "--json").json == []
