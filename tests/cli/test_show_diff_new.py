"""`show` says what an agent is, `diff` what was learned, `new` makes a copy that can be trained at once."""

import json
import shutil
from pathlib import Path

from agentsym.cli.agents import find_agent
from tests.cli.conftest import Call


def test_show_names_fields_nodes_edges_and_weights(call: Call) -> None:
    done = call("show", "support_triage")
    assert done.code == 0
    for text in ("takes message", "gives intent (choice), urgency (choice), due", "intent → urgency", "due → END"):
        assert text in done.out
    assert "intent/choices/intent" in done.out and "14 labels, 14 defined" in done.out


def test_show_prints_a_flowchart(call: Call) -> None:
    done = call("show", "things", "--mermaid")
    assert done.out.startswith("flowchart TD\n")
    assert 'n1("sort")' in done.out


def test_diff_shows_a_rule_that_was_added(call: Call, place: Path) -> None:
    run = call("optimize", "things", "--steps", "2", "--json").json
    done = call("diff", "things", run["out"])
    assert done.code == 0
    assert "~ sort/rules" in done.out
    assert all(f": {rule}\n" in done.out for rule in run["learned"]["rules"])


def test_diff_of_an_agent_with_itself_is_empty(call: Call) -> None:
    assert call("diff", "things", "things").out == "no difference\n"


def test_a_new_agent_is_a_copy_that_can_be_trained(call: Call, place: Path) -> None:
    done = call("new", "mine", "--from", "support_triage")
    assert done.code == 0
    assert "agentsym optimize mine" in done.out
    assert find_agent("mine").agent.version == find_agent("support_triage").agent.version
    assert not list((place / "mine").rglob("__pycache__"))
    for name in ("train", "val", "test"):
        file = place / "mine" / "data" / f"{name}.jsonl"
        file.write_text("\n".join(file.read_text().splitlines()[:20]))
    trained = call("optimize", "mine", "--steps", "1", "--json")
    assert trained.code == 0
    assert set(trained.json["tested"]["metrics"]) >= {"intent", "urgency"}


def test_new_refuses_to_overwrite(call: Call, place: Path) -> None:
    before = (place / "things" / "agent.py").read_text()
    done = call("new", "things", "--from", "support_triage")
    assert done.code == 2
    assert "is there already" in done.err
    assert (place / "things" / "agent.py").read_text() == before


def test_new_says_which_pipelines_there_are(call: Call) -> None:
    done = call("new", "mine", "--from", "nothing")
    assert done.code == 2
    assert "there are: support_triage" in done.err


def test_the_runs_of_the_best_agent_need_nothing_but_its_folder(call: Call, place: Path) -> None:
    out = Path(call("optimize", "things", "--steps", "1", "--json").json["out"])
    shutil.move(out, place / "moved")
    shutil.rmtree(place / "things")
    assert json.loads(call("run", "moved", "--input", '{"text": "a pear"}', "--json").out)["output"]
