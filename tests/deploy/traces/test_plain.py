"""Plain rows, nested and flat, with feedback of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.traces.files import desk, take, write, writer


def test_a_row_with_inputs_output_and_feedback(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "thread": "s1",
        "at": "2026-05-28T10:00:00+02:00",
        "inputs": {"text": "The tap drips", "floor": 3},
        "output": {"team": "heating"},
        "feedback": {"score": 0, "label": {"team": "plumbing"}, "text": "It is water", "author": "kim"},
    }
    trace = take(write(tmp_path / "rows.jsonl", row)).only
    assert (trace.inputs, trace.output, trace.expected) == (
        {"text": "The tap drips"},
        {"team": "heating"},
        {"team": "plumbing"},
    )
    assert (trace.source, trace.thread, trace.at) == ("7", "s1", "2026-05-28T08:00:00.000+00:00")
    assert (trace.score, trace.text) == (0.0, "It is water")
    assert [(opinion.kind, opinion.author) for opinion in trace.opinions] == [("label", "kim"), ("thumb", "kim")]


def test_flat_columns_go_where_their_names_say(tmp_path: Path) -> None:
    trace = take(write(tmp_path / "rows.jsonl", {"text": "The tap drips", "team": "plumbing", "id": "a"})).only
    assert (trace.inputs, trace.output, trace.expected) == ({"text": "The tap drips"}, {"team": "plumbing"}, None)


def test_a_map_takes_columns_of_other_names(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"body": {"lines": ["Hello", "The tap drips"]}, "who": "Kim"})
    maps = {"body.lines.-1": "text", "who": "customer"}
    assert take(path, agent=desk("text", "customer"), maps=maps).only.inputs == {
        "text": "The tap drips",
        "customer": "Kim",
    }


@pytest.mark.parametrize(
    ("said", "score"), [("up", 1.0), ("👎", 0.0), (True, 1.0), (0.5, 0.5), ("thumbs_down", 0.0), (None, None)]
)
def test_thumbs_are_understood(tmp_path: Path, said: object, score: float | None) -> None:
    row = {"inputs": {"text": "x"}, "feedback": [{"score": said, "text": "so"}]}
    assert take(write(tmp_path / "rows.jsonl", row)).only.score == score


def test_a_score_outside_its_range_is_refused_with_its_place(tmp_path: Path) -> None:
    path = write(
        tmp_path / "rows.jsonl", {"inputs": {"text": "x"}}, {"inputs": {"text": "y"}, "feedback": {"score": 5}}
    )
    taken = take(path)
    assert len(taken.traces) == 1
    assert taken.bad == [(f"{path}:2", "feedback.score is 5; it must lie in [0, 1]")]


def test_an_edit_of_the_only_output_needs_no_name(tmp_path: Path) -> None:
    row = {"inputs": {"question": "Why?"}, "output": "Because", "feedback": {"edit": "Because it is cold"}}
    trace = take(write(tmp_path / "rows.jsonl", row), agent=writer()).only
    assert (trace.output, trace.expected) == ({"reply": "Because"}, {"reply": "Because it is cold"})


def test_a_label_that_is_none_of_the_agents_is_told_and_the_trace_is_used(tmp_path: Path) -> None:
    row = {"inputs": {"text": "x"}, "feedback": {"label": {"team": "heatin"}}}
    taken = take(write(tmp_path / "rows.jsonl", row))
    assert taken.traces[0].expected is None
    assert taken.bad[0].why == "'heatin' is no value of 'team'; did you mean 'heating'?"


ROW = {"inputs": {"text": "The tap drips"}, "output": {"team": "heating"}}


def _ids(*paths: Path) -> list[str]:
    return [trace.source for trace in take(*paths).traces]


def test_a_row_without_an_id_is_known_by_what_it_says(tmp_path: Path) -> None:
    (first,) = _ids(write(tmp_path / "rows.jsonl", ROW))
    judged = {**ROW, "feedback": {"score": 1}}
    assert _ids(write(tmp_path / "more.jsonl", {"inputs": {"text": "Cold"}}, judged))[1] == first
    for other in (
        {**ROW, "inputs": {"text": "Cold"}},
        {**ROW, "output": {"team": "plumbing"}},
        {**ROW, "at": 5},
        {**ROW, "thread": "s1"},
        {"text": "The tap drips"},
        {"text": "Cold"},
    ):
        (found,) = _ids(write(tmp_path / "rows.jsonl", other))  # a new file of the old name
        assert found != first
        first = found


def test_equal_rows_of_a_file_are_several_traces_and_those_of_two_files_are_not(tmp_path: Path) -> None:
    twice = write(tmp_path / "twice.jsonl", ROW, ROW)
    assert len(set(_ids(twice))) == 2
    both = take(twice, once := write(tmp_path / "once.jsonl", ROW))
    assert [trace.source for trace in both.traces] == _ids(twice)
    assert both.bad == [(f"{once}:1", "another file holds the same row")]
