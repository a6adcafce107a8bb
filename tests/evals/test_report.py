"""The eval of the report measures what it names, on a run as long as it says."""

import json
import sys

import pytest

from evals.report import __main__ as measured
from evals.report.browser import found


def test_figures_have_names_and_units(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["report", "--steps", "5", "--times", "1", "--json"])
    measured.main()
    document = json.loads(capsys.readouterr().out)
    names = [
        "build, CPU seconds",
        "megabytes",
        *(["open, seconds, desktop", "open, seconds, phone"] if found() else []),
    ]
    assert list(document["rows"]) == names and document["steps"] == 5
    assert all(0 < value < 60 for value in document["rows"].values())
