"""A run that was recorded comes out the same when it is replayed, whatever has become of our prompts since.

The teacher is a scripted double behind the real prompts, forms and retries; the world is `evals.simulated_world`'s.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from agentsym.errors import DataError, Unavailable, UsageError
from agentsym.learning.recording import changed_prompts, record_to, shipped_prompts
from agentsym.learning.run import Run
from agentsym.learning.teacher import prompt_files
from agentsym.learning.teacher.llm import LLMTeacher
from agentsym.learning.trainer import Trainer
from agentsym.models import structured
from agentsym.models.door import Door
from agentsym.models.doubles import MALFORMED, ScriptedModel
from agentsym.models.protocol import LanguageModel, Request
from agentsym.models.recording import PROMPTS, TRAFFIC, RecordedModel, read_traffic
from agentsym.store.store import Store
from evals import recordings
from evals.simulated_world import RULES, StudentDouble, chain, rows, share
from tests.learning.runs import parents_asked, step_asked

KEY = "sk-proj-abcdefghijklmnopqrstuvwx"
ROWS = [row.model_copy(update={"inputs": {"task": f"{row.inputs['task']} (key {KEY})"}}) for row in rows(0, "train", 6)]


class Student(StudentDouble):
    """The student's double as a remote model: answers of local ones are not recorded."""

    remote = True


def teach(request: Request) -> str:
    """Answer as a teacher would that knows the rules; some answers cannot be used as they first come."""
    assert request.schema_ is not None
    form, system, user = request.schema_["properties"], *(message.content for message in request.messages[:2])
    if "edits" in form:
        path = re.search(r"^# The component to edit\n\n`(\w+)/rules`", user, re.MULTILINE)
        assert path, user
        missing = [rule for rule in RULES[path[1]] if rule not in user]
        if "were refused" not in user:
            return MALFORMED
        return json.dumps({"analysis": "a", "edits": [{"op": "add", "text": rule, "why": ""} for rule in missing[:1]]})
    if "comments" in form:
        return json.dumps({"comments": "rules were broken", "requirement_for_last": "keep all", "satisfied": False})
    if step_asked(request) == 1 and len(request.messages) == 2:
        return MALFORMED
    reply: dict[str, Any] = {"analysis": f"after {len(system)} characters", "satisfied": False}
    node = re.search(r"`(\w+)/rules`", user)
    assert node, user
    reply["suggestions"] = [{"parameter": f"{node[1]}/rules", "advice": "add a rule", "severity": 3}]
    if "requirement_for_previous" in form:
        reply["requirement_for_previous"] = {str(parent): "keep all" for parent in parents_asked(request)}
    return json.dumps(reply)


def metric(row: Mapping[str, Any], output: Mapping[str, Any]) -> float:
    return share(row["answer"], output["answer"])


