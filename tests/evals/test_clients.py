"""A run's own account is the provider's to the last token, through either client."""

from __future__ import annotations

import pytest

from evals.clients.experiment import IDENTICAL, agrees, measure
from evals.clients.shop import FAULTS, SLOTS, desk, rows
from evals.clients.world import Size

SMALL = Size(train=48, val=24, batch=12, steps=2)


def test_training_and_validation_share_no_sentence() -> None:
    shown, held_out = (
        {sentence for row in rows(96, held_out=held_out) for sentence in row["message"].split(". ", 1)}
        for held_out in (False, True)
    )
    assert not shown & held_out


def test_every_label_stands_equally_often_in_the_rows_and_the_agent_takes_them() -> None:
    table = rows(48, held_out=False)
    for name, labels in (("part", FAULTS), ("slot", SLOTS)):
        assert {label: sum(row[name] == label for row in table) for label in labels} == dict.fromkeys(
            labels, len(table) // len(labels)
        )
    assert set(desk().outputs) == {"part", "slot"}


@pytest.mark.parametrize("client", ["direct", pytest.param("litellm", marks=pytest.mark.slow)])
def test_a_run_counts_what_the_provider_bills_and_sends_equal_requests_once(client: str) -> None:
    if client == "litellm":
        pytest.importorskip("litellm")
    figures = measure(client, SMALL)
    assert figures["status"] == "done" and figures["accounts"]["calls"][0] > 100
    assert agrees(figures), figures
    assert figures["identical"]["past it"] == IDENTICAL
    assert figures["validation"]["after"] > figures["validation"]["before"]
