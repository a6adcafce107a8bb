"""The tables hold what the store holds, in each of the formats."""

import csv
import json
import sys
from pathlib import Path

import pytest

from agentsym.errors import AgentsymError, UsageError
from agentsym.learning.report.export import COLUMNS, Format, export, tables
from agentsym.learning.report.reading import Report
from agentsym.learning.run import Run
from agentsym.store.store import Store
from evals.report.long_run import LongRun
from tests.learning.symbolic.world import TRAIN, WORLD, mind, trainer


def test_the_tables_are_those_of_the_store(store: Store, small: Report) -> None:
    run, found = small.run, tables(store, small.run)
    assert len(found["trajectories"]) == len(list(store.events(run.id, kind="trajectory")))
    assert sum(entry["calls"] for entry in found["calls"]) == small.info.calls
    last = store.last_event(run.id, "checkpoint")
    assert last is not None and found["curve"][-1]["calls"] == last.data["summary"]["calls"]
    assert [version["hash"] for version in found["versions"]] == [version.hash for version in store.versions(run.id)]
    assert [step["step"] for step in found["steps"]] == list(range(1, small.info.steps + 1))
    assert {version["step"] for version in found["versions"]} <= {None, *(step["step"] for step in found["steps"])}
    assert [version["step"] for version in found["versions"]].count(1) == 1
    kept = [edit for edit in found["edits"] if edit["fate"] == "accepted"]
    assert {json.loads(edit["edit"])["item"] for edit in kept} == {mind("a"), mind("b"), mind("both")}
    assert sum(edit["credit"] for edit in kept) > 0


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_what_is_written_reads_back(store: Store, small: Report, tmp_path: Path, form: Format) -> None:
    found = tables(store, small.run)
    files = export(found, tmp_path / "deep" / "out", form)
    assert [file.name for file in files] == [f"{name}.{form}" for name in found]
    for file, rows in zip(files, found.values(), strict=True):
        read = _read(file)
        assert len(read) == len(rows)
        assert {str(row.get("step", "")) for row in read} == {
            _cell(row.get("step", "")) for row in rows
        } or form != "csv"
        if form != "csv":
            assert read == json.loads(json.dumps(rows))


def test_each_row_has_the_columns_of_its_table(store: Store, small: Report) -> None:
    found = tables(store, small.run)
    assert list(found) == list(COLUMNS) and all(found.values())
    for name, rows in found.items():
        assert {tuple(row) for row in rows} == {tuple(COLUMNS[name])}
        for row in rows:
            assert all(type(row[column]) in (kind, type(None)) for column, kind in COLUMNS[name].items()), name


def test_tables_of_several_runs_go_under_one_another(store: Store, small: Report, tmp_path: Path) -> None:
    """Also those of a run without steps or validation, whose columns are empty."""
    import pyarrow
    from pyarrow import parquet

    bare = trainer(store, WORLD, TRAIN[:1], steps=0).fit()
    runs = {"small": small.run, "bare": bare}
    for form in ("csv", "parquet"):
        for name, run in runs.items():
            export(tables(store, run), tmp_path / name, form)
    assert not bare.steps and bare.val is None
    for name, columns in COLUMNS.items():
        found = [parquet.read_table(tmp_path / folder / f"{name}.parquet") for folder in runs]
        assert pyarrow.concat_tables(found).num_rows == sum(table.num_rows for table in found)
        heads = {(tmp_path / folder / f"{name}.csv").read_text("utf-8").splitlines()[0] for folder in runs}
        assert heads == {",".join(columns)}
    assert list(bare.to_frame().columns) == list(COLUMNS["steps"])


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_half_a_character_in_a_text_is_replaced(store: Store, tmp_path: Path, form: Format) -> None:
    run = LongRun(store, 1, ticket="cut \ud83d off").write()
    files = export(tables(store, Run.read(store, run)), tmp_path, form)
    (inputs,) = {str(row["inputs"])[:21] for row in _read(files[2])}
    assert inputs == '{"ticket": "cut ? off'


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _read(file: Path) -> list[dict[str, object]]:
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    if file.suffix == ".csv":
        with file.open(newline="", encoding="utf-8") as lines:
            return list(csv.DictReader(lines))
    from pyarrow import parquet

    rows: list[dict[str, object]] = parquet.read_table(file).to_pylist()
    return rows


def test_without_pyarrow_the_error_names_the_extra(
    store: Store, small: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"agentsym\[data\].*--format jsonl"):
        export(tables(store, small.run), tmp_path / "out", "parquet")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(store: Store, small: Report, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(AgentsymError, match=r"taken: the tables cannot be written"):
        export(tables(store, small.run), tmp_path / "taken", "csv")


def test_a_run_is_a_data_frame_of_its_steps(small: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = small.run.to_frame()
    assert list(frame["step"]) == [step.record.step + 1 for step in small.steps]
    assert list(frame["calls"]) == [step.record.calls for step in small.steps]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"agentsym\[data\]"):
        small.run.to_frame()
