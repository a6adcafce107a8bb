"""A language model as teacher of code and of the pipeline: recorded runs are replayed, request by request.

The recordings were made through files by a language model that saw nothing but the requests (`evals.relayed_growth`).
"""

import pytest

from agentsym.errors import SandboxError
from agentsym.models.recording import RecordedModel
from agentsym.runtime.sandbox.find import find_sandbox
from evals.recordings import RECORDINGS, check
from evals.relayed_growth import KINDS, run

RECORDED = [name for name in KINDS if (RECORDINGS / name).is_dir()]


@pytest.fixture(scope="module", autouse=True)
def sandbox() -> None:
    try:
        find_sandbox()
    except SandboxError as error:
        pytest.skip(f"the tool's code runs in a sandbox only: {error}")


@pytest.mark.parametrize("name", RECORDED)
def test_a_language_model_mends_what_is_broken_within_150_calls(name: str) -> None:
    figures = run(name, RecordedModel(RECORDINGS / name))
    assert figures["status"] == "done" and figures["accepted"]
    assert figures["test"]["after"] - figures["test"]["before"] >= 0.25
    assert figures["teacher_calls"] <= 150


def test_the_missing_node_is_there_and_the_others_are_as_they_were() -> None:
    figures = run("node", RecordedModel(RECORDINGS / "node"))
    assert len(figures["nodes"]) > 2 and figures["test"]["after"] >= 0.9


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_says_how_it_was_made_and_its_replies_could_be_used_as_they_came(name: str) -> None:
    found = check(RECORDINGS / name)
    assert found["how"].startswith("a language model answered through files")
    assert found["parsed_at_first_try"] >= 0.95


def test_there_is_a_recording_of_each_kind() -> None:
    assert set(RECORDED) == set(KINDS)
