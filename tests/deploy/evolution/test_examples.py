"""From feedback to rows: which opinion counts, which set a question is in, and what an answer is worth."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from agentsym.deploy.evolution.examples import (
    RANK,
    SHARES,
    UNJUDGED,
    Example,
    FeedbackMetric,
    examples,
    judgement,
    part_of,
    score_of,
)
from agentsym.deploy.evolution.material import Material
from agentsym.deploy.evolution.stubs import RecordedWrites
from agentsym.deploy.policy import Traces
from agentsym.deploy.redaction import Redactor
from agentsym.learning.metrics import load_metric
from agentsym.learning.protocols import Row
from agentsym.network.fields import Choice
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.records import Trajectory
from agentsym.store.live.traces import Feedback, Kind, Trace, example_id_of

exact = load_metric("exact")
sort = PromptNode("sort", "Sort it.", inputs=["text"], output={"kind": Choice(["fruit", "tool"]), "why": str})
NETWORK = Network("things", [sort], outputs=["kind", "why"])
ANSWER = {"kind": "fruit", "why": "it grows"}


def said(kind: Kind, seq: int = 1, *, score: float | None = None, label: Any = None, text: str = "") -> Feedback:
    return Feedback(
        seq=seq, id=f"f{seq}", trace_id="t", deployment="things", kind=kind, score=score, label=label, text=text,
        author="ann", at="2026",
    )  # fmt: skip


def trace(text: Any = "an apple", *, status: Any = "ok", keep: bool = True, inputs: Any = None, **rest: Any) -> Trace:
    given = {"text": text} if inputs is None else inputs
    held = Trajectory(id="t", version="v1", inputs=given, output=rest.pop("output", ANSWER), status=status)
    plain = {"id": f"t-{text}", "deployment": "things", "version": "v1", "thread": "x", "at": "2026", **rest}
    return Trace(example_id=example_id_of(given), status=status, trajectory=held if keep else None, **plain)


def one(found: Trace, *feedback: Feedback) -> Example | None:
    made = examples(NETWORK, [(found, feedback)])
    return made[0] if made else None


def test_questions_are_shared_out_by_their_hash() -> None:
    parts = Counter(part_of(example_id_of({"text": f"question {n}"})) for n in range(100_000))
    assert parts.keys() == SHARES.keys()
    for part, share in SHARES.items():
        assert parts[part] / 100_000 == pytest.approx(share, abs=0.01)


def test_the_same_inputs_are_always_in_the_same_set() -> None:
    assert example_id_of({"a": 1, "b": [1, {"c": None}]}) == example_id_of({"b": (1, {"c": None}), "a": 1})
    assert part_of("0" * 16) == part_of("0" * 16)
    questions = [("an apple", "v1"), ("a saw", "v1"), ("an apple", "v2")]
    made = [
        examples(NETWORK, [(trace(text, version=version), [said("thumb", score=0)])])[0] for text, version in questions
    ]
    assert made[0].row.id == made[2].row.id != made[1].row.id and made[0].part == made[2].part


def test_inputs_that_are_redacted_alike_are_one_question() -> None:
    redactor = Redactor(Traces())
    kept = [redactor.value({"text": f"mail {name}@b.org"}) for name in ("ann", "bob")]
    made = examples(NETWORK, [(trace(inputs=each, id=str(n)), [said("thumb", score=0)]) for n, each in enumerate(kept)])
    assert len(made) == 1 and made[0].row.inputs == {"text": "mail [email]"}


def test_the_kind_that_says_most_counts() -> None:
    assert list(RANK) == ["label", "edit", "thumb", "metric", "judge"]
    feedback = [said(kind, seq, score=seq / 10) for seq, kind in enumerate(RANK, start=1)]
    for first in range(5):
        for order in (feedback[first:], feedback[first:][::-1]):
            found = judgement(order)
            assert found is not None and (found.kind, found.score) == (feedback[first].kind, (first + 1) / 10)


def test_of_one_kind_the_newest_label_counts_else_the_mean() -> None:
    thumbs = judgement([said("thumb", 1, score=1), said("thumb", 3, score=0, text="no"), said("thumb", 2, score=1)])
    assert thumbs is not None and thumbs.score == pytest.approx(2 / 3) and thumbs.label == {}
    labels = judgement([
        said("label", 3, label={"kind": "tool"}), said("label", 1, label={"kind": "fruit"}), said("label", 4, score=1.0)
    ])  # fmt: skip
    assert labels is not None and labels.label == {"kind": "tool"} and labels.score is None


def test_a_remark_judges_nothing_but_is_heard() -> None:
    assert judgement([]) is None
    assert judgement([said("thumb", text="hm"), said("label", label={})]) is None
    found = judgement(
        [said("thumb", 1, score=0, text="wrong"), said("edit", 7, text="wrong"), said("edit", 9, text="x")]
    )
    assert found is not None and (found.kind, found.text, found.seq) == ("thumb", "wrong x", 9)


def test_an_example_is_a_row_with_what_is_wanted() -> None:
    made = one(trace(at="2026-05"), said("label", 4, label={"kind": "tool"}, text="no fruit"))
    assert made is not None
    assert made.row == Row(
        id=example_id_of({"text": "an apple"}), inputs={"text": "an apple"}, expected={"kind": "tool"},
        source="trace t-an apple",
    )  # fmt: skip
    assert (made.answer, made.version, made.at, made.part) == (ANSWER, "v1", "2026-05", part_of(made.row.id))


def test_an_answer_that_was_approved_is_what_is_wanted() -> None:
    approved = one(trace(output={**ANSWER, "inner": 1}), said("thumb", score=1))
    assert approved is not None and approved.row.expected == ANSWER
    for found in (
        one(trace(), said("thumb", score=0.99)),
        one(trace(status="error"), said("thumb", score=1)),
        one(trace(), said("thumb", 1, score=1), said("thumb", 2, score=0)),
    ):
        assert found is not None and found.row.expected == {}


def test_of_a_label_only_what_the_agent_gives_counts() -> None:
    made = one(trace(), said("label", label={"kind": "tool", "colour": "red", "why": 3}))
    assert made is not None and made.row.expected == {"kind": "tool"} and made.judgement.label == {"kind": "tool"}
    assert one(trace(), said("label", label={"colour": "red"}), said("thumb", 2, score=0)) is None


@pytest.mark.parametrize("inputs", [{}, {"text": "a", "more": 1}, {"question": "a"}, {"text": 3}])
def test_traces_of_other_inputs_are_left_out(inputs: dict[str, Any]) -> None:
    node = PromptNode("sort", "Sort it.", inputs=["text"], output={"kind": str})
    network = Network("things", [node], inputs={"text": str})
    assert examples(network, [(trace(inputs=inputs), [said("thumb", score=0)])]) == []
    assert len(examples(network, [(trace(), [said("thumb", score=0)])])) == 1


def test_a_trace_that_was_not_kept_or_not_judged_teaches_nothing() -> None:
    assert one(trace(keep=False), said("thumb", score=0)) is None
    assert one(trace(), said("thumb", text="hm")) is None


def test_of_one_question_the_trace_that_says_most_counts_and_of_equals_the_newest() -> None:
    thumb, newer = [said("thumb", 1, score=0)], [said("thumb", 5, score=0, text="still wrong")]
    label, edit = [said("label", 2, label={"kind": "tool"})], [said("edit", 3, label={"kind": "fruit"})]
    made = examples(NETWORK, [(trace(id="b"), newer), (trace(id="a"), thumb)])
    assert [each.row.source for each in made] == ["trace b"]
    made = examples(
        NETWORK, [(trace(id="d"), newer), (trace(id="c"), edit), (trace(id="b"), label), (trace(id="a"), thumb)]
    )
    assert [(each.row.source, each.row.expected) for each in made] == [("trace b", {"kind": "tool"})]
    made = examples(NETWORK, [(trace("a saw", id="z"), thumb), (trace("an apple"), label)])
    assert [each.row.inputs["text"] for each in made] == ["a saw", "an apple"]


def metric_of(*feedback: Feedback, **rest: Any) -> tuple[FeedbackMetric, Row]:
    made = one(trace(**rest), *feedback)
    assert made is not None
    return FeedbackMetric(exact, [made]), made.row


async def test_a_label_is_compared_and_what_was_said_is_passed_on() -> None:
    metric, row = metric_of(said("label", label={"kind": "tool"}, text="it is no fruit"))
    right, wrong = await metric(row, {"kind": "tool", "why": "x"}), await metric(row, ANSWER)
    assert (right.score, wrong.score) == (1.0, 0.0) and metric.name == "exact on feedback"
    assert "it is no fruit" in wrong.text and "it is no fruit" not in right.text
    assert not metric.unjudged(row, {"kind": "other"})


async def test_without_a_label_only_the_very_answer_is_judged() -> None:
    metric, row = metric_of(said("thumb", score=0, text="bad"))
    same, other = await metric(row, dict(ANSWER)), await metric(row, {**ANSWER, "why": "because"})
    assert (same.score, other.score) == (0.0, UNJUDGED) and "bad" in same.text and "bad" in other.text
    assert "nobody has judged this one" in other.text
    assert not metric.unjudged(row, dict(ANSWER)) and metric.unjudged(row, {**ANSWER, "why": "because"})
    better, row = metric_of(said("metric", score=0.8))
    assert (await better(row, ANSWER)).score == 0.8 and (await better(row, {})).score == 0.8


async def test_of_rows_that_people_wrote_the_metric_says_all() -> None:
    metric = FeedbackMetric(exact, [])
    row = Row(id="own", inputs={"text": "a saw"}, expected={"kind": "tool"})
    assert (await metric(row, {"kind": "tool"})).score == 1.0 and not metric.unjudged(row, {"kind": "fruit"})


async def test_the_score_of_an_answer_as_it_was_given() -> None:
    right, wrong = (
        judgement([said("label", label={"kind": "fruit"})]),
        judgement([said("label", label={"kind": "tool"})]),
    )
    thumb = judgement([said("thumb", score=0.25)])
    assert right is not None and wrong is not None and thumb is not None
    assert await score_of(exact, trace(), right) == 1.0 and await score_of(exact, trace(), wrong) == 0.0
    assert await score_of(exact, trace(status="error"), right) == 0.0
    assert await score_of(exact, trace(keep=False), right) is None  # nobody knows what the answer was
    assert await score_of(exact, trace(keep=False), thumb) == 0.25


async def test_a_metric_that_fails_says_nothing_of_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*given: Any) -> float:
        raise ValueError(f"cannot read an apple in {given}")

    label = judgement([said("label", label={"kind": "fruit"})])
    assert label is not None and await score_of(load_metric(broken), trace("a pear"), label) is None
    (record,) = caplog.records
    assert "ValueError" in record.getMessage() and "apple" not in caplog.text


def known(made: list[Example]) -> Material:
    """Return the material of some examples."""
    return Material(made, (), FeedbackMetric(exact, made), RecordedWrites(NETWORK, (), {}))


async def test_failures_are_new_of_the_version_and_in_the_learn_set() -> None:
    found = [
        (trace(f"question {n}", version=f"v{1 + n % 2}"), [said("thumb", n + 1, score=n % 3 / 2)]) for n in range(90)
    ]
    made = examples(NETWORK, found)
    failures = await known(made).failures("v1", 30)
    expected = [
        each.row.id for each in made
        if each.part == "learn" and each.version == "v1" and each.judgement.seq > 30 and (each.judgement.score or 0) < 1
    ]  # fmt: skip
    assert [each.row.id for each in failures] == expected and 5 < len(expected) < 30
    labelled = [(trace(f"question {n}"), [said("label", n + 1, label={"kind": "fruit"})]) for n in range(20)]
    right = examples(NETWORK, labelled)
    assert await known(right).failures("v1", 0) == []


async def test_the_metric_says_what_is_a_failure() -> None:
    made = examples(
        NETWORK, [(trace(f"question {n}"), [said("label", n + 1, label={"kind": "tool"})]) for n in range(9)]
    )
    assert await known(made).failures("v1", 0)
    lenient = FeedbackMetric(load_metric(lambda row, output: 1.0), made)
    assert await Material(made, (), lenient, RecordedWrites(NETWORK, (), {})).failures("v1", 0) == []


async def test_what_another_program_got_wrong_is_a_failure_of_every_version() -> None:
    found = [
        (trace(f"question {n}", origin=("live", "imported")[n % 2]), [said("thumb", n + 1, score=0)]) for n in range(40)
    ]
    made = examples(NETWORK, found)
    failures = await known(made).failures("v2", 10)
    assert {each.origin for each in failures} == {"imported"} and len(failures) > 3
    assert all(each.judgement.seq > 10 for each in failures)


def test_curated_rows_are_must_pass_rows_once() -> None:
    made = examples(NETWORK, [(trace(f"question {n}"), [said("thumb", 1, score=0)]) for n in range(60)])
    known = next(each.row for each in made if each.part == "must_pass")
    curated = (Row(id="own", inputs={"text": "x"}), known.model_copy(update={"source": "file"}))
    material = Material(made, curated, FeedbackMetric(exact, made), RecordedWrites(NETWORK, (), {}))
    rows = {part: material.rows(part) for part in SHARES}
    assert [row.id for row in rows["must_pass"]].count(known.id) == 1 and rows["must_pass"][-1].id == "own"
    assert sum(map(len, rows.values())) == 61 and json.dumps([row.content() for row in rows["learn"]])
