"""Each section says what its figures say, and how much of long lists it leaves out."""

from itertools import pairwise

import pytest

from agentsym.learning.course import VersionRecord
from agentsym.learning.protocols import Decision
from agentsym.learning.report.edits import EditView, Line, Piece
from agentsym.learning.report.reading import CHANGES, ChangeView, Report
from agentsym.learning.report.sections import confusion, costs, learned, prompts, scores, setup, steps, versions
from agentsym.models.ledger import Ledger
from agentsym.network.records import Usage
from agentsym.store.store import Store

YES, NO = (Decision(accept=accept, reason="so it is", before=0.0, after=1.0) for accept in (True, False))


def section_of_confusion(report: Report, before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> str:
    assert report.run.tested is not None
    counts = {"confusion_before": {"team": before}, "confusion_after": {"team": after}}
    report.run.tested = report.run.tested.model_copy(update=counts)
    return str(confusion.section(report))


def test_mistakes_are_those_that_are_left_the_most_frequent_first(small: Report) -> None:
    text = section_of_confusion(small, {"a": {"a": 2, "b": 5}}, {"a": {"a": 4, "b": 1, "": 2}, "b": {"b": 3}})
    assert "2 → 7 of 10 right" in text
    mistakes = text[: text.index("<details")]
    cells = [cell.split("<")[0] for cell in mistakes.split("<td>")[1:]]
    assert cells == ["(none)", "0", "2", "b", "5", "1"]


def test_no_mistake_is_said_to_be_left_where_none_is(small: Report) -> None:
    assert "No mistake is left." in section_of_confusion(small, {}, {"a": {"a": 1}})


def test_of_many_labels_only_the_mistakes_are_listed(small: Report) -> None:
    labels = [f"l{at:02}" for at in range(confusion.LABELS + 1)]
    counts = {label: {label: 1, other: 1} for label, other in pairwise([*labels, labels[0]])}
    text = section_of_confusion(small, {}, counts)
    assert 'class="matrix"' not in text and f"{len(labels)} labels are too many" in text
    assert f"Left out: {len(labels) - confusion.MISTAKES} rarer kinds of mistake." in text


def test_calls_are_told_by_who_was_asked(small: Report) -> None:
    small.run.ledger = Ledger()
    for phase, node, calls in (("forward", "read", 3), ("optimizer", "sort", 5), ("test", "sort", 1)):
        small.run.ledger.add(phase, node, Usage(calls=calls))  # type: ignore[arg-type]
    text = str(costs.section(small))
    by_node = text[text.index("Cost by node") :]
    assert by_node.index(">sort<") < by_node.index(">read<"), "the dearest first"
    by_role = text[: text.index("Cost by phase")]
    assert [cell.split("<")[0] for cell in by_role.split('scope="row">')[1:]][-1] == "in all"
    assert "<td>5</td>" in by_role and "teacher (" in by_role


def parameter(lines: int) -> EditView:
    return EditView("read/rules", tuple(Line("+", (Piece("+", f"rule {at}"),)) for at in range(lines)))


def test_of_what_was_learned_the_rest_can_be_opened_and_what_is_left_out_is_counted(
    small: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = [parameter(learned.LINES), parameter(learned.LINES + learned.MORE + 2)]
    monkeypatch.setattr(learned, "learned", lambda _: views)
    text = str(learned.section(small))
    assert text.count("<details") == 1 and f"<summary>{learned.MORE + 2} more</summary>" in text
    assert "2 lines more, left out here" in text and f"{learned.LINES} new" in text
    monkeypatch.setattr(learned, "ROOM", 10)
    assert "2 parameters more, left out here" in learned.section(small)


def test_the_graph_marks_what_has_learned(small: Report) -> None:
    text = str(learned.section(small))
    assert "marked nodes have learned" in text and text.count('class="marked"') == 2


def test_prompts_stand_before_and_after_and_long_ones_are_cut(small: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    text = str(prompts.section(small))
    assert text.count("<pre") == 4 and "before and after" not in text and "left out" not in text
    monkeypatch.setattr(prompts, "LONGEST", 10)
    assert "more, left out here; agent.yaml holds them" in prompts.section(small)
    small.run.best = small.run.first
    assert str(prompts.section(small)).count("before and after") == 2


def test_scores_are_told_with_their_change(small: Report) -> None:
    assert "<td>0.250</td><td>1.000</td><td>+0.750</td>" in str(scores.section(small))


def test_the_setup_names_models_and_settings(small: Report) -> None:
    text = str(setup.section(small))
    for name in ("optimizer", "steps", "first version"):
        assert f'<th scope="row">{name}</th>' in text
    assert small.run.first.version in text


def test_a_step_that_validation_took_back_is_not_called_accepted(small: Report) -> None:
    view = small.steps[0]
    for validated, badge in ((YES, "accepted"), (NO, "not confirmed")):
        record = view.record._replace(decision=YES, validated=validated)
        assert f">{badge}</b>" in str(steps.section(small._replace(steps=(view._replace(record=record),))))


def test_a_change_is_told_with_its_fate_and_credit_and_how_many_edits_are_left_out(small: Report) -> None:
    shown = ChangeView("read/rules", "harmful", (parameter(1),), 1, tuple(f"t{at}" for at in range(8)), 0.5)
    view = small.steps[0]._replace(changes=(shown,) * CHANGES, proposed=CHANGES + 2)
    text = str(steps.section(small._replace(steps=(view,))))
    assert "it breaks what works" in text and "credit +0.500" in text and "and 2 more" in text
    assert "1 edit more, left out here." in text and f"Changes: {CHANGES} of {CHANGES + 2}" in text


def test_where_there_is_no_room_steps_are_told_in_a_line(small: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "are told in full" not in str(steps.section(small))
    monkeypatch.setattr(steps, "ROOM", 10)
    assert f"0 of {len(small.steps)} steps are told in full" in str(steps.section(small))


def test_the_steps_of_a_long_run_stand_in_groups(long: tuple[Store, Report]) -> None:
    text = str(steps.section(long[1]))
    assert text.count('class="steps"') == 200 // steps.GROUP and text.count('class="steps" open') == 1
    assert 'class="steps"' not in str(steps.section(long[1]._replace(steps=long[1].steps[: steps.UNGROUPED])))


def test_versions_are_told_with_their_badges_and_what_was_refused_from_them(small: Report) -> None:
    run = small.run
    first, best = run.first.version, run.best.version
    other = VersionRecord("f" * 64, first, "reverted", 1)
    records = (VersionRecord(first, None, "first"), other, VersionRecord(best, first, "accepted", 0, 1.0))
    refused = run.steps[0]._replace(decision=NO, base=first)
    run.course = run.course._replace(versions=records, front=(other.hash,), steps=(refused, refused, run.steps[0]))
    rows = str(versions.section(small)).split("<li>")[1:]
    assert "2 attempts refused" in rows[0] and ">best<" not in rows[0]
    assert ">front<" in rows[1] and "what validation left of it" in rows[1] and "step 2" in rows[1]
    assert ">best<" in rows[2] and ">1.000<" in rows[2] and "refused" not in rows[2] and ">front<" not in rows[2]
