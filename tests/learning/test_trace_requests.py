"""The requests for blame, edits and moves: they tell what is needed, offer what is legal, and no more."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from agentsym.errors import OutputError
from agentsym.learning.protocols import Evidence, FailedRun, Redesign, Repair, Row
from agentsym.learning.teacher import trace
from agentsym.learning.teacher.prompt_files import SHIPPED
from agentsym.models.doubles import MALFORMED, Rule, ScriptedModel
from agentsym.network.edits import AddItem, AddNode, SetParameter
from agentsym.network.fields import Choice, Field
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode, Tool, as_tool
from agentsym.network.parameters import Code, Structure
from agentsym.network.records import LossReport, Step, ToolCall, Trajectory
from tests.learning.runs import teacher_of


def look_up(word: str) -> str:
    """Look a word up."""
    return word


def desk() -> Network:
    """Return a desk: `read` notes a fact, `sort` chooses a team with it, `reply` is not reached."""
    return Network(
        "desk",
        [
            PromptNode("read", "Note the fact.", inputs=["ticket"], output={"fact": str}, rules=["Be terse."]),
            PromptNode(
                "sort", "Choose.", inputs=["ticket", "fact"], output={"team": Choice({"heat": "", "water": ""})}
            ),
            PromptNode("reply", "Say UNREACHED.", inputs=["team"], output={"text": str}),
        ],
        [("read", "sort"), ("sort", "reply", {"team": "heat"}), ("sort", "__end__")],
        outputs=["team"],
        structure=Structure(learnable=True),
    )


DESK = desk().freeze("sort/instructions", "sort/examples")
STEPS = (
    Step(index=0, node="read", inputs={"ticket": "cold flat"}, output={"fact": "it is cold"}),
    Step(index=1, node="sort", inputs={"ticket": "cold flat", "fact": "it is cold"}, output={"team": "water"}),
)
RUN = Trajectory(id="t", version="v", inputs={"ticket": "cold flat"}, steps=STEPS, output={"team": "water"})
LOSS = LossReport(example_id="r1", score=0.25, requirement="COMMENT", expected={"team": "heat"})


def blame_request(run: Trajectory = RUN, loss: LossReport = LOSS, network: Network = DESK) -> str:
    return trace.blame_messages(network, run, loss)[1].content


def item(run: Trajectory = RUN, loss: LossReport = LOSS) -> Evidence:
    return Evidence(row=Row(id=loss.example_id, inputs=run.inputs), trajectory=run, loss=loss)


def repair(*critiques: str, network: Network = DESK, node: str = "sort", paths: Any = None, **more: Any) -> Repair:
    return Repair(
        network=network,
        node=node,
        paths=(f"{node}/rules",) if paths is None else paths,
        evidence=(item(),) * len(critiques),
        critiques=critiques,
        **more,
    )


def mend_request(asked: Repair) -> tuple[str, str]:
    form = trace.mend_form(asked, student="")
    assert form is not None
    system, user = trace.mend_messages(asked, form)
    return system.content, user.content


# --- blame


def test_blame_is_asked_with_the_run_its_judgement_and_the_components_of_the_nodes_that_ran() -> None:
    said = blame_request()
    assert "The score is 0.25 of 1." in said and "COMMENT" in said and "expected team: heat" in said
    assert "Be terse." in said and "step 1, node sort\n" in said and "output team: water" in said
    assert "UNREACHED" not in said and "sort/rules" not in said  # an empty list says nothing


def test_what_a_step_was_given_stands_only_where_no_earlier_line_has_told_it() -> None:
    said = blame_request()
    assert said.count("cold flat") == 1 and said.count("it is cold") == 1
    other = RUN.model_copy(
        update={"steps": (STEPS[0], STEPS[1].model_copy(update={"inputs": {"fact": "it is cold", "ticket": "else"}}))}
    )
    assert "  input ticket: else" in blame_request(other)


def test_an_expected_value_that_the_comments_hold_is_not_told_twice() -> None:
    loss = LOSS.model_copy(update={"requirement": "it should be heat"})
    assert blame_request(loss=loss).count("should be heat") == 1 and "expected team" not in blame_request(loss=loss)


def test_errors_routes_visits_and_calls_are_part_of_a_run() -> None:
    call = ToolCall(tool="look_up", arguments={"word": "x"}, error="no dictionary")
    steps = (
        STEPS[0].model_copy(update={"route": "sort", "tool_calls": (call,)}),
        STEPS[1].model_copy(update={"visit": 1, "error": "BOOM", "output": {}}),
    )
    said = blame_request(RUN.model_copy(update={"steps": steps, "error": "BOOM", "status": "error"}))
    assert "called look_up: " in said and "no dictionary" in said and "went on to: sort" in said
    assert "step 1, node sort, visit 2" in said and "error: BOOM" in said and "the run failed: BOOM" in said


def test_long_runs_and_long_components_are_shortened() -> None:
    steps = tuple(Step(index=at, node="read", output={"fact": "x" * 5_000}) for at in range(20))
    network = DESK.with_parameter(
        "read/instructions", DESK.parameter("read/instructions").model_copy(update={"value": "y" * 3_900})
    )
    said = blame_request(RUN.model_copy(update={"steps": steps}), network=network)
    assert len(said) < trace.RUN_CHARS + trace.COMPONENT_CHARS + 2_000 and "characters left out" in said


def test_tools_are_told_where_a_node_has_them_and_else_there_is_no_word_of_them() -> None:
    node = PromptNode("read", "Note.", inputs=["ticket"], output={"team": str}, tools=[as_tool(look_up)])
    network = Network("desk", [node])
    assert "Look a word up." in blame_request(RUN.model_copy(update={"steps": STEPS[:1]}), network=network)
    assert "ool" not in blame_request()


def shares(*nodes: tuple[str, float, str]) -> str:
    return json.dumps({"nodes": [{"node": n, "blame": share, "critique": text} for n, share, text in nodes]})


async def test_blame_is_one_call_and_of_two_judgements_of_a_node_the_harder_counts() -> None:
    model = ScriptedModel([shares(("sort", 0.5, "less"), ("sort", 0.9, "more"), ("read", 0.0, "fine"))])
    found = await teacher_of(model).blame(DESK, RUN, LOSS)
    assert found.shares == {"sort": 0.9} and found.critiques == {"sort": "more"} and len(model.calls) == 1


async def test_only_nodes_that_ran_can_be_blamed_and_without_a_legal_answer_nobody_is() -> None:
    model = ScriptedModel([Rule(shares(("reply", 1.0, "not reached")), times=1), shares(("sort", 1.0, "wrong"))])
    assert (await teacher_of(model).blame(DESK, RUN, LOSS)).shares == {"sort": 1.0}
    found = await teacher_of(ScriptedModel([MALFORMED])).blame(DESK, RUN, LOSS)
    assert found.status == "invalid" and not found.shares


# --- blame of several runs


def failed(row: str, *tried: str, run: Trajectory = RUN) -> FailedRun:
    return FailedRun(item(run, LOSS.model_copy(update={"example_id": row, "requirement": f"COMMENT {row}"})), tried)


def of_runs(*runs: tuple[int, str, float]) -> str:
    """Return an answer about several runs: number, node, share."""
    told = [{"run": at, "nodes": [{"node": n, "blame": b, "critique": f"of run {at}"}]} for at, n, b in runs]
    return json.dumps({"runs": told})


async def test_a_few_runs_are_judged_in_one_call_that_shows_the_components_once() -> None:
    model = ScriptedModel([of_runs((2, "sort", 1.0), (1, "read", 0.5), (3, "read", 1.0))])
    runs = [failed("r1"), failed("r2", "a rule, in vain"), failed("r3")]
    found = await teacher_of(model).blame_runs(DESK, runs)
    assert [(blame.example_id, blame.shares) for blame in found] == [
        ("r1", {"read": 0.5}),
        ("r2", {"sort": 1.0}),
        ("r3", {"read": 1.0}),
    ]
    assert found[1].critiques == {"sort": "of run 2"}
    (call,) = model.calls
    said = call.messages[1].content
    assert said.count("Note the fact.") == 1 and [f"# Run {at}" in said for at in (1, 2, 3, 4)] == [True] * 3 + [False]
    assert [f"COMMENT r{at}" in said for at in (1, 2, 3)] == [True] * 3
    assert said.index("# Run 2") < said.index("a rule, in vain") < said.index("# Run 3")


async def test_more_runs_than_one_call_takes_and_long_ones_are_parted() -> None:
    def answer(request: Any) -> str:
        number = request.messages[1].content.count("# Run ")
        return of_runs(*((at, "sort", 1.0) for at in range(1, number + 1))) if number else shares(("sort", 1.0, "one"))

    model = ScriptedModel([Rule(answer)])
    found = await teacher_of(model, blamed_at_once=2).blame_runs(DESK, [failed(f"r{at}") for at in range(5)])
    assert [blame.example_id for blame in found] == [f"r{at}" for at in range(5)] and len(model.calls) == 3
    long = RUN.model_copy(update={"inputs": {"ticket": "cold " * 250}})
    runs = [failed("r1", run=long), failed("r2", run=long.model_copy(update={"steps": STEPS * 40})), failed("r3")]
    assert [[run.item.row.id for run in part] for part in trace.portions(runs, 4)] == [["r1"], ["r2"], ["r3"]]


async def test_a_run_that_an_answer_leaves_out_is_asked_about_by_itself() -> None:
    model = ScriptedModel([Rule(of_runs((1, "sort", 1.0), (1, "read", 1.0)), times=1), shares(("read", 0.7, "alone"))])
    found = await teacher_of(model).blame_runs(DESK, [failed("r1"), failed("r2")])
    assert [blame.shares for blame in found] == [{"sort": 1.0}, {"read": 0.7}] and len(model.calls) == 2


async def test_runs_are_asked_about_one_by_one_where_no_answer_about_all_of_them_is_legal() -> None:
    model = ScriptedModel([Rule(MALFORMED, times=2), shares(("read", 0.7, "alone"))])
    found = await teacher_of(model).blame_runs(DESK, [failed("r1"), failed("r2")])
    assert [blame.shares for blame in found] == [{"read": 0.7}] * 2 and len(model.calls) == 4


async def test_a_node_that_did_not_run_in_a_run_is_not_blamed_for_it() -> None:
    short = RUN.model_copy(update={"steps": STEPS[:1]})
    model = ScriptedModel([of_runs((1, "sort", 1.0), (2, "sort", 1.0))])
    found = await teacher_of(model).blame_runs(DESK, [failed("r1", run=short), failed("r2")])
    assert [blame.shares for blame in found] == [{}, {"sort": 1.0}]


async def test_prompts_of_older_days_without_a_request_for_several_runs_ask_for_each(tmp_path: Any) -> None:
    for file in SHIPPED.glob("*.md"):
        if file.stem != "blame_runs":
            shutil.copy(file, tmp_path)
    model = ScriptedModel([shares(("sort", 1.0, "one"))])
    found = await teacher_of(model, prompts=tmp_path).blame_runs(DESK, [failed("r1"), failed("r2")])
    assert [blame.shares for blame in found] == [{"sort": 1.0}] * 2 and len(model.calls) == 2


# --- mend


def test_a_mend_is_asked_with_the_nodes_own_record_what_it_should_have_written_and_the_critique() -> None:
    _, said = mend_request(repair("CRITIQUE"))
    assert "input fact: it is cold" in said and "output team: water" in said and "expected team: heat" in said
    assert "CRITIQUE" in said and "COMMENT" in said and "Score 0.25 of 1." in said
    assert "output fact" not in said  # that is another node's record


def test_the_judgement_stands_for_a_critique_and_is_not_told_twice() -> None:
    assert mend_request(repair(""))[1].count("COMMENT") == 1
    judged = "COMMENT\nexpected team: heat"
    assert mend_request(repair(f"so: {judged}"))[1].count("COMMENT") == 1


def test_what_may_be_edited_is_named_and_the_rest_of_the_node_is_shown() -> None:
    system, said = mend_request(repair("c", paths=("read/rules",), node="read"))
    assert "`read/rules`" in said and "`read/instructions`" not in said and "Note the fact." in said
    assert "`add_rule`" in system and "`set_text`" not in system and "`drop_rule`" in system


def test_what_there_is_nothing_of_is_not_spoken_of() -> None:
    bare = "\n".join(mend_request(repair("c")))
    more = repair(
        "c",
        right=("RIGHT",),
        limits=("LIMIT",),
        before=("BEFORE",),
        tried=("TRIED",),
        helped=("HELPED",),
        failed=("FAILED",),
        errors=("ERROR",),
    )
    full = "\n".join(mend_request(more))
    headings = [line for line in full.splitlines() if line.startswith("# ")]
    missing = [line for line in headings if line not in bare.splitlines()]
    words = ("RIGHT", "LIMIT", "BEFORE", "TRIED", "HELPED", "FAILED", "ERROR")
    assert len(missing) == 7 and all(word in full for word in words)
    assert "{{" not in bare + full and "\n\n\n" not in bare + full


def test_labels_are_spoken_of_where_the_node_chooses_one() -> None:
    assert "`backticks`" in mend_request(repair("c"))[0]
    assert "`backticks`" not in mend_request(repair("c", node="read"))[0]


def test_a_request_shows_so_many_failures_and_no_more() -> None:
    critiques = [f"CRITIQUE-{at}." for at in range(trace.RUNS + 2)]
    said = mend_request(repair(*critiques))[1]
    assert [critique in said for critique in critiques] == [True] * trace.RUNS + [False] * 2


def test_code_is_shown_whole_with_the_tests_that_it_must_pass() -> None:
    source = "def half(n):\n" + "".join(f"    # line {at}\n" for at in range(300)) + "    return n / 2\n"
    code = Code(source, entry="half", tests="def test_half():\n    assert half(2) == 1\n")
    tool = Tool(name="half", arguments=(Field(name="n"),), parameters={"code": code})
    node = PromptNode("sort", "Sort.", inputs=["fact"], output={"team": str}, tools=[tool])
    system, said = mend_request(repair("c", network=Network("desk", [node]), paths=("half/code",)))
    assert "# line 299" in said and "# line 150" in said and "assert half(2) == 1" in said
    assert "`rewrite_code`" in system


def test_nothing_is_asked_where_nothing_may_be_edited() -> None:
    fixed = desk().freeze("structure")
    assert trace.mend_form(repair("c", network=fixed, paths=()), student="") is None


async def test_an_answer_becomes_edits_of_the_components_that_it_names() -> None:
    made = {"op": "add_rule", "path": "sort/rules", "text": "Choose `heat` for cold.", "why": "cold"}
    edits = await teacher_of(ScriptedModel([json.dumps({"analysis": "x", "edits": [made]})])).mend(repair("c"))
    assert list(edits) == [AddItem(path="sort/rules", item={"text": "Choose `heat` for cold."}, why="cold")]
    wrong = {**made, "path": "read/rules"}
    with pytest.raises(OutputError):
        await teacher_of(ScriptedModel([json.dumps({"analysis": "x", "edits": [wrong]})])).mend(repair("c"))


async def test_several_kinds_of_components_are_edited_in_one_answer() -> None:
    network = desk()
    made = [
        {"op": "set_text", "path": "read/instructions", "value": "Note it.", "why": "a"},
        {"op": "add_rule", "path": "read/rules", "text": "Twice.", "why": "b"},
    ]
    asked = repair("c", network=network, node="read", paths=("read/instructions", "read/rules"))
    edits = await teacher_of(ScriptedModel([json.dumps({"analysis": "x", "edits": made})])).mend(asked)
    assert [type(edit) for edit in edits] == [SetParameter, AddItem]


# --- redesign


def redesign_request(**more: Any) -> tuple[str, str]:
    system, user = trace.redesign_messages(Redesign(network=DESK, evidence=(item(),), **more))
    return system.content, user.content


def test_a_move_is_asked_with_the_pipeline_the_failures_and_what_was_said() -> None:
    system, said = redesign_request(critiques=("CRITIC",), tried=("TRIED",), errors=("ERROR",))
    assert all(word in said for word in ("CRITIC", "TRIED", "ERROR", "COMMENT", "output team: water"))
    assert "`add_node`" in system and "`add_rule`" not in system
    bare = redesign_request()[1]
    assert len([line for line in bare.splitlines() if line.startswith("# ")]) == 3 and "{{" not in bare + said


def test_the_first_draft_is_told_of_no_others() -> None:
    assert "drafts" not in redesign_request(draw=0)[1]
    assert "number 3." in " ".join(redesign_request(draw=2)[1].split())


def test_the_pipeline_is_told_as_json_with_conditions_and_tools() -> None:
    told = json.loads(trace.pipeline(DESK))
    assert [node["id"] for node in told["nodes"]] == ["read", "sort", "reply"]
    sorting = {"id": "sort", "kind": "prompt", "reads": ["ticket", "fact"], "writes": ["team (choice)"]}
    assert sorting.items() <= told["nodes"][1].items()
    (conditional,) = [edge for edge in told["edges"] if "when" in edge]
    assert conditional["source"] == "sort" and conditional["when"]["value"] == "heat" and "tools" not in told
    node = PromptNode("read", "Note.", inputs=["ticket"], output={"team": str}, tools=[as_tool(look_up)])
    assert json.loads(trace.pipeline(Network("desk", [node])))["tools"] == ["look_up"]


async def test_a_move_is_one_answer_of_several_edits() -> None:
    node = {
        "op": "add_node",
        "why": "check it",
        "id": "check",
        "description": "checks",
        "instructions": "Check the fact.",
        "inputs": ["fact"],
        "outputs": [{"name": "fact", "type": "string", "description": "the fact"}],
        "tools": None,
        "on_edge": ["read", "sort"],
        "after": None,
        "before": None,
        "max_visits": None,
    }
    model = ScriptedModel([json.dumps({"analysis": "x", "edits": [node]})])
    (edit,) = await teacher_of(model).redesign(Redesign(network=DESK, evidence=(item(),)))
    assert isinstance(edit, AddNode) and edit.on_edge == ("read", "sort") and len(model.calls) == 1
