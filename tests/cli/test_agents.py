"""AGENT is a folder, a YAML file, file.py:name, module:name or a shipped pipeline, and an error says what is near."""

from pathlib import Path

import pytest

from agentsym.cli.agents import check_models, find_agent, shipped_pipelines
from agentsym.errors import UsageError

OWN_MODEL = """
from agentsym import Agent, FunctionNode
from agentsym.network.parameters import Option

def classify(text: str, model: str) -> str:
    return model

options = Option(role="which of our forests", value="small", options=["small", "large"])
node = FunctionNode("classify", classify, inputs=["text"], output="kind", parameters={"model": options})
agent = Agent("own", nodes=[node])
"""


@pytest.mark.parametrize("name", ["things", "things/agent.py", "things/agent.py:agent"])
def test_an_agent_is_found_as_a_folder_and_as_a_file(place: Path, name: str) -> None:
    found = find_agent(name)
    assert found.agent.name == "things"
    assert found.data("val") == place / "things" / "data" / "val.jsonl"


def test_an_agent_of_another_name_is_found_in_a_file(place: Path) -> None:
    assert find_agent("things/agent.py:other").agent.name == "others"


def test_an_agent_is_found_in_a_module_of_the_working_directory(place: Path) -> None:
    (place / "a_module_of_mine.py").write_text((place / "things" / "agent.py").read_text())
    found = find_agent("a_module_of_mine:other")
    assert found.agent.name == "others"
    assert found.data("train") is None


def test_the_reference_is_good_from_any_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    references = [find_agent(name).reference for name in ("things", "things/agent.py:other", "support_triage")]
    monkeypatch.chdir("/")
    assert [find_agent(name).agent.name for name in references] == ["things", "others", "support_triage"]


def test_a_saved_agent_is_found_by_folder_and_by_file(place: Path) -> None:
    find_agent("things").agent.save(place / "saved", {"student": "embedded"})
    for name in ("saved", "saved/agent.yaml"):
        assert find_agent(name).agent.version == find_agent("things").agent.version
        assert find_agent(name).agent.tuned_with == {"student": "embedded"}


def test_in_a_folder_the_yaml_counts_before_the_code(place: Path) -> None:
    other = find_agent("things/agent.py:other").agent
    (place / "things" / "agent.yaml").write_text((other.save(place / "saved") / "agent.yaml").read_text())
    assert find_agent("things").agent.name == "others"


def test_a_shipped_pipeline_is_found_from_any_folder(place: Path) -> None:
    assert "support_triage" in shipped_pipelines()
    found = find_agent("support_triage")
    assert [node.id for node in found.agent.nodes] == ["intent", "urgency", "due"]
    assert all(found.data(kind) for kind in ("train", "val", "test"))


def test_a_folder_of_that_name_counts_before_the_shipped_pipeline(place: Path) -> None:
    (place / "things").rename(place / "support_triage")
    assert find_agent("support_triage").agent.name == "things"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("thing", "did you mean things?"),
        ("suport_triage", "did you mean support_triage?"),
        ("nothing-like-it", "no shipped pipeline; shipped are: support_triage"),
        ("things/agnet.py", "there is no such Python file; did you mean agent.py?"),
        ("things/agent.py:agnet", "its agents are: agent, other"),
        ("things/agent.py:number", "holds int, no Agent, under 'number'"),
        ("no_such_module:agent", "cannot be imported (ModuleNotFoundError"),
        ("things/data", "neither an agent.yaml nor an agent.py"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_is_near(place: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_agent(name)
    assert said in str(caught.value)


def test_an_option_named_model_is_a_model_only_in_a_prompt_node(place: Path) -> None:
    (place / "own.py").write_text(OWN_MODEL)
    assert check_models(find_agent("own.py"), None) == "embedded"


def test_code_that_fails_is_named_with_its_error(place: Path) -> None:
    (place / "broken.py").write_text("1 / 0")
    with pytest.raises(UsageError, match=r"broken\.py: cannot be imported \(ZeroDivisionError"):
        find_agent("broken.py")
