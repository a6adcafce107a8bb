"""`agentsym traces import`, from files of traces to a better agent."""

from __future__ import annotations

import json
from pathlib import Path

from agentsym.cli.agents import find_agent
from agentsym.deploy.beginning import begin
from agentsym.store.store import Store
from tests.cli.conftest import AGENT, Call, rows
from tests.deploy.traces.files import chat, otlp, span, write


def spans(folder: Path, *, label: bool = True) -> Path:
    """Traces of a chat about things, with what a person said of each."""
    found = []
    for number, row in enumerate(rows(0, 1, 2, 3, 4)):
        event = {"gen_ai.evaluation.name": "kind", "gen_ai.evaluation.score.label": row["kind"]}
        known = {
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": chat(row["text"]),
            "gen_ai.output.messages": chat("tool", "assistant"),
        }
        said = [("gen_ai.evaluation.result", event)] if label else []
        found.append(otlp(span("chat gpt-4o", known, trace=f"t{number}", events=said)))
    return write(folder / "spans.jsonl.gz", *found)


def things(folder: Path) -> str:
    (folder / "agent.py").write_text(AGENT, "utf-8")
    return str(folder / "agent.py:agent")


def test_an_agent_learns_from_what_another_one_has_left(tmp_path: Path, call: Call) -> None:
    agent, out = things(tmp_path), tmp_path / "rows.jsonl"
    done = call("traces", "import", str(spans(tmp_path)), "--agent", agent, "--out", str(out))
    assert done.code == 0, done.err
    assert "90 traces, 90 labelled, 0 judged, 0 failed" in done.out
    assert f"next: agentsym optimize {agent} --train {out}" in done.out
    learnt = call("optimize", agent, "--train", str(out), "--out", str(tmp_path / "better"), "--json")
    assert learnt.code == 0, learnt.err
    assert (tmp_path / "better/agent.yaml").is_file()


def test_json_is_one_document_with_every_figure(tmp_path: Path, call: Call) -> None:
    path = write(tmp_path / "rows.jsonl", {"id": "a", "inputs": {"text": "x"}, "feedback": {"score": 1}}, "{broken")
    out = tmp_path / "out.jsonl"
    done = call("traces", "import", str(path), "--agent", things(tmp_path), "--out", str(out), "--json")
    assert done.code == 0
    found = done.json
    (bad,) = found.pop("unusable")
    assert (bad["place"], bad["why"][:14]) == (f"{path}:2", "not valid JSON")
    assert found == {
        "traces": 1,
        "labelled": 0,
        "judged": 1,
        "failed": 0,
        "problems": 1,
        "out": str(out),
        "stored": None,
    }


def test_traces_go_into_the_store_of_a_deployment(tmp_path: Path, call: Call) -> None:
    place = tmp_path / "store.db"
    words = ("traces", "import", str(spans(tmp_path)), "--agent", things(tmp_path), "--deployment", "shop")
    done = call(*words, "--store", str(place))
    assert done.code == 0, done.err
    assert "there is no deployment 'shop' yet" in done.err.replace("\n", " ")
    assert "stored: 90; there already: 0" in done.out
    assert "stored: 0; there already: 90" in call(*words, "--store", str(place)).out
    with Store.open(place) as store:
        assert len(list(store.traces.judged("shop", most=200))) == 90
        begin(store, "shop", find_agent(things(tmp_path)).agent, actor="test")
    assert "no deployment" not in call(*words, "--store", str(place)).err


def test_a_file_of_which_nothing_can_be_used_is_an_error_that_says_why(tmp_path: Path, call: Call) -> None:
    path, out = write(tmp_path / "rows.jsonl", {"inputs": {"body": "x", "more": 1}}), tmp_path / "out.jsonl"
    done = call("traces", "import", str(path), "--agent", things(tmp_path), "--out", str(out))
    assert done.code == 2
    assert "nothing in these files can be used; 1 problem" in done.err
    assert "has no 'text': the trace has 'body', 'more'; --map PATH=text" in done.err.replace("\n", " ")
    assert not out.exists()
    again = call("traces", "import", str(path), "--agent", things(tmp_path), "--out", str(out), "--map", "body=text")
    assert again.code == 0
    assert json.loads(out.read_text("utf-8"))["text"] == "x"


def test_where_the_traces_go_must_be_said(tmp_path: Path, call: Call) -> None:
    done = call("traces", "import", str(spans(tmp_path)), "--agent", things(tmp_path))
    assert done.code == 2
    assert "--out rows.jsonl, or --deployment NAME" in done.err


def test_a_policy_says_what_is_redacted(tmp_path: Path, call: Call) -> None:
    (tmp_path / "policy.yaml").write_text("traces: {redact: [], patterns: {order: '#\\d+'}}\n", "utf-8")
    path = write(tmp_path / "rows.jsonl", {"inputs": {"text": "order #77 of kim@example.org"}})
    out = tmp_path / "out.jsonl"
    words = ("traces", "import", str(path), "--agent", things(tmp_path), "--out", str(out))
    assert call(*words, "--policy", str(tmp_path / "policy.yaml")).code == 0
    assert json.loads(out.read_text("utf-8"))["text"] == "order [order] of kim@example.org"


def test_the_rows_never_replace_what_is_read(tmp_path: Path, call: Call) -> None:
    path = write(tmp_path / "rows.jsonl", {"inputs": {"text": "x"}, "output": {"kind": "tool"}})
    before = path.read_bytes()
    (tmp_path / "link.jsonl").symlink_to(path)
    (tmp_path / "hard.jsonl").hardlink_to(path)
    for out in ("rows.jsonl", str(path), f"../{tmp_path.name}/rows.jsonl", "link.jsonl", "hard.jsonl"):
        done = call("traces", "import", str(path), "--agent", things(tmp_path), "--out", out)
        assert done.code == 2 and "which is read; name another file" in done.err.replace("\n", " ")
    assert path.read_bytes() == before
