"""The language loss: what the teacher is shown, who gives the score, and what happens to it (D5)."""

from __future__ import annotations

from typing import Any

import pytest

from agentsym.errors import KeyRefused
from agentsym.learning.backward import backward
from agentsym.learning.loss import clamp, loss
from agentsym.learning.protocols import Row, Verdict
from agentsym.models.door import Door
from agentsym.models.doubles import MALFORMED, ScriptedModel
from agentsym.network.records import LossReport, Trajectory
from tests.learning.runs import chain, passes_tokens, scripted, straight, teacher_of

NETWORK = chain("a", "b")
RUN = straight(NETWORK)
LABELED = Row(id="r1", inputs={"question": "why?"}, expected={"b_out": "EXPECTED-TOKEN"})
UNLABELED = LABELED.model_copy(update={"expected": {}})
SCORED = Verdict(score=0.4, parts={"b_out": 0.4}, text="MEANING-TOKEN")
UNSCORED = Verdict(score=None)


def judge(score: float | None = None, **more: Any) -> ScriptedModel:
    reply = {"comments": "too long", "requirement_for_last": "be brief", "satisfied": False, **more}
    return scripted(lambda _: reply if score is None else {**reply, "score": score})


async def judged(model: ScriptedModel, row: Row, verdict: Verdict, run: Trajectory = RUN, **options: Any) -> LossReport:
    return await loss(teacher_of(model), NETWORK, run, row, verdict, **options)


@pytest.mark.parametrize("row", [LABELED, UNLABELED])
@pytest.mark.parametrize("verdict", [SCORED, UNSCORED])
async def test_labels_and_score_are_in_the_prompt_exactly_where_there_are_any(row: Row, verdict: Verdict) -> None:
    model = judge(None if verdict.score is not None else 7)
    report = await judged(model, row, verdict)
    (call,) = model.calls
    fields = call.request.schema_["properties"]  # type: ignore[index]
    assert ("EXPECTED-TOKEN" in call.text) == ("# The expected output" in call.text) == bool(row.expected)
    assert ("MEANING-TOKEN" in call.text) == ("0.4 of 1" in call.text) == (verdict.score is not None)
    assert ("score" in fields) == ("`score`" in call.text) == ("from 0 to 10" in call.text) == (verdict.score is None)
    assert "why?" in call.text and "output 0" in call.text and "output 1" in call.text
    assert (report.score, report.source) == ((0.4, "metric") if verdict.score is not None else (0.7, "judge"))
    assert (report.text, report.requirement) == ("too long", "be brief")
    assert report.expected == (row.expected or None)


@pytest.mark.parametrize(("said", "score"), [(10, 1.0), (0, 0.0), (5.5, 0.55), (12, 1.0), (-3, 0.0)])
async def test_a_prompted_score_of_ten_is_brought_into_zero_to_one(said: float, score: float) -> None:
    assert (await judged(judge(said), UNLABELED, UNSCORED)).score == pytest.approx(score)


@pytest.mark.parametrize(("given", "score"), [(1.5, 1.0), (-1.0, 0.0), (float("nan"), 0.0)])
async def test_a_metrics_score_is_clamped_too(given: float, score: float) -> None:
    assert (await judged(judge(), LABELED, Verdict(score=given))).score == score == clamp(given)


async def test_with_a_metric_the_score_is_the_metrics_whatever_the_teacher_says() -> None:
    class Generous:
        async def loss(self, *_: Any, **__: Any) -> LossReport:
            return LossReport(example_id="other", score=1.0, text="fine", satisfied=True, source="judge")

    report = await loss(Generous(), NETWORK, RUN, LABELED, SCORED)  # type: ignore[arg-type]
    assert (report.score, report.source, report.satisfied, report.example_id) == (0.4, "metric", False, "r1")


async def test_several_samples_are_averaged_and_the_comments_are_the_nearest_ones() -> None:
    model = scripted(
        lambda request: {
            "comments": f"sample {request.rollout}",
            "requirement_for_last": "x",
            "satisfied": False,
            "score": [0, 4, 8][request.rollout],
        }
    )
    report = await loss(teacher_of(model, samples=3), NETWORK, RUN, UNLABELED, UNSCORED)
    assert report.samples == (0.0, 0.4, 0.8) and report.score == pytest.approx(0.4) and report.text == "sample 1"
    scored = judge()
    await loss(teacher_of(scored, samples=3), NETWORK, RUN, UNLABELED, SCORED)
    assert len(scored.calls) == 1


async def test_the_metrics_own_text_costs_no_call() -> None:
    model = judge()
    report = await judged(model, LABELED, SCORED, comments="metric")
    assert (report.text, report.requirement, report.metrics) == ("MEANING-TOKEN", "MEANING-TOKEN", {"b_out": 0.4})
    passed = await judged(model, LABELED, Verdict(score=1.0), comments="metric")
    assert passed.satisfied and passed.requirement == ""
    bare = await judged(model, LABELED, Verdict(score=0.0), comments="metric")
    assert "b_out should be 'EXPECTED-TOKEN'" in bare.text
    assert not model.calls


