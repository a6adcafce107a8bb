"""The loops that are compared do the same work, and what agentsym has run is let go at once."""

from __future__ import annotations

import gc

import pytest

from agentsym.runtime.session import Session
from evals.throughput.__main__ import LOOPS, throughput
from evals.throughput.loops import NODES, measured
from evals.throughput.memory import Instant, stream
from evals.throughput.task import KINDS, Ticket, answer, desk, tickets


def test_all_loops_send_the_same_bytes_and_find_every_label() -> None:
    figures = throughput(rows=24, rounds=1, concurrency=8, latency=0.0)  # raises where they do not
    assert set(figures["loops"]) == set(LOOPS)
    assert figures["loops"]["bare"]["wall_ratio"] == 1.0 and figures["loops"]["bare"]["cpu_ms_above_bare"] == 0.0
    assert figures["loops"]["agentsym"]["cpu_ms_a_call"] > 0


def test_a_loop_that_gives_wrong_labels_has_no_figure() -> None:
    async def guess(base_url: str, agent: object, rows: list[Ticket], concurrency: int) -> list[str]:
        return [KINDS[0] for _ in rows]

    with pytest.raises(ValueError, match="not those of the tickets"):
        measured(guess, "", desk(), list(tickets(2)), 1)  # type: ignore[arg-type]


def test_no_two_tickets_are_alike_and_the_double_answers_what_it_reads() -> None:
    table = list(tickets(50))
    assert len({ticket.text for ticket in table}) == 50
    asked = [{"messages": [{"content": f"# Input\nticket: {ticket.text}"}]} for ticket in table]
    assert len({answer(body) for body in asked}) == 50
    assert answer({"messages": [{"content": "# Input\nfact: refund\nref: 7"}]}) == '{"label": "refund"}'


def test_the_memory_in_use_is_read_twice_while_examples_stream() -> None:
    figures = stream(40, concurrency=4)
    assert figures["examples"] == 40
    assert figures["late_mib"] - figures["early_mib"] == pytest.approx(figures["growth_mib"], abs=0.02)


async def test_nothing_of_a_run_waits_for_the_garbage_collector() -> None:
    agent, rows = desk(), [(str(number), {"ticket": ticket.text}) for number, ticket in enumerate(tickets(40))]
    async with Session(Instant(), concurrency=4) as session:
        runs = [run async for run in session.aforward_many(agent, rows[:8])]  # compiles, and fills what is kept
        assert all(run.status == "ok" and len(run.steps) == NODES for run in runs)
        gc.collect()
        gc.disable()
        try:
            async for _ in session.aforward_many(agent, rows[8:]):
                pass
            assert gc.collect() < len(rows)  # a run that is a circle leaves nearly 200 objects
        finally:
            gc.enable()
