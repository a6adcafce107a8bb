"""What is written of imported traces: rows that `optimize` reads, and traces that a deployed agent learns from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentsym.deploy.evolution.examples import examples
from agentsym.deploy.policy import Policy
from agentsym.deploy.redaction import Redactor
from agentsym.deploy.traces.found import ImportedTrace
from agentsym.deploy.traces.importing import Keeper, row_of, write_rows
from agentsym.errors import DataError
from agentsym.learning.dataset import Dataset
from agentsym.store.store import Store
from tests.deploy.traces.files import desk, take, write

REDACTOR = Redactor(Policy().traces)
SECRET = "write to kim@example.org, key sk-0123456789abcdefghij"
ROWS: list[dict[str, Any]] = [
    {
        "id": "a",
        "inputs": {"text": f"The tap drips; {SECRET}"},
        "output": {"team": "heating"},
        "feedback": {"score": 0},
    },
    {"id": "b", "inputs": {"text": "It is cold"}, "output": {"team": "heating"}, "feedback": {"score": 1}},
    {
        "id": "c",
        "inputs": {"text": "No water"},
        "output": {"team": "heating"},
        "feedback": {"label": {"team": "plumbing"}, "text": SECRET},
        "thread": "kim@example.org",
    },
    {"id": "d", "inputs": {"text": "It hums"}, "error": f"refused: {SECRET}"},
]


def found(folder: Path, rows: list[dict[str, Any]] = ROWS) -> list[ImportedTrace]:
    return take(write(folder / "traces.jsonl", *rows)).traces


def test_rows_are_what_optimize_reads(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    assert write_rows(out, (row_of(trace, REDACTOR) for trace in found(tmp_path))) == 4
    rows = Dataset(desk()).load(out)
    assert {row.id: row.expected for row in rows} == {"a": {}, "b": {}, "c": {"team": "plumbing"}, "d": {}}
    assert [path.name for path in tmp_path.glob("rows*")] == ["rows.jsonl"]


def test_liked_answers_become_labels_only_where_that_is_asked_for(tmp_path: Path) -> None:
    rows = {trace.source: row_of(trace, REDACTOR, liked=True) for trace in found(tmp_path)}
    labels = {source: row.get("team") for source, row in rows.items()}
    assert labels == {"a": None, "b": "heating", "c": "plumbing", "d": None}


def test_nothing_is_written_that_must_not_be_kept(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    with Store.open(tmp_path / "store.db") as store:
        keeper = Keeper(store, REDACTOR, "desk", desk().version)
        for trace in found(tmp_path):
            keeper.add(trace)
        keeper.flush()
        kept = [
            *store.traces.recent("desk"),
            *store.traces.feedback_of(t.id for t in store.traces.recent("desk")).values(),
        ]
    write_rows(out, (row_of(trace, REDACTOR) for trace in found(tmp_path)))
    for text in (repr(kept), out.read_text("utf-8")):
        assert "kim@example.org" not in text and "sk-0123456789" not in text
        assert "[email]" in text


def test_a_deployed_agent_learns_from_them_what_people_said(tmp_path: Path) -> None:
    agent = desk()
    with Store.open(tmp_path / "store.db") as store:
        keeper = Keeper(store, REDACTOR, "desk", agent.version)
        for trace in found(tmp_path):
            keeper.add(trace)
        keeper.flush()
        assert (keeper.written, keeper.known) == (4, 0)
        stored = store.traces.recent("desk")
        assert {trace.origin for trace in stored} == {"imported"}
        assert {trace.version for trace in stored} == {agent.version}
        assert [trace.status for trace in stored] == ["error", "ok", "ok", "ok"]
        made = examples(agent, store.traces.judged("desk", most=10))
    said = {example.row.inputs["text"]: example.row.expected for example in made}
    assert said["It is cold"] == {"team": "heating"}  # it was approved
    assert said["No water"] == {"team": "plumbing"}
    assert "It hums" not in said
    assert len(said) == 3


def test_what_was_imported_before_is_left_as_it_is(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for written, known in ((4, 0), (0, 4)):
            keeper = Keeper(store, REDACTOR, "desk", desk().version)
            for trace in found(tmp_path):
                keeper.add(trace)
            keeper.flush()
            assert (keeper.written, keeper.known) == (written, known)
        assert len(store.traces.recent("desk")) == 4
        assert len(store.traces.feedback_of(trace.id for trace in store.traces.recent("desk"))) == 3


def test_many_traces_are_written_a_few_hundred_at_once(tmp_path: Path) -> None:
    rows = [{"id": f"r{number}", "inputs": {"text": f"number {number}"}} for number in range(450)]
    with Store.open(tmp_path / "store.db") as store:
        keeper = Keeper(store, REDACTOR, "desk", desk().version)
        for trace in found(tmp_path, rows):
            keeper.add(trace)
        assert keeper.written == 400
        keeper.flush()
        assert keeper.written == 450


def test_half_a_character_is_stored_all_the_same(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "inputs": {"text": "cut \ud83d"}, "error": "nul \x00", "feedback": {"text": "\ud83d", "score": 1}}
    ]
    out = tmp_path / "rows.jsonl"
    with Store.open(tmp_path / "store.db") as store:
        keeper = Keeper(store, REDACTOR, "desk", desk().version)
        keeper.add(*found(tmp_path, rows))
        keeper.flush()
        assert len(store.traces.recent("desk")) == 1
    assert write_rows(out, (row_of(trace, REDACTOR) for trace in found(tmp_path, rows))) == 1
    assert json.loads(out.read_text("utf-8"))["id"] == "a"


def test_rows_that_cannot_be_written_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the rows cannot be written"):
        write_rows(tmp_path / "nowhere/rows.jsonl", [{"id": "a"}])

    def breaks() -> Any:
        yield {"id": "a"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rows(tmp_path / "rows.jsonl", breaks())
    assert list(tmp_path.iterdir()) == []