def train(student: str | LanguageModel, teacher: str | LanguageModel, recorder: Any = None) -> Run[Any]:
    with TemporaryDirectory() as folder, Store.open(Path(folder) / "store.db") as store:
        return Trainer(
            chain(),
            ROWS,
            val=(),
            optimizer="paper",
            metric=metric,
            student=student,
            teacher=teacher,
            gate="paper",
            steps=3,
            batch=2,
            lr=1.0,
            patience=None,
            cache=False,
            recorder=recorder,
            store=store,
        ).fit()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run[Any]]:
    """Return a recording of a run and the run."""
    folder = tmp_path_factory.mktemp("recordings") / "first"
    run = train(Student(), ScriptedModel([teach]), record_to(folder, how="a scripted double answered"))
    return folder, run


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ship other prompts from here on: a line more in the loss, other words in the retry. Return their folder."""
    folder = tmp_path / "prompts"
    shutil.copytree(prompt_files.SHIPPED, folder)
    loss = (folder / "loss.md").read_text("utf-8")
    (folder / "loss.md").write_text(loss.replace("<!-- system -->\n", "<!-- system -->\nBe strict.\n"), "utf-8")
    (tmp_path / "retry.md").write_text("In vain:\n{{error}}\n", "utf-8")
    monkeypatch.setattr(prompt_files, "SHIPPED", folder)
    monkeypatch.setattr(structured, "RETRY_PROMPT", tmp_path / "retry.md")
    monkeypatch.setattr("agentsym.learning.recording.RETRY_PROMPT", tmp_path / "retry.md")
    return folder


def test_the_recorded_run_learned_something_and_was_asked_again(recorded: tuple[Path, Run[Any]]) -> None:
    folder, run = recorded
    assert run.accepted and run.best.version != run.first.version
    found = read_traffic(folder / TRAFFIC)
    assert {item.phase for item in found} == {"forward", "loss", "backward", "optimizer", "gate"}
    assert {item.model for item in found} == {"scripted", "student double"}
    assert any(len(item.request.messages) == 4 for item in found)
    assert KEY not in (folder / TRAFFIC).read_text("utf-8")


def test_a_replay_ends_in_the_same_version_and_asks_nobody(recorded: tuple[Path, Run[Any]]) -> None:
    folder, run = recorded
    again = train(f"recorded:{folder}", f"recorded:{folder}")
    assert again.best.version == run.best.version
    assert [step.decision for step in again.steps] == [step.decision for step in run.steps]


def test_a_replay_goes_on_after_our_prompts_have_changed(recorded: tuple[Path, Run[Any]], later: Path) -> None:
    folder, run = recorded
    assert changed_prompts(folder) == ["loss.md", "retry.md"]
    assert train(f"recorded:{folder}", f"recorded:{folder}").best.version == run.best.version
    with pytest.raises(Unavailable, match="Be strict"):
        train(Student(), f"recorded:{folder / TRAFFIC}")


def test_what_was_recorded_with_other_prompts_is_not_added_to(recorded: tuple[Path, Run[Any]], later: Path) -> None:
    with pytest.raises(UsageError, match=r"other prompts \(loss\.md, retry\.md\)"):
        record_to(recorded[0])


def test_a_recording_holds_every_prompt_file_as_it_is(recorded: tuple[Path, Run[Any]]) -> None:
    kept = {file.name: file.read_bytes() for file in (recorded[0] / PROMPTS).iterdir()}
    assert kept == {name: file.read_bytes() for name, file in shipped_prompts().items()}
    assert {"loss.md", "gradient.md", "update.md", "retry.md"} <= kept.keys()
    assert changed_prompts(recorded[0]) == []


def test_prompts_that_only_one_has_count_as_changed(recorded: tuple[Path, Run[Any]], tmp_path: Path) -> None:
    folder = tmp_path / "first"
    shutil.copytree(recorded[0], folder)
    (folder / PROMPTS / "rules.md").rename(folder / PROMPTS / "laws.md")
    assert changed_prompts(folder) == ["laws.md", "rules.md"]
    shutil.rmtree(folder / PROMPTS)
    with pytest.raises(DataError, match="nobody can tell"):
        changed_prompts(folder)


def test_a_part_that_the_prompts_of_then_do_not_have_is_named(recorded: tuple[Path, Run[Any]], tmp_path: Path) -> None:
    folder = tmp_path / "first"
    shutil.copytree(recorded[0], folder)
    (folder / PROMPTS / "loss.md").write_text("<!-- user -->\n")
    with pytest.raises(UsageError, match=r"loss\.md has no part 'scoring: metric'"):
        train(f"recorded:{folder}", f"recorded:{folder}")
    (folder / PROMPTS / "loss.md").unlink()
    shutil.copytree(folder, tmp_path / "second")
    with pytest.raises(UsageError, match=r"loss\.md: a prompt of the teacher should be there"):
        train(f"recorded:{tmp_path / 'second'}", f"recorded:{tmp_path / 'second'}")


def test_prompts_of_ones_own_come_before_those_of_a_recording(recorded: tuple[Path, Run[Any]], tmp_path: Path) -> None:
    model = RecordedModel(recorded[0])
    assert LLMTeacher(model, Door()).prompts == recorded[0] / PROMPTS
    assert LLMTeacher(model, Door(), prompts=tmp_path).prompts == tmp_path
    assert LLMTeacher(ScriptedModel([]), Door()).prompts is None


def test_the_list_tells_what_a_recording_is_worth(
    recorded: tuple[Path, Run[Any]], later: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = recorded
    assert recordings.main([str(folder), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    exchanges = read_traffic(folder / TRAFFIC)
    again = sum(exchange.reply.text == MALFORMED for exchange in exchanges)
    assert again > 0 and found["calls"] == len(exchanges)
    assert found["parsed_at_first_try"] == pytest.approx(1 - again / (len(exchanges) - again))
    assert found["changed_prompts"] == {"loss.md": 1, "retry.md": 3}
    assert recordings.main([str(folder)]) == 0
    said = capsys.readouterr().out
    assert "how: a scripted double answered" in said
    assert "prompts changed since: loss.md (1 lines), retry.md (3 lines)" in said


def test_the_list_names_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recordings.main([str(tmp_path)]) == 2
    assert "no recording can be read there" in capsys.readouterr().err
