"""Skills and descriptions of outputs are weights of a prompt node: read from files, shown, learned, saved as text."""

from pathlib import Path

import pytest

from agentsym import Agent, Choice, Described, PromptNode, Text
from agentsym.errors import NetworkError, UsageError
from agentsym.learning.teacher.operations import edits_of, node_edits_form
from agentsym.network.edits import SetOutput, SetParameter
from agentsym.network.prompt import Prompt, read_system
from agentsym.network.yaml_text import read_yaml
from agentsym.runtime.prompting import answer_schema


def written(folder: Path, **texts: str) -> list[Path]:
    """Write Markdown files and return them."""
    files = [folder / f"{name}.md" for name in texts]
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text, "utf-8")
    return files


def desk(folder: Path) -> Agent:
    """Return an agent of one node with two skills, a description that is learned and one that is not."""
    skills = written(folder, returns="Thirty days.\n", tone="Be brief.")
    node = PromptNode(
        "reply",
        "Answer the mail.",
        inputs=["mail"],
        output={
            "kind": Described(Choice(["return", "other"]), "What the mail is about."),
            "text": Described(str, "Two sentences.", max_chars=40),
            "fixed": Described(str, "The case number.", learnable=False),
        },
        skills=skills,
    )
    return Agent("desk", [node])


def system(agent: Agent) -> str:
    node = agent.node("reply")
    assert isinstance(node, PromptNode)
    return Prompt(node).messages({"mail": "x"})[0].content


def test_a_file_or_a_folder_with_a_skill_file_becomes_a_section_of_the_prompt(tmp_path: Path) -> None:
    agent = desk(tmp_path)
    assert read_system(system(agent)).skills == {"returns": "Thirty days.", "tone": "Be brief."}
    folder = tmp_path / "refunds"
    folder.mkdir()
    (folder / "SKILL.md").write_text("---\nname: refunds\n---\nAsk first.", "utf-8")
    for path in (folder, folder / "SKILL.md"):
        assert PromptNode("n", "x", output="y", skills=[path]).skills() == {
            "refunds": "---\nname: refunds\n---\nAsk first."
        }
    given = PromptNode("n", "x", output="y", skills={"a": "Text.", "b": Text("Kept.", learnable=False)})
    assert given.skills() == {"a": "Text.", "b": "Kept."} and not given.parameters["skills/b"].learnable


def test_descriptions_stand_in_the_prompt_and_in_the_form_of_the_answer(tmp_path: Path) -> None:
    agent = desk(tmp_path).apply([SetParameter(path="reply/fields/text", value="One sentence.")])
    assert "- text (string): One sentence." in system(agent) and "- kind (choice): What the mail is about." in system(
        agent
    )
    node = agent.node("reply")
    assert isinstance(node, PromptNode)
    said = {name: spec["description"] for name, spec in answer_schema(node)["properties"].items()}
    assert said == {"kind": "What the mail is about.", "text": "One sentence.", "fixed": "The case number."}


def test_both_are_learned_within_their_limits_and_belong_to_their_node(tmp_path: Path) -> None:
    agent = desk(tmp_path)
    paths = ["reply/skills/returns", "reply/fields/text"]
    form = node_edits_form(agent, "reply", paths)
    asked = [{"op": "set_text", "path": path, "value": "Changed.", "why": "w"} for path in paths]
    changed = agent.apply(edits_of(agent, form.model_validate({"analysis": "a", "edits": asked})))
    assert [changed.parameter(path).content for path in paths] == ["Changed."] * 2
    assert changed.version != agent.version
    with pytest.raises(NetworkError, match=r"reply/fields/text: 41 characters, at most 40"):
        agent.apply([SetParameter(path="reply/fields/text", value="x" * 41)])
    with pytest.raises(NetworkError, match=r"reply/fields/fixed is frozen"):
        agent.apply([SetParameter(path="reply/fields/fixed", value="x")])


def test_a_saved_agent_holds_its_skills_as_files_that_people_edit(tmp_path: Path) -> None:
    agent = desk(tmp_path)
    folder = agent.save(tmp_path / "saved")
    assert (folder / "skills/reply/returns.md").read_text("utf-8") == "Thirty days.\n"
    entry = read_yaml(folder / "agent.yaml")["nodes"][0]["parameters"]
    assert entry["skills/returns"]["file"] == "skills/reply/returns.md" and "value" not in entry["skills/returns"]
    assert entry["fields/text"]["value"] == "Two sentences."
    assert Agent.load(folder).version == agent.version
    (folder / "skills/reply/returns.md").write_text("Sixty days.", "utf-8")
    with pytest.warns(UserWarning, match=r"reply/skills/returns: skills/reply/returns\.md has changed"):
        edited = Agent.load(folder)
    assert "Sixty days." in system(edited) and edited.version != agent.version
    PromptNode("reply", "x", output="y")
    Agent("desk", [PromptNode("reply", "Answer.", inputs=["mail"], output="y")]).save(folder)
    assert not (folder / "skills/reply/returns.md").exists()


def test_a_description_goes_with_its_field(tmp_path: Path) -> None:
    agent = desk(tmp_path)
    learnable = agent.replace(structure=agent.structure.model_copy(update={"learnable": True}))
    kept = tuple(field for field in agent.node("reply").output if field.name != "text")
    changed = learnable.replace(outputs=("kind",)).apply([SetOutput(node="reply", value=kept)])
    assert "reply/fields/text" not in changed.parameters() and "reply/fields/kind" in changed.parameters()


@pytest.mark.parametrize(
    ("skills", "said"),
    [
        (["none.md"], r"skill none\.md: it cannot be read \(No such file"),
        ({"a b": "x"}, r"skill 'a b': a name has letters, digits, - and _"),
        (["one/a.md", "two/a.md"], r"skill 'a' is given twice"),
        (["latin.md"], r"latin\.md: the file is not UTF-8"),
    ],
)
def test_what_is_no_skill_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skills: dict[str, str] | list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text("x", "utf-8")
    (tmp_path / "latin.md").write_bytes(b"\xff")
    with pytest.raises(UsageError, match=said):
        PromptNode("n", "x", output="y", skills=skills)


def test_a_description_without_a_field_is_refused() -> None:
    node = PromptNode("n", "x", output="y")
    stray = node.model_copy(update={"parameters": node.parameters | {"fields/z": Text("?")}})
    with pytest.raises(NetworkError, match=r"n/fields/z: there is no field of this name"):
        Agent("a", [stray])
