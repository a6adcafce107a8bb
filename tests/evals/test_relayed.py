"""Recorded runs with a language model behind the prompts: what it achieved once is replayed, request by request.

The recordings were made through files by a language model that saw nothing but the requests (`evals.relayed`).
"""

from pathlib import Path

import pytest

from agentsym.models.recording import RecordedModel
from evals.recordings import RECORDINGS, check
from evals.relayed import HIGHEST_START, KINDS, run

RECORDED = [name for name in KINDS if (RECORDINGS / name).is_dir()]


@pytest.mark.parametrize("name", RECORDED)
def test_a_language_model_as_teacher_raises_validation_by_15_points(name: str) -> None:
    model = RecordedModel(RECORDINGS / name)
    figures = run(name, model, model)
    assert figures["status"] == "done" and figures["accepted"]
    assert figures["val"]["before"] <= HIGHEST_START and figures["val"]["gain"] >= 0.15


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_says_how_it_was_made_and_its_replies_could_be_used_as_they_came(name: str) -> None:
    found = check(RECORDINGS / name)
    assert found["how"].startswith("a language model answered through files")
    assert found["parsed_at_first_try"] >= 0.95


def test_there_is_a_recording_of_each_kind() -> None:
    assert Path(RECORDINGS).is_dir() and set(RECORDED) == set(KINDS)
