"""Merging a batch: what one update call gets to see of it does not depend on the order it came in (D6)."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentsym.learning.merge import MergedGradient, bounded, fit, merge, shorten
from agentsym.learning.protocols import Evidence, Task
from agentsym.learning.teacher.paper_requests import update_messages
from agentsym.network.network import Network
from tests.learning.runs import chain, evidence, gradient, prompt_node

NODES = ["draft", "final", "check"]


def lengths(merged: MergedGradient) -> int:
    return sum(len(item.analysis) + sum(len(s.advice) for s in item.suggestions) for item in merged.items)


def covered(merged: MergedGradient) -> set[str]:
    return {row for item in merged.items for row in item.examples}


@st.composite
def batches(draw: st.DrawFn) -> list[Evidence]:
    """Batches with rows drawn twice, loops, duplicates, satisfied, skipped and invalid gradients."""
    batch = []
    for row in draw(st.lists(st.sampled_from(["r1", "r2", "r3", "r4"]), max_size=6)):
        made = []
        for step in range(draw(st.integers(0, 3))):
            more: dict[str, Any] = draw(
                st.sampled_from([{}, {}, {"satisfied": True}, {"status": "invalid"}, {"status": "skipped"}])
            )
            advice = draw(st.sampled_from(["be brief", "Be  Brief", "name the year", ""]))
            analysis = draw(st.sampled_from(["wrong", "too long"]))
            node = draw(st.sampled_from(NODES))
            made.append(gradient(row, node, advice, step=step, analysis=analysis, **more))
        batch.append(evidence(row, draw(st.sampled_from([0.0, 0.5, 1.0])), *made))
    return batch


@given(batches(), st.randoms(use_true_random=False))
def test_every_permutation_merges_to_the_same(batch: list[Evidence], shuffle: random.Random) -> None:
    mixed = list(batch)
    shuffle.shuffle(mixed)
    assert merge(mixed) == merge(batch)


@given(batches())
def test_no_gradient_is_lost_in_the_counts(batch: list[Evidence]) -> None:
    for merged in merge(batch).values():
        assert merged.total == merged.satisfied + merged.invalid + sum(item.multiplicity for item in merged.items)


@given(batches(), st.integers(200, 2_000))
def test_bounding_keeps_every_failing_row(batch: list[Evidence], most: int) -> None:
    for merged in merge(batch).values():
        failing = {item.examples[0] for item in merged.items if item.score < 1.0}
        small = bounded(merged, least=1, max_chars=most)
        assert failing <= covered(small) and lengths(small) <= most


def test_gradients_are_grouped_by_node_where_rows_took_different_ways() -> None:
    long = evidence("r1", 0.1, gradient("r1", "draft", "A", step=0), gradient("r1", "final", "B", step=2))
    short = evidence("r2", 0.2, gradient("r2", "final", "C", step=0))
    merged = merge([long, short])
    assert list(merged) == ["draft", "final"]
    assert [item.suggestions[0].advice for item in merged["final"].items] == ["B", "C"]


def test_satisfied_and_invalid_ones_are_counted_and_left_out_and_the_unjudged_not_even_counted() -> None:
    merged = merge(
        [
            evidence("r1", 0.0, gradient("r1", "final", "A"), gradient("r1", "final", "", step=1, status="skipped")),
            evidence("r2", 1.0, gradient("r2", "final", "", satisfied=True, status="skipped")),
            evidence("r3", 0.5, gradient("r3", "final", "B", status="invalid")),
        ]
    )["final"]
    assert (merged.total, merged.satisfied, merged.invalid, len(merged.items)) == (3, 1, 1, 1)
    assert merged.mean_score == 0.5


def test_the_same_advice_becomes_one_item_that_says_how_often_and_of_whom() -> None:
    merged = merge(
        [
            evidence("r2", 0.1, gradient("r2", "final", "Name  the year")),
            evidence("r1", 0.1, gradient("r1", "final", "name the YEAR"), gradient("r1", "final", "other", step=1)),
        ]
    )["final"]
    assert [(item.examples, item.multiplicity) for item in merged.items] == [(("r1", "r2"), 2), (("r1",), 1)]


def test_a_loop_contributes_one_gradient_a_visit_in_order() -> None:
    visits = [gradient("r1", "write", advice, step=step) for step, advice in [(4, "E"), (0, "A"), (2, "C")]]
    assert [item.step for item in merge([evidence("r1", 0.0, *visits)])["write"].items] == [0, 2, 4]


def test_every_failing_row_comes_before_a_second_from_any_and_eight_are_always_allowed() -> None:
    batch = [
        evidence(f"r{row:02}", 0.0, *(gradient(f"r{row:02}", "final", f"{row}/{step}", step=step) for step in range(4)))
        for row in range(3)
    ]
    small = bounded(merge(batch)["final"])
    assert [(item.examples[0], item.step) for item in small.items] == [
        *(("r00", step) for step in range(4)),
        *(("r01", step) for step in range(3)),
        ("r02", 0),
    ]
    assert small.truncated


def test_a_batch_of_many_failing_rows_keeps_them_all_and_shortens_their_texts_with_a_mark() -> None:
    batch = [
        evidence(f"r{row:02}", 0.0, gradient(f"r{row:02}", "final", f"start {row} {'x' * 3_000} end {row}"))
        for row in range(20)
    ]
    small = bounded(merge(batch)["final"])
    assert len(small.items) == 20 and lengths(small) <= 12_000 and small.truncated
    for row, item in enumerate(small.items):
        advice = item.suggestions[0].advice
        assert advice.startswith(f"start {row}") and advice.endswith(f"end {row}") and "characters left out" in advice


def test_what_fits_is_left_as_it_is() -> None:
    merged = merge([evidence("r1", 0.0, gradient("r1", "final", "short"))])["final"]
    assert bounded(merged) == merged


@given(st.lists(st.text(max_size=300), max_size=8), st.integers(0, 1_000))
def test_fitted_texts_never_exceed_the_limit_and_short_ones_stay_whole(texts: list[str], most: int) -> None:
    fitted = fit(texts, most)
    assert sum(map(len, fitted)) <= most
    if sum(map(len, texts)) <= most:
        assert fitted == texts


@given(st.text(max_size=500), st.integers(0, 500))
def test_a_shortened_text_keeps_head_and_tail_within_its_limit(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text or limit < 60 or (text.startswith(short[:5]) and text.endswith(short[-5:]))


def two_nodes() -> Network:
    return Network(
        "agent",
        [prompt_node("draft", ["question"]), prompt_node("final", ["draft_out"])],
        [("draft", "final")],
        outputs=["final_out"],
    )


async def test_permuting_a_batch_or_finishing_in_another_order_gives_byte_identical_update_prompts() -> None:
    network = two_nodes()

    async def finish(row: int, delay: float) -> Evidence:
        await asyncio.sleep(delay)
        made = [gradient(f"r{row}", "final", f"advice {row % 3}", step=1), gradient(f"r{row}", "draft", "other")]
        return evidence(f"r{row}", row / 10, *made)

    prompts = set()
    for seed in range(4):
        delays = random.Random(seed).sample(range(6), 6)
        work = [finish(row, delay / 1_000) for row, delay in enumerate(delays)]
        batch = tuple([await item for item in asyncio.as_completed(work)])
        task = Task(network=network, node="final", parameter="final/rules", evidence=batch, lr=0.5)
        prompts.add(tuple(message.content for message in update_messages(task)))
    assert len(prompts) == 1


def test_the_update_prompt_of_a_long_batch_shows_every_failing_row() -> None:
    network = chain("final")
    batch = tuple(
        evidence(f"r{row}", 0.0, gradient(f"r{row}", "final", f"ROW-{row}-TOKEN {'x' * 4_000}")) for row in range(12)
    )
    task = Task(network=network, node="final", parameter="final/rules", evidence=batch, lr=0.5)
    user = update_messages(task)[1].content
    assert all(f"ROW-{row}-TOKEN" in user for row in range(12)) and len(user) < 24_000
