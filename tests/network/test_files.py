"""A saved agent is text that people read and change; what is loaded is what was saved, or says what is different."""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsym.errors import NetworkError, UsageError
from agentsym.network.code import load_file
from agentsym.network.fields import Field
from agentsym.network.files import load, save
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, PromptNode, Tool, ToolNode, load_tool
from agentsym.network.parameters import Code
from agentsym.network.yaml_text import read_yaml, write_yaml
from tests.network.samples import ALL, LEARNED, SOURCE, calc, chain, json_values, nested, networks, texts

TEXTS = texts | st.sampled_from(
    [
        "no",
        "12:30",
        "2026-01-01",
        "0x1",
        "1_000",
        "~",
        " a\n b ",
        "\n\nx\n",
        "a\n\n",
        "a \nb",
        "\ta",
        "- a\n- b",
        "#x",
        "a: b",
        "\x85\u2028\ufeff",
    ]
)


@given(
    st.dictionaries(
        TEXTS,
        st.recursive(TEXTS | json_values, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=6),
    )
)
def test_plain_data_survives_yaml(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    file = tmp_path_factory.mktemp("yaml") / "x.yaml"
    file.write_text(write_yaml(data), "utf-8", newline="")
    assert read_yaml(file) == data


@settings(max_examples=30)
@given(networks())
def test_a_network_survives_its_folder(tmp_path_factory: pytest.TempPathFactory, network: Network) -> None:
    folder = save(network, tmp_path_factory.mktemp("agent") / "x")
    again = load(folder)
    assert again == network
    assert again.version == network.version


@pytest.mark.parametrize("name", sorted(ALL))
def test_saving_again_changes_no_byte(name: str, tmp_path: Path) -> None:
    folder = ALL[name]().save(tmp_path / "a")
    texts = {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    again = Network.load(folder).save(tmp_path / "b")
    assert {file.relative_to(again): file.read_bytes() for file in again.rglob("*") if file.is_file()} == texts


def test_the_file_reads_like_a_person_wrote_it(tmp_path: Path) -> None:
    node = PromptNode(
        "say",
        "Say it in German.\nBe kind – always.",
        inputs=["text"],
        output={"said": str},
        rules=["Write »Sie«.", "No emoji."],
        examples=[{"input": {"text": "Thanks"}, "output": {"said": "Danke"}}],
    )
    folder = Network("say", [node], []).save(tmp_path / "say", tuned_with={"student": "embedded"})
    text = (folder / "agent.yaml").read_text("utf-8")
    assert text == EXPECTED


EXPECTED = """\
schema_version: 1
name: say
inputs:
  - {name: text}
outputs: [said]
nodes:
  - kind: prompt
    id: say
    inputs: [text]
    output:
      - {name: said, type: string}
    parameters:
      instructions:
        kind: text
        role: what the node is asked to do
        value: |-
          Say it in German.
          Be kind – always.
      rules:
        kind: rules
        role: rules that the answer must follow
        value:
          - Write »Sie«.
          - No emoji.
      examples:
        kind: examples
        role: worked examples
        value:
          - {input: {text: Thanks}, output: {said: Danke}}
edges:
  - {source: __start__, target: say}
  - {source: say, target: __end__}
tuned_with: {student: embedded}
"""


def test_what_it_was_tuned_with_is_kept_beside_and_not_in_the_version(tmp_path: Path) -> None:
    folder = chain().save(tmp_path / "x", tuned_with={"student": "openai/gpt-4o-mini"})
    loaded = Network.load(folder)
    assert loaded.tuned_with == {"student": "openai/gpt-4o-mini"}
    assert loaded.version == chain().version
    assert Network.load(loaded.save(tmp_path / "y")).tuned_with == loaded.tuned_with
    assert chain().tuned_with == {}


def test_learned_code_lies_in_its_own_file_with_author_and_hash(tmp_path: Path) -> None:
    folder = nested().save(tmp_path / "x")
    assert (folder / "tools/inner/calc.py").read_text("utf-8") == SOURCE
    entry = next(item for item in read_yaml(folder / "agent.yaml")["nodes"] if item["id"] == "inner")
    code = entry["agent"]["tools"][0]["parameters"]["code"]
    assert code["file"] == "tools/inner/calc.py"
    assert len(code["sha256"]) == 64
    learned = chain().with_parameter("calc/code", Code(SOURCE, entry="calc", author="learned"))
    assert "author: learned" in (learned.save(tmp_path / "y") / "agent.yaml").read_text("utf-8")


TESTED = Code(SOURCE, entry="calc", tests="def test_calc():\n    assert calc('a') == 'A'\n")


def test_tests_lie_beside_the_code_and_come_back_with_it(tmp_path: Path) -> None:
    network = chain().with_parameter("calc/code", TESTED)
    folder = network.save(tmp_path / "x")
    assert (folder / "tools/calc_test.py").read_text("utf-8") == TESTED.tests
    assert Network.load(folder) == network
    chain().save(folder)
    assert not (folder / "tools/calc_test.py").exists() and Network.load(folder).version == chain().version


def test_only_tests_that_are_there_are_part_of_the_version() -> None:
    assert "tests" not in str(chain().content())
    assert chain().with_parameter("calc/code", TESTED).version != chain().version
    assert TESTED.hash == Code(SOURCE, entry="calc").hash


def test_tests_that_a_person_has_changed_warn(tmp_path: Path) -> None:
    folder = chain().with_parameter("calc/code", TESTED).save(tmp_path / "x")
    (folder / "tools/calc_test.py").write_text("def test_other(): pass\n", "utf-8")
    with pytest.warns(UserWarning, match=r"calc/code: tools/calc_test\.py has changed since the agent was saved"):
        changed = Network.load(folder)
    assert changed.parameter("calc/code").tests.startswith("def test_other")  # type: ignore[attr-defined]


def test_a_tool_that_is_called_like_the_tests_of_another_has_a_file_of_its_own(tmp_path: Path) -> None:
    network = chain().replace(tools=(calc(), calc("calc_test"))).with_parameter("calc/code", TESTED)
    assert Network.load(network.save(tmp_path / "x")) == network


def test_two_tools_never_share_a_file(tmp_path: Path) -> None:
    network = chain().replace(tools=(calc(), calc("CALC").model_copy(update={"timeout_s": 1.0})))
    other = network.with_parameter("CALC/code", Code("def calc(question): return 1", entry="calc"))
    assert Network.load(other.save(tmp_path / "x")) == other


def test_code_that_a_person_has_changed_warns_and_is_another_version(tmp_path: Path) -> None:
    folder = chain().save(tmp_path / "x")
    (folder / "tools/calc.py").write_text(SOURCE.replace("upper", "lower"), "utf-8")
    with pytest.warns(UserWarning, match=r"calc/code: tools/calc\.py has changed since the agent was saved"):
        changed = Network.load(folder)
    assert changed.version != chain().version
    assert "lower" in changed.parameter("calc/code").content


BROKEN: dict[str, tuple[str, str, str]] = {
    "unknown field of the agent": ("name: chain", "nmae: chain\nname: chain", "nmae: Extra inputs"),
    "unknown field of a node": ("    id: final\n", "    id: final\n    modle: x\n", "nodes.final.modle: Extra inputs"),
    "unknown kind": ("kind: rules", "kind: ruels", "ruels"),
    "wrong type": ("    id: final\n", "    id: final\n    max_visits: many\n", "nodes.final.max_visits"),
    "illegal": ("inputs: [notes]", "inputs: [nots]", "reads 'nots'"),
    "file outside": ("file: tools/calc.py", "file: ../calc.py", "lies outside the agent's folder"),
    "file missing": ("file: tools/calc.py", "file: tools/clac.py", "there is no file tools/clac.py"),
    "key twice": ("name: chain", "name: chain\nname: other", "the key 'name' stands twice"),
    "no YAML": ("name: chain", "name: [chain", "this is not YAML"),
    "no mapping beside": ("name: chain", "tuned_with: x\nname: chain", "tuned_with must be a mapping"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_file_and_place(name: str, tmp_path: Path) -> None:
    old, new, reason = BROKEN[name]
    file = chain().save(tmp_path / "x") / "agent.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(UsageError) as caught:
        Network.load(file)
    assert reason in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_hand_written_file_needs_only_what_cannot_be_inferred(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(
        "name: hand\nnodes:\n- {kind: prompt, id: a, instructions: 'Say {{no}}', output: {yes: string}}\n", "utf-8"
    )
    network = Network.load(tmp_path)
    assert [field.name for field in network.inputs] == ["no"]
    assert network.outputs == ("yes",)


def test_there_must_be_an_agent_where_one_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no agent\.yaml here"):
        Network.load(tmp_path)


def test_a_folder_that_is_no_agents_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", "utf-8")
    with pytest.raises(UsageError, match="no agent's folder"):
        chain().save(tmp_path)
    with pytest.raises(UsageError, match="no agent's folder"):
        chain().save(tmp_path / "thesis.txt")
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_saving_over_an_agent_replaces_its_files_and_leaves_others(tmp_path: Path) -> None:
    folder = chain().save(tmp_path / "x")
    (folder / "notes.md").write_text("mine", "utf-8")
    (folder / "tools/mine.py").write_text("mine", "utf-8")
    plain = Network("plain", [PromptNode("a", inputs=["x"], output="y")], [])
    assert Network.load(plain.save(folder)) == plain
    assert (folder / "notes.md").read_text("utf-8") == "mine"
    assert [file.name for file in (folder / "tools").iterdir()] == ["mine.py"]
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_a_failed_save_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        chain().save(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_an_illegal_agent_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="unknown_field"):
        chain().replace(outputs=("x",)).save(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


FUNCTIONS = "import sibling\n\ndef shout(text: str) -> str:\n    return sibling.up(text)\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the user's own code in two files."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "functions.py").write_text(FUNCTIONS, "utf-8")
    (folder / "sibling.py").write_text("def up(text):\n    return text.upper()\n", "utf-8")
    return folder


def with_functions(home: Path) -> Network:
    function = load_file(home / "functions.py", "functions.py").shout
    inner = Network("deep", [ToolNode("deep", function, output="loud")], [])
    nodes = [
        ToolNode("one", function, output="a"),
        FunctionNode("two", function, output="b"),
        AgentNode("three", inner),
    ]
    return Network("net", nodes, [])


def call_all(network: Network) -> list[str]:
    one, two, three = network.node("one"), network.node("two"), network.node("three")
    assert isinstance(one, ToolNode)
    assert isinstance(two, FunctionNode)
    assert isinstance(three, AgentNode)
    deep = three.agent.node("deep")
    assert isinstance(deep, ToolNode)
    return [one.tool.function()("hi"), two.target()("hi"), deep.tool.function()("hi")]


@pytest.mark.parametrize("target", ["home/saved", "elsewhere/saved"])
def test_functions_in_files_are_found_from_wherever_the_agent_is_saved(
    target: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = with_functions(home)
    folder = network.save(tmp_path / target)
    monkeypatch.chdir("/")
    loaded = Network.load(folder)
    assert loaded.version == network.version
    assert call_all(loaded) == ["HI"] * 3
    again = Network.load(Network.load(folder).save(tmp_path / "third"))
    assert call_all(again) == ["HI"] * 3


def test_functions_are_found_beside_the_agent_without_saying_where(home: Path) -> None:
    (home / "agent.yaml").write_text(write_yaml({"name": "old", "nodes": []}), "utf-8")
    folder = with_functions(home).save(home)
    assert "code_folders" not in (folder / "agent.yaml").read_text("utf-8")
    assert call_all(Network.load(folder)) == ["HI"] * 3


def test_a_loaded_agent_keeps_its_code_through_edits(home: Path, tmp_path: Path) -> None:
    loaded = Network.load(with_functions(home).save(tmp_path / "x"))
    edited = loaded.load_state_dict({**loaded.state_dict(), "one/description": "Yells."}).freeze("one/description")
    assert call_all(edited) == ["HI"] * 3


def test_a_users_function_that_has_changed_is_told_when_it_is_found(home: Path, tmp_path: Path) -> None:
    folder = with_functions(home).save(tmp_path / "x")
    (home / "functions.py").write_text(FUNCTIONS.replace("up(text)", "up(text) + '!'"), "utf-8")
    with pytest.warns(UserWarning, match=r"functions\.py:shout has changed since the agent was saved"):
        assert call_all(Network.load(folder)) == ["HI!"] * 3


def test_code_that_no_other_process_could_find_is_refused(tmp_path: Path) -> None:
    def local(text: str) -> str:
        return text

    class Runnable:
        async def ainvoke(self, values: dict[str, Any]) -> dict[str, Any]:
            return values

    for node in (FunctionNode("f", local, output="x"), FunctionNode("g", Runnable(), inputs=["text"], output="x")):
        with pytest.raises(NetworkError, match=r"cannot be saved|could not be found again"):
            Network("net", [node], []).save(tmp_path / "x")


def test_an_object_of_main_is_refused(tmp_path: Path) -> None:
    program = (
        "from agentsym.network.network import Network\nfrom agentsym.network.nodes import ToolNode\n"
        "def f(x: str) -> str:\n    return x\n"
        f"Network('net', [ToolNode('f', f, output='y')], []).save({str(tmp_path / 'x')!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "__main__:f cannot be saved" in done.stderr
    assert not (tmp_path / "x").exists()


def test_shipped_tools_are_found_by_name(tmp_path: Path) -> None:
    node = ToolNode("due", load_tool("deadline"), output="due")
    loaded = Network.load(Network("net", [node], [], structure=LEARNED).save(tmp_path / "x")).node("due")
    assert isinstance(loaded, ToolNode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loaded.tool.function()(urgency="now", arrived="2026-03-02T09:30") == "2026-03-02T10:30"


def test_a_tool_with_a_dictionary_of_code_is_not_misread(tmp_path: Path) -> None:
    tool = Tool(name="x", arguments=(Field(name="kind"),), parameters={"code": Code("def f(kind): pass", entry="f")})
    network = Network("net", [ToolNode("x", tool, output="file")], [])
    assert Network.load(network.save(tmp_path / "x")) == network


def test_an_object_without_a_name_is_found_by_the_global_that_holds_it(tmp_path: Path, monkeypatch) -> None:
    """A compiled graph belongs to the file that it stands in, not to the module of its class."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "held.py").write_text(
        "from agentsym import Agent, FunctionNode\n"
        "class Upper:\n    def invoke(self, values, config=None):\n        return {'loud': values['text'].upper()}\n"
        "shout = Upper()\n"
        "agent = Agent('held', [FunctionNode('node', shout, inputs=['text'], output='loud')])\n"
    )
    monkeypatch.chdir(tmp_path)
    agent = load_file(tmp_path / "mine" / "held.py", "held.py").agent
    assert agent.node("node").code_ref.ref == "held.py:shout"
    agent.save(tmp_path / "saved")
    assert type(load(tmp_path / "saved").node("node").target()).__name__ == "Upper"
