"""The ledger: exact sums by phase and node, in an order that does not depend on who came first."""

import json
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from agentsym.models.ledger import Ledger
from agentsym.models.protocol import Phase
from agentsym.network.records import Usage

PHASES = st.sampled_from(get_args(Phase))
COUNTS = st.integers(0, 1000)
USAGES = st.builds(
    Usage,
    calls=COUNTS,
    cached=COUNTS,
    prompt_tokens=COUNTS,
    completion_tokens=COUNTS,
    usd=st.none() | COUNTS.map(lambda cents: cents / 64),
    seconds=COUNTS.map(lambda seconds: seconds / 64),
)
ENTRIES = st.lists(st.tuples(PHASES, st.sampled_from(["", "triage", "reply"]), USAGES))


def ledger_of(entries: list[tuple]) -> Ledger:
    ledger = Ledger()
    for phase, node, usage in entries:
        ledger.add(phase, node, usage)
    return ledger


@given(ENTRIES)
def test_every_view_sums_to_the_total_and_json_brings_everything_back(entries: list[tuple]) -> None:
    ledger = ledger_of(entries)
    total = sum((usage for *_, usage in entries), Usage())
    assert ledger.total() == total
    assert sum(ledger.by_phase().values(), Usage()) == total
    assert sum(ledger.entries().values(), Usage()) == total
    assert Ledger.from_json(json.loads(json.dumps(ledger.to_json()))) == ledger


@given(ENTRIES, st.randoms())
def test_the_order_of_calls_leaves_no_trace(entries: list[tuple], random: object) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ledger_of(shuffled).to_json() == ledger_of(entries).to_json()


@given(ENTRIES, ENTRIES)
def test_adding_two_ledgers_is_one_ledger_of_all_calls(first: list[tuple], second: list[tuple]) -> None:
    assert ledger_of(first) + ledger_of(second) == ledger_of(first + second)


def test_phases_come_in_the_order_in_which_they_follow_each_other() -> None:
    ledger = ledger_of([(phase, "", Usage(calls=1)) for phase in ("gate", "backward", "loss", "forward")])
    assert list(ledger.by_phase()) == ["forward", "loss", "backward", "gate"]


def test_an_unknown_price_stays_unknown_in_every_sum() -> None:
    ledger = ledger_of([("forward", "a", Usage(usd=None)), ("forward", "b", Usage(usd=1.0))])
    assert ledger.total().usd is None
    assert ledger.entries()["forward", "b"].usd == 1.0
