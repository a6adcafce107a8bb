"""The table shows what the rows say, names what is missing, and takes no figure from a run that is not valid."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from evals.peers import table
from evals.peers.goals import GOALS, Goal
from evals.peers.rendering import BEGIN, END, put, rendered
from evals.peers.results import Results, reached

PAGE = f"# Benchmarks\n\nBefore.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n"
MACHINE = {
    "measure": "machine",
    "seeds": 2,
    "latency_ms": 50,
    "system": "Linux",
    "cores": 2,
    "cpu": "a CPU",
    "python": "3.11.7",
    "load": 0.5,
}
ENVIRONMENT = {"measure": "environment", "peer": "gepa", "version": "0.1.4", "mib": 21, "packages": 15}


def learned(peer: str, calls: int, seed: int = 0, mode: str = "plain", **other: Any) -> dict[str, Any]:
    row = {"measure": "learn", "peer": peer, "mode": mode, "seed": seed, "val": 1.0, "val_fresh": 1.0, "calls": calls}
    roles = {"student_calls": calls - 12, "backward_calls": 3, "loss_calls": 1, "optimizer_calls": 8}
    costs = {"tokens": 100 * calls, "wall_s": calls / 100, "cpu_s": 1.0, "rss_mib": 140.0, "import_rss_mib": 130.0}
    return {**row, **roles, **costs, "import_cpu_s": 0.5, "errors": 0, "max_in_flight": 20, "result": "r", **other}


def passed(peer: str, wall: float, cpu: float, measure: str = "forward", **other: Any) -> dict[str, Any]:
    row = {"measure": measure, "peer": peer, "asked": 1000, "calls": 1000, "tokens": 64_000, "wall_s": wall}
    return {**row, "cpu_ms_a_call": cpu, "rss_mib": 90.0, "errors": 0, "max_in_flight": 32, **other}


ROWS = [
    MACHINE,
    ENVIRONMENT,
    *(learned("agentsym", calls, seed) for seed, calls in enumerate((180, 190))),
    *(learned("gepa", calls, seed) for seed, calls in enumerate((400, 1500))),
    learned("mipro", 100, val=0.2, val_fresh=0.2),
    learned("agentsym", 310, mode="coupled"),
    learned("gepa", 1000, mode="coupled", val=0.2, val_fresh=0.2),
    learned("agentsym", 200, mode="trojan", val_fresh=0.85),
    passed("bare", 2.0, 0.8),
    passed("agentsym", 3.0, 1.0),
    passed("agentsym", 0.6, 0.9, "overhead"),
    passed("agentsym", 0.1, 0.9, "identical", calls=1),
    passed("gepa", 0.1, 0.9, "identical", calls=32),
    *({**learned("agentsym", 180), "measure": "repeat"} for _ in range(4)),
    *({**learned("gepa", calls), "measure": "repeat"} for calls in (400, 401, 400, 400)),
    {"measure": "import", "peer": "agentsym", "cpu_s": 0.02},
    {"measure": "import", "peer": "gepa", "cpu_s": 0.07},
    {"measure": "import", "peer": "trace", "cpu_s": 3.5},
]


def lines(text: str, start: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith(f"| {start}")]


def test_medians_and_their_spread_stand_beside_each_other() -> None:
    text = rendered(Results(ROWS))
    ours, theirs = lines(text, "**agentsym**")[0], lines(text, "GEPA, b=3, merge")[0]
    assert ours == ["**agentsym**", "2/2", "185 (180–190)", "173 / 4 / 8", "18,500", "1.9", "1.0", "140 (10)"]
    assert theirs[1:3] == ["2/2", "950 (400–1,500)"]
    assert lines(text, "DSPy MIPROv2")[0][1] == "0/1"
    modes = lines(text, "**agentsym**")[1]
    assert modes == ["**agentsym**", "1/1", "310 (310–310)", "31,000", "0/1", "200 (200–200)", "20,000"]
    assert lines(text, "GEPA, b=3, merge")[1][4:] == ["–", "–", "–"]
    words = " ".join(text.split())
    assert "disfavour MIPROv2 and SIMBA by design" in words and "say nothing about the quality of language" in words
    assert max(len(line) for line in text.splitlines() if not line.startswith("|")) <= 120


def test_the_forward_pass_stands_beside_the_bare_loop() -> None:
    text = rendered(Results(ROWS))
    assert lines(text, "agentsym | 3.00") == [["agentsym", "3.00", "1.50", "1.00", "0.90", "64", "90", "1"]]
    assert lines(text, "langgraph")[0][1:5] == ["2.00", "1.00", "0.80", "–"]
    assert lines(text, "agentsym | 180")[0][1:4] == ["180, 180, 180, 180", "yes", "0.02"]
    assert lines(text, "GEPA, b=3, merge | 400, 401")[0][2] == "no"
    assert lines(text, "GEPA, b=3, merge | 400, 401")[0][-2:] == ["21", "15"]


def test_every_goal_is_judged_by_its_own_figure() -> None:
    found = {line[0]: line[1:] for goal in GOALS for line in lines(rendered(Results(ROWS)), f"{goal.text} |")}
    assert set(found) == {goal.text for goal in GOALS}
    verdicts = {text: cells[-1] for text, cells in found.items()}
    assert found["model calls to 0.9, plain"] == ["185", "950", "≤ 200", "> 250", "met"]
    assert found["model calls to 0.9, coupled"][1:] == ["", "≤ 300", "> 450", "missed"]  # gepa does not reach it there
    assert found["wall time of the forward pass as a multiple of the bare loop's"][0] == "1.50"
    assert [text for text, verdict in verdicts.items() if verdict == "FAILS"] == [
        "runs that end below 0.9, trojan",
        "wall time of the forward pass as a multiple of the bare loop's",
        "runs whose report is not what a fresh validation gives",
    ]
    assert found["CPU ms a model call above the bare loop"][0] == "0.20"
    assert found["requests sent for 32 equal ones at once"][:2] == ["1", "32"]
    assert found["different journals of four equal runs"][0] == "1"
    assert found["peak memory above the imports, MiB"][0] == "10"
    assert found["CPU s of the import"][:2] == ["0.02", "0.07"]


@pytest.mark.parametrize(("ours", "verdict"), [(10, "met"), (11, "missed"), (20, "missed"), (21, "FAILS")])
def test_a_goal_is_met_missed_or_failed(ours: float, verdict: str) -> None:
    assert Goal("calls", lambda results: ours, 10, 20).verdict(ours) == verdict
    assert Goal("calls", lambda results: ours, 10, None).verdict(ours) == ("met" if ours == 10 else "missed")


def test_what_is_missing_failed_or_not_valid_is_said() -> None:
    text = rendered(Results(ROWS))
    assert "Not built here, so not compared: textgrad, dspy, adalflow, trace." in text
    assert "another score than was reported: agentsym." in text and "Not valid" not in text
    failed = {"measure": "learn", "peer": "trace", "failed": "trace failed with seed 1:\nTraceback"}
    worse = [*ROWS, failed, learned("gepa-all", 300, errors=3)]
    text = rendered(Results(worse))
    assert "**Not valid**: gepa-all: the server could not answer 3 of the requests." in text
    assert not lines(text, "GEPA, selector `all`")  # a run that is not valid gives no figure
    assert "**No figure**: trace failed with seed 1" in text and "Traceback" not in text
    assert reached(Results(worse).of("learn", "gepa", "plain")) == 1.0
    assert Results([MACHINE, failed]).of("learn") == []


def test_figures_that_were_not_measured_leave_their_goals_out() -> None:
    text = rendered(Results([MACHINE, learned("agentsym", 180)]))
    assert "model calls to 0.9, plain" in text and "forward pass as a multiple" not in text
    assert "In every run a fresh validation gave the score that was reported." in text


def test_only_what_stands_between_the_comments_is_replaced() -> None:
    page = put(PAGE, "\nnew\n")
    assert page == PAGE.replace("old", "new") and put(page, "new") == page
    with pytest.raises(ValueError, match="no place for the comparison"):
        put("# Benchmarks\n", "new")


def test_the_docs_have_a_place_for_it() -> None:
    assert f"{BEGIN}\n{END}" in put(table.PAGE.read_text(), "").replace("\n\n", "\n")


def command(monkeypatch: pytest.MonkeyPatch, *args: str) -> None:
    monkeypatch.setattr(sys, "argv", ["table", *args])
    table.main()


class Runs:
    """What is run in place of the contestants' processes."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, str, int]] = []
        self.fails: tuple[str, str, int] | None = None
        self.stops_at: int | None = None

    def __call__(
        self, measure: str, peer: Any, url: str, task: Any, seeds: Any, latency_ms: float
    ) -> Iterator[dict[str, Any]]:
        if len(self.done) == self.stops_at:
            raise KeyboardInterrupt
        self.done.append((measure, peer.name, task.mode, seeds[0]))
        assert latency_ms == (50.0 if (measure, task.mode) == ("learn", "plain") else 0.0)
        if self.fails == (measure, peer.name, seeds[0]):
            raise table.RunFailed(f"{peer.name} failed with seed {seeds[0]}: no more")
        if measure in ("learn", "repeat"):
            row = learned(peer.name, 200, seeds[0], task.mode)
        else:
            row = passed(peer.name, 1.0, 1.0, cpu_s=0.1)
        yield from [{**row, "measure": measure}] * (4 if measure == "repeat" else 1)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    found = Runs()
    monkeypatch.setattr(table, "measured", found)
    monkeypatch.setattr(table, "built", list)
    monkeypatch.setattr(table, "server", lambda: nullcontext("http://127.0.0.1:1/v1"))
    return found


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_all_is_run_in_turns_and_a_failure_does_not_end_it(
    runs: Runs, page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.fails = ("learn", "trace", 1)
    with pytest.raises(SystemExit, match="trace failed with seed 1"):
        command(monkeypatch, "--page", str(page), "--seeds", "0,1", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert page.read_text() == PAGE  # --json writes nothing
    plain = [(name, seed) for measure, name, mode, seed in runs.done if (measure, mode) == ("learn", "plain")]
    assert plain[0] == ("agentsym", 0) and plain.count(("mipro", 0)) == 1 and ("mipro", 1) not in plain
    assert [seed for _, seed in plain] == sorted(seed for _, seed in plain)
    assert {mode for measure, _, mode, _ in runs.done if measure == "learn"} == set(table.MODES)
    assert sum((measure, name) == ("forward", "bare") for measure, name, _, _ in runs.done) == 3
    assert sum(row["measure"] == "machine" for row in rows) == 1 and rows[0]["cores"] > 0


@pytest.mark.parametrize("at", [0, 7, 60, 95])
def test_a_comparison_that_is_stopped_goes_on_where_it_was(
    at: int, runs: Runs, page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(monkeypatch, "--page", str(page), "--seeds", "0,1")
    whole, shown = list(runs.done), page.read_text()
    assert len(whole) > 95
    page.write_text(PAGE)
    runs.done.clear()
    runs.stops_at = at
    args = ["--page", str(page), "--seeds", "0,1", "--rows", str(page.with_name("rows.json"))]
    with pytest.raises(SystemExit) as end:
        command(monkeypatch, *args)
    assert end.value.code == 130 and "the same command goes on" in capsys.readouterr().err
    assert page.read_text() == PAGE and runs.done == whole[:at]
    runs.stops_at = None
    command(monkeypatch, *args)
    assert runs.done == whole
    assert without_load(page.read_text()) == without_load(shown)


def without_load(text: str) -> str:
    return re.sub(r"load\s+average\s+\S+|\s", "", text)


def test_without_a_file_a_comparison_that_is_stopped_says_that_nothing_is_kept(
    runs: Runs, page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.stops_at = 3
    with pytest.raises(SystemExit) as end:
        command(monkeypatch, "--page", str(page))
    assert end.value.code == 130 and "no row is kept" in capsys.readouterr().err and page.read_text() == PAGE


@pytest.mark.parametrize(
    ("failed", "modes"),
    [(("forward", "textgrad", 0), ["plain"] * 3), (("learn", "trace", 0), list(table.MODES))],
    ids=["forward", "learn"],
)
def test_what_failed_is_run_again_and_a_whole_comparison_is_only_written(
    failed: tuple[str, str, int], modes: list[str], runs: Runs, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.fails = failed
    args = ["--page", str(page), "--seeds", "0,1", "--rows", str(page.with_name("rows.json"))]
    with pytest.raises(SystemExit, match=f"{failed[1]} failed with seed 0"):
        command(monkeypatch, *args)
    runs.fails = None
    runs.done.clear()
    command(monkeypatch, *args)
    assert runs.done == [(*failed[:2], mode, 0) for mode in modes] and "No figure" not in page.read_text()
    runs.done.clear()
    monkeypatch.setattr(table, "server", lambda: pytest.fail("there is nothing to be run"))
    page.write_text(PAGE)
    command(monkeypatch, *args)
    assert runs.done == [] and "**agentsym**" in page.read_text()


def test_rows_that_are_not_valid_are_no_figures_and_end_with_an_error(
    runs: Runs, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = page.with_name("rows.json")
    rows.write_text(json.dumps([{**MACHINE, "seeds": 1}, learned("agentsym", 999, errors=3)]))
    with pytest.raises(SystemExit, match="error: agentsym: the server could not answer 3"):
        command(monkeypatch, "--page", str(page), "--seeds", "0", "--rows", str(rows))
    assert "**Not valid**: agentsym" in page.read_text() and "999" not in page.read_text()
    assert not lines(page.read_text(), "model calls to 0.9, plain |")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--page", "missing.md"], "missing.md"),
        (["--page", "empty.md"], "no place for the comparison"),
        (["--rows", "broken.json"], "--rows"),
        (["--rows", "other.json"], "no list of rows"),
        (["--rows", "no-folder/rows.json"], "no-folder"),
        (["--rows", "rows.json", "--seeds", "0"], "other seeds"),
        (["--rows", "rows.json", "--seeds", "0,2"], "other seeds"),
        (["--rows", "rows.json", "--seeds", "0,1", "--latency-ms", "20"], "another latency"),
        (["--seeds", "a"], "invalid"),
    ],
)
def test_what_cannot_be_used_is_named_before_anything_is_run(
    args: list[str],
    says: str,
    runs: Runs,
    page: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(page.parent)
    files = {"empty.md": "# Nothing\n", "broken.json": "{", "other.json": "{}", "rows.json": json.dumps(ROWS)}
    for name, text in files.items():
        Path(name).write_text(text)
    with pytest.raises(SystemExit) as end:
        command(monkeypatch, "--page", str(page), *args)
    assert end.value.code == 2 and says in capsys.readouterr().err and runs.done == []
    assert not Path("missing.md").exists()