async def test_without_a_score_the_teacher_is_asked_even_if_the_metric_was_to_comment() -> None:
    assert (await judged(judge(6), LABELED, UNSCORED, comments="metric")).score == 0.6


@pytest.mark.parametrize("comments", ["teacher", "metric"])
@pytest.mark.parametrize("verdict", [UNSCORED, Verdict(score=1.0)])
async def test_a_failed_run_scores_0_with_its_error_as_evidence(comments: Any, verdict: Verdict) -> None:
    model = judge(satisfied=True)
    failed = RUN.model_copy(update={"status": "error", "error": "node 'b': KeyError 'year'"})
    report = await judged(model, LABELED, verdict, failed, comments=comments)
    assert report.score == 0.0 and not report.satisfied
    seen = report.text if comments == "metric" else model.calls[0].text
    assert "node 'b': KeyError 'year'" in seen


async def test_a_capped_run_scores_0_without_asking_for_a_score() -> None:
    capped = RUN.model_copy(update={"status": "capped"})
    report = await judged(judge(), LABELED, UNSCORED, capped, comments="metric")
    assert report.score == 0.0 and "visit limit" in report.text


@pytest.mark.parametrize("comments", ["teacher", "metric"])
async def test_unsupervised_withholds_the_labels_from_everyone(comments: Any) -> None:
    model = judge()
    verdict = Verdict(score=0.4, text="wanted EXPECTED-TOKEN") if comments == "teacher" else Verdict(score=0.4)
    report = await judged(model, LABELED, verdict, supervised=False, comments=comments)
    assert "EXPECTED-TOKEN" not in report.model_dump_json() and report.score == 0.4
    assert all("EXPECTED-TOKEN" not in call.text for call in model.calls)


async def test_a_run_that_the_metric_faults_is_never_satisfied() -> None:
    assert not (await judged(judge(satisfied=True), LABELED, SCORED)).satisfied
    assert (await judged(judge(satisfied=True), LABELED, Verdict(score=1.0))).satisfied
    assert (await judged(judge(9, satisfied=True), UNLABELED, UNSCORED)).satisfied


async def test_a_teacher_without_a_legal_answer_is_asked_four_times_and_the_metric_stands_in() -> None:
    model = ScriptedModel([MALFORMED])
    report = await judged(model, LABELED, SCORED)
    assert len(model.calls) == 4 and report.text == "MEANING-TOKEN"


async def test_a_run_that_nobody_can_judge_scores_0_and_the_others_go_on() -> None:
    report = await judged(ScriptedModel([MALFORMED]), LABELED, UNSCORED)
    assert report.score == 0 and report.text.startswith("Nobody could judge this run: scripted gave no usable answer")


async def test_a_teacher_that_cannot_be_asked_at_all_is_no_matter_of_one_run() -> None:
    with pytest.raises(KeyRefused):
        await judged(ScriptedModel([KeyRefused("the key is wrong")]), LABELED, SCORED)


async def test_a_rubric_and_other_demonstrations_get_into_the_prompt() -> None:
    model = judge(3)
    teacher = teacher_of(model, judge="RUBRIC-TOKEN {{agent}}", demonstrations="DEMO-TOKEN")
    await loss(teacher, NETWORK, RUN, UNLABELED, UNSCORED)
    assert "RUBRIC-TOKEN {{agent}}" in model.calls[0].text and "DEMO-TOKEN" in model.calls[0].text
    assert "landlord" not in model.calls[0].text


async def test_learning_without_labels_and_without_a_metric_works_end_to_end() -> None:
    def answer(request: Any) -> Any:
        if "score" in request.schema_["properties"]:
            return {"comments": "dull", "requirement_for_last": "LOSS-TOKEN", "satisfied": False, "score": 4}
        return passes_tokens(request)

    model = scripted(answer)
    door = Door()
    teacher = teacher_of(model)
    teacher.door = door
    report = await loss(teacher, NETWORK, RUN, UNLABELED, UNSCORED)
    gradients = await backward(teacher, NETWORK, RUN, report, lr=0.5)
    assert "LOSS-TOKEN" in model.calls[1].text and [item.score for item in gradients] == [0.4, 0.4]
    asked = {entry: usage.calls for entry, usage in door.ledger.entries().items()}
    assert asked == {("loss", ""): 1, ("backward", "a"): 1, ("backward", "b"): 1}


async def test_of_a_run_that_the_metric_finds_perfect_nobody_is_asked() -> None:
    model = judge()
    report = await judged(model, LABELED, Verdict(score=1.0))
    assert not model.calls and report.satisfied and report.score == 1.0
    await judged(judge(9), LABELED, Verdict(score=None))  # without a score somebody has to judge
