"""`agentsym runs report`, `compare` and `export`, and the report that `agentsym optimize` leaves behind."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call, rows, write_rows


def test_optimize_leaves_a_report_beside_the_agent_and_names_it(call: Call, place: Path) -> None:
    done = call("optimize", "things", "--steps", "1", "--out", "better")
    assert "report: better/report.html" in done.out.splitlines()
    text = (place / "better" / "report.html").read_text("utf-8")
    assert text.startswith("<!doctype html>") and "<h1>things</h1>" in text


def test_half_a_character_in_a_row_ends_nothing(execute: Call, place: Path) -> None:
    """It cannot be written as UTF-8: files and screen show its escape."""
    files = []
    for name, sentence in (("train", 0), ("test", 3)):
        halved = [{**row, "text": f"{row['text']} \ud83d"} for row in rows(sentence)]
        files += [f"--{name}", str(write_rows(place / f"{name}.jsonl", halved))]
    done = execute("optimize", "things", *files, "--steps", "1", "--out", "better")
    assert done.code == 0 and "\\ud83d" in done.out.splitlines()[-1]
    document = json.loads((place / "better" / "report.json").read_text("utf-8"))
    assert "\ud83d" in document["next"][-1]
    assert "\ufffd" in (place / "better" / "report.html").read_text("utf-8")
    for form in ("jsonl", "csv", "parquet"):
        assert execute("runs", "export", "--out", form, "--format", form).code == 0


def test_the_document_names_the_report(call: Call, place: Path) -> None:
    run = call("optimize", "things", "--steps", "1", "--json").json
    assert run["report"] == str(place / "runs" / run["run"] / "report.html")
    assert f">{run['tested']['after']:.3f}<" in Path(run["report"]).read_text("utf-8")


def test_a_report_goes_into_the_folder_of_its_run_or_where_one_wants_it(call: Call, place: Path) -> None:
    run = call("optimize", "things", "--steps", "1", "--out", "better", "--json").json["run"]
    (place / "better" / "report.html").unlink()
    assert call("runs", "report").out == f"{place}/better/report.html\n"
    assert (place / "better" / "report.html").is_file()
    done = call("runs", "report", run[:-1], "--out", "deep/page.html", "--json").json
    assert done == {
        "run": run,
        "file": str(place / "deep" / "page.html"),
        "bytes": (place / "deep/page.html").stat().st_size,
    }


def test_where_the_folder_is_gone_it_goes_to_runs_here(call: Call, place: Path) -> None:
    run = call("optimize", "things", "--steps", "0", "--out", "better", "--json").json["run"]
    (place / "better").rename(place / "moved")
    assert call("runs", "report").out == f"runs/{run}/report.html\n"


def test_a_file_that_cannot_be_written_is_named(call: Call, place: Path) -> None:
    call("optimize", "things", "--steps", "0")
    (place / "taken").write_text("")
    done = call("runs", "report", "--out", "taken/page.html")
    assert done.code == 1 and "taken/page.html: the report cannot be written there" in done.err and "--out" in done.err


@pytest.mark.parametrize("command", [("report",), ("export", "--out", "x"), ("compare", "last", "last")])
def test_without_runs_there_is_nothing_to_tell(call: Call, command: tuple[str, ...]) -> None:
    done = call("runs", *command)
    assert done.code == 2 and "there are no runs yet" in done.err


def test_compare_tells_settings_scores_and_what_was_learned(call: Call) -> None:
    runs = [call("optimize", "things", "--steps", steps, "--json").json for steps in ("0", "2")]
    names = [run["run"] for run in runs]
    done = call("runs", "compare", *names)
    assert done.code == 0
    for text in (*names, "set: steps", "the same rows in all sets", "on 18 test rows that both scored", "~ sort/rules"):
        assert text in done.out
    found = call("runs", "compare", *names, "--json").json
    assert [found["a"]["calls"], found["b"]["calls"]] == [run["usage"]["total"]["calls"] for run in runs]
    assert found["paired"]["b"] == runs[1]["tested"]["after"]


def test_a_run_compared_with_itself_has_learned_the_same(call: Call) -> None:
    call("optimize", "things", "--steps", "1")
    said = call("runs", "compare", "last", "last").out
    assert "both learned the same" in said and ": no difference)" in " ".join(said.split())


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_export_writes_a_file_a_table(call: Call, place: Path, form: str) -> None:
    run = call("optimize", "things", "--steps", "1", "--json").json["run"]
    done = call("runs", "export", run, "--out", "tables", "--format", form, "--json").json
    assert done["files"] == [str(place / "tables" / f"{name}.{form}") for name in done["rows"]]
    assert done["rows"]["steps"] == 1 and all(Path(file).is_file() for file in done["files"])
    steps = call("runs", "show", "--json").json["steps"]
    if form == "jsonl":
        (row,) = map(json.loads, (place / "tables" / "steps.jsonl").read_text("utf-8").splitlines())
        assert row["train"] == steps[0]["score"] and row["accepted"] == steps[0]["decision"]["accept"]


def test_export_says_what_is_in_each_file(call: Call) -> None:
    call("optimize", "things", "--steps", "1")
    assert "tables/steps.jsonl  1 row\n" in call("runs", "export", "--out", "tables").out
    assert call("runs", "export").code == 2
