"""The toy task is the protocol's to the letter, its programs answer by what a request shows, and agentsym learns it."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from evals.peers import forms, teacher
from evals.peers.assignment import Assignment
from evals.peers.brain import Brain
from evals.peers.forms import Given
from evals.peers.ours import learn, score
from evals.peers.server import PeerServer
from evals.peers.task import FILLER, Task
from evals.peers.world import Markers

RULE = "RULE-k{0}: treat tickets whose header shows kind {0} as their own case;"
BAD = "RULE-BAD: answer general when in doubt;"
OTHER = Markers("MAXIM/", "MAXIM/EVIL", "sort:")


def prompt(node: str, *rules: str) -> str:
    return " ".join([f"[[node:{node}]] Do your part. Rules:", *rules, "[[end]]"])


def body(model: str, *texts: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    form = {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}} if schema else {}
    roles = ["system"] * (len(texts) - 1) + ["user"]
    return {"model": model, "messages": [{"role": r, "content": t} for r, t in zip(roles, texts, strict=True)], **form}


def ask(model: str, *texts: str, task: Task | None = None, **more: Any) -> str:
    return Brain((task or Task(bad_pct=0)).world())(body(model, *texts, **more))


# The task


def test_the_sets_are_numbered_shuffled_and_worded_as_the_protocol_says() -> None:
    for name, seed, first, count in (("train", 1, 0, 20), ("val", 2, 100, 20), ("forward", 3, 1000, 500)):
        kinds = [at % 10 for at in range(count)]
        random.Random(seed).shuffle(kinds)
        tickets = Task().tickets(name)
        assert [ticket.kind for ticket in tickets] == kinds
        assert [ticket.number for ticket in tickets] == list(range(first, first + count))
        assert all(t.text == f"Ticket {t.number}: {FILLER} Header cue=k{t.kind}." for t in tickets)
    assert 45 <= len(FILLER.split()) <= 55
    assert Task(data_seeds=(7, 2, 3)).tickets("train") != Task().tickets("train")
    assert len(Task(kinds=24).tickets("train")) == 48


def test_two_nodes_and_ten_kinds_keep_the_published_layout_and_all_others_take_turns() -> None:
    needs = [Task().needs(kind) for kind in range(10)]
    assert needs == [(), *[("extract",)] * 4, *[("classify",)] * 4, ()]
    assert [Task(kinds=8, chain=3).needs(kind) for kind in range(8)] == [
        *((), ("extract",), ("relay_2",), ("classify",)),
        *((), ("extract",), ("relay_2",), ()),
    ]
    assert Task(mode="coupled").needs(1) == ("extract", "classify") and Task(mode="coupled").needs(9) == ()
    for wrong in ({"kinds": 60}, {"mode": "calm"}, {"data_seeds": (1, 2)}):
        with pytest.raises(ValueError):
            Task(**wrong)  # type: ignore[arg-type]


def test_the_last_label_of_an_answer_counts_and_the_feedback_names_the_kind() -> None:
    assert Task().judge("label_2 or rather label_3", "label_3") == (1.0, "CORRECT(cue=k3)")
    wrong = "WRONG(cue=k3): expected label_3 but the agent answered general."
    assert Task().judge("label_3, no: general", "label_3") == (0.0, wrong)
    assert Task(markers=OTHER).judge("", "label_13")[1].startswith("WRONG(sort:k13): expected label_13")


# The student


@pytest.mark.parametrize(
    ("kind", "rules", "fact"),
    [
        (0, (), "f0"),
        (0, (BAD,), "unknown"),
        (3, (), "unknown"),
        (3, (RULE.format(3), BAD), "f3"),
        (3, (RULE.format(2),), "unknown"),
        (5, (), "f5"),
    ],
)
def test_the_first_node_reports_a_kind_whose_rule_it_has(kind: int, rules: tuple[str, ...], fact: str) -> None:
    ticket = f"Ticket 17: words. Header cue=k{kind}."
    assert ask("student", prompt("extract", *rules), ticket) == f"fact={fact} ref=17"


@pytest.mark.parametrize(
    ("fact", "rules", "label"),
    [
        ("f3", (), "label_3"),
        ("f5", (), "general"),
        ("f5", (RULE.format(5),), "label_5"),
        ("unknown", (RULE.format(5),), "general"),
        ("f9", (BAD,), "general"),
    ],
)
def test_the_last_node_labels_a_fact_whose_rule_it_has(fact: str, rules: tuple[str, ...], label: str) -> None:
    assert ask("my-student", prompt("classify", *rules), f"fact={fact} ref=17") == label


def test_coupled_kinds_need_their_rule_in_every_node() -> None:
    task = Task(mode="coupled")
    assert ask("student", prompt("classify"), "fact=f1 ref=2", task=task) == "general"
    assert ask("student", prompt("classify", RULE.format(1)), "fact=f1 ref=2", task=task) == "label_1"


def test_the_student_reads_rules_in_a_section_of_their_own_and_answers_in_the_form_that_is_asked_for() -> None:
    rendered = f"# Task\n{prompt('extract')}\n\n# Rules\n- {RULE.format(3)}\n"
    schema = {"type": "object", "properties": {"fact": {"type": "string"}}, "required": ["fact"]}
    ticket = "# Input\nticket: Ticket 4: words. Header cue=k3."
    assert json.loads(ask("student", rendered, ticket, schema=schema)) == {"fact": "fact=f3 ref=4"}
    schema = {"type": "object", "properties": {"label": {"enum": ["label_1", "label_5"]}}}
    assert json.loads(ask("student", prompt("classify", RULE.format(5)), "fact=f5 ref=4", schema=schema)) == {
        "label": "label_5"
    }
    fields = f"{ticket} Respond with the output fields, starting with the field `[[ ## fact ## ]]`, and then stop."
    assert ask("student", rendered, fields) == "[[ ## fact ## ]]\nfact=f3 ref=4\n\n[[ ## completed ## ]]"


def test_a_request_without_prompt_fact_or_role_cannot_be_answered() -> None:
    for model, text in (("student", "hello"), ("student", prompt("classify")), ("gpt", "hello"), ("optimizer", "hi")):
        with pytest.raises(ValueError):
            ask(model, text)


def test_answers_flip_by_request_and_by_how_often_it_came() -> None:
    brain, sent = Brain(Task(mode="noisy").world()), body("student", prompt("classify"), "fact=f3 ref=2")
    answers = [brain(sent) for _ in range(200)]
    texts = (prompt("classify"), "fact=f3 ref=2")
    flips = [int(sha256("\0".join([*texts, str(at)]).encode()).hexdigest(), 16) % 100 < 10 for at in range(200)]
    assert answers == ["general" if flip else "label_3" for flip in flips] and 5 < sum(flips) < 40


# Critic and optimizer in prose


def test_the_critic_names_each_failing_kind_once_with_the_nodes_that_miss_its_rule() -> None:
    text = "WRONG(cue=k1): … WRONG(cue=k5): … WRONG(cue=k1): … CORRECT(cue=k2)"
    assert ask("backward", text) == "WRONG(cue=k1) blame=extract\nWRONG(cue=k5) blame=classify"
    assert ask("backward", f"{prompt('extract', RULE.format(1))} WRONG(cue=k1)") == "WRONG(cue=k1)"
    coupled = Task(mode="coupled")
    assert ask("backward", "WRONG(cue=k1)", task=coupled) == "WRONG(cue=k1) blame=extract blame=classify"
    assert ask("backward", "CORRECT(cue=k1)") == "Nothing is wrong."


@pytest.mark.parametrize(
    ("rules", "said", "after"),
    [
        ((), "WRONG(cue=k5) WRONG(cue=k2) WRONG(cue=k1)", (RULE.format(2),)),
        ((RULE.format(2),), "WRONG(cue=k2) WRONG(cue=k1)", (RULE.format(2), RULE.format(1))),
        ((RULE.format(2),), "WRONG(cue=k2) WRONG(cue=k5)", (RULE.format(2),)),
        ((BAD, RULE.format(2)), "WRONG(cue=k9) WRONG(cue=k1)", (RULE.format(2),)),
        ((BAD,), "WRONG(cue=k1)", (BAD, RULE.format(1))),
    ],
)
def test_the_optimizer_writes_the_rule_of_the_first_failing_kind_or_takes_a_harmful_one_out(
    rules: tuple[str, ...], said: str, after: tuple[str, ...]
) -> None:
    assert ask("optimizer", f"{prompt('extract', *rules)}\n{said}") == f"```\n{prompt('extract', *after)}\n```"


@pytest.mark.parametrize(("mode", "after"), [("plain", (BAD,)), ("trojan", (RULE.format(1), BAD))])
def test_a_harmful_rule_comes_instead_of_the_right_one_or_with_it(mode: str, after: tuple[str, ...]) -> None:
    task, text = Task(mode=mode, bad_pct=100), f"{prompt('extract')} WRONG(cue=k1)"
    assert prompt("extract", *after) in ask("optimizer", text, task=task)


def test_harmful_rules_are_drawn_by_the_hash_of_node_and_request() -> None:
    for number in range(40):
        text = f"{prompt('extract')} WRONG(cue=k1) {number}"
        draws = int(sha256(("extract" + text).encode()).hexdigest(), 16) % 100 < 20
        assert (BAD in ask("optimizer", text, task=Task())) is draws


def test_the_optimizer_writes_as_many_rules_as_it_may_of_the_node_that_is_asked_about() -> None:
    text = f"[[role:classify]] {prompt('extract')} {prompt('classify')} WRONG(cue=k1) WRONG(cue=k5) WRONG(cue=k6)"
    done = ask("optimizer", text, task=Task(bad_pct=0, edits=0))
    assert done == f"```\n{prompt('classify', RULE.format(5), RULE.format(6))}\n```"


@pytest.mark.parametrize(
    ("asks", "dress"),
    [
        ("between <IMPROVED_VARIABLE> tags", "<IMPROVED_VARIABLE>{}</IMPROVED_VARIABLE>"),
        ("in <proposed_variable>", "<proposed_variable>{}</proposed_variable>"),
        ("starting with the field [[ ## better ## ]]", "[[ ## better ## ]]\n{}\n\n[[ ## completed ## ]]"),
    ],
)
def test_a_rewritten_prompt_comes_in_the_dress_that_is_asked_for(asks: str, dress: str) -> None:
    answer = ask("optimizer", f"{prompt('extract')} WRONG(cue=k1) Answer {asks}.")
    assert dress.format(prompt("extract", RULE.format(1))) in answer


@pytest.mark.parametrize(
    ("asks", "dress"),
    [
        (
            "starting with the field `[[ ## why ## ]]`, then `[[ ## new ## ]]`, and then ending with the marker",
            "[[ ## why ## ]]\nSome tickets fail.\n\n[[ ## new ## ]]\n{}\n\n[[ ## completed ## ]]",
        ),
        ("with a JSON object in the following order of fields: `new_instruction`.", '{{"new_instruction": "{}"}}'),
        ("with a JSON object in the following order of fields: `why`, then `new`.", '"new": "{}"}}'),
    ],
)
def test_fields_before_the_last_one_hold_reasons(asks: str, dress: str) -> None:
    answer = ask("optimizer", f"{prompt('extract')} WRONG(cue=k1) Respond {asks}")
    assert answer.endswith(dress.format(prompt("extract", RULE.format(1))))


def test_every_variable_of_a_graph_gets_a_suggestion() -> None:
    shows = f"#Variables\n(str) a0={prompt('extract')}\n(str) b0={prompt('classify')}\n\n#Inputs\n(str) x={BAD}\n"
    said = json.loads(ask("optimizer", f'give a "suggestion"\n{shows}WRONG(cue=k6) WRONG(cue=k2)'))
    expected = {"a0": prompt("extract", RULE.format(2)), "b0": prompt("classify", RULE.format(6))}
    assert said["suggestion"] == expected


def test_the_prompt_in_a_field_of_its_own_is_the_one_that_is_asked_about() -> None:
    field = f"[[ ## basic_instruction ## ]]\n{prompt('classify')}"
    answer = ask("optimizer", f"{prompt('extract')}\n{field}\nWRONG(cue=k1) WRONG(cue=k5)")
    assert answer == f"```\n{prompt('classify', RULE.format(5))}\n```"


def test_a_question_about_data_gets_a_remark_where_its_form_is_known() -> None:
    answer = ask("optimizer", "Ticket 1 … Respond starting with the field `[[ ## observations ## ]]`, and then stop.")
    assert answer.startswith("[[ ## observations ## ]]\nThese are tickets")


# The teacher's forms

QUOTED = '<data name="{0}/rules">\n{1}\n</data>\n'
STEP = '# The step\n\nStep 1 (node `classify`)\n<data name="step">\ninput fact: fact={0} ref=3\n</data>\n'
EDIT = {
    "anyOf": [
        {"type": "object", "properties": {"op": {"const": "add"}, "why": {"type": "string"}, "text": {}}},
        {"type": "object", "properties": {"op": {"const": "drop"}, "id": {"enum": ["r0", "r7"]}}},
    ]
}
EDITS = {"properties": {"analysis": {"type": "string"}, "edits": {"type": "array", "items": EDIT}}, "type": "object"}


def gradient_of(said: str, path: str = "classify/rules", task: Task | None = None) -> dict[str, Any]:
    suggestion = {"parameter": {"const": path}, "advice": {"type": "string"}, "severity": {"enum": [1, 2, 3]}}
    nullable = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    schema = {
        "type": "object",
        "properties": {
            "analysis": {"type": "string"},
            "suggestions": {"type": "array", "items": {"$ref": "#/$defs/S"}},
            "requirement_for_previous": {"type": "object", "properties": {"0": nullable}},
            "satisfied": {"type": "boolean"},
        },
        "$defs": {"S": {"type": "object", "properties": suggestion}},
    }
    found: dict[str, Any] = json.loads(ask("teacher", said, schema=schema, task=task))
    return found


def test_a_gradient_suggests_what_the_step_misses_and_requires_the_rest_of_the_step_before() -> None:
    here = gradient_of(f"WRONG(cue=k5) {STEP.format('f5')}{QUOTED.format('classify', '(empty)')}")
    advice = {"parameter": "classify/rules", "advice": "WRONG(cue=k5) blame=classify", "severity": 3}
    assert here["suggestions"] == [advice] and not here["satisfied"]
    assert here["requirement_for_previous"] == {"0": None}
    before = gradient_of(f"WRONG(cue=k1) {STEP.format('unknown')}{QUOTED.format('classify', '(empty)')}")
    assert before["suggestions"] == [] and before["satisfied"]
    assert before["requirement_for_previous"] == {"0": "WRONG(cue=k1) blame=extract"}


def test_of_a_coupled_kind_a_step_that_was_told_the_fact_blames_itself_alone() -> None:
    for fact, earlier in (("f1", None), ("unknown", "WRONG(cue=k1) blame=extract blame=classify")):
        found = gradient_of(f"WRONG(cue=k1) {STEP.format(fact)}", task=Task(mode="coupled"))
        assert len(found["suggestions"]) == 1 and found["requirement_for_previous"] == {"0": earlier}


@pytest.mark.parametrize(
    ("rules", "said", "edits"),
    [
        ("(empty)", "WRONG(cue=k1)", [{"op": "add", "why": "Some tickets fail.", "text": RULE.format(1)}]),
        (f"[r0] {RULE.format(1)}\n[r7] {BAD}", "WRONG(cue=k1) WRONG(cue=k9)", [{"op": "drop", "id": "r7"}]),
        (f"[r0] {RULE.format(1)}", "WRONG(cue=k1)", []),
    ],
)
def test_rules_are_edited_one_by_one_where_the_form_has_operations_for_it(
    rules: str, said: str, edits: list[dict[str, str]]
) -> None:
    text = f"# The component to edit\n\n`extract/rules`\n{QUOTED.format('extract', rules)}{said}"
    assert json.loads(ask("teacher", text, schema=EDITS))["edits"] == edits


def test_a_text_is_set_as_a_whole() -> None:
    setting = {"type": "object", "properties": {"op": {"const": "set"}, "value": {"type": "string"}}}
    schema = {"type": "object", "properties": {"edits": {"type": "array", "items": setting}}}
    quoted = f'<data name="extract/instructions">\n{prompt("extract")}\n</data>'
    text = f"# The component to edit\n\n`extract/instructions`\n{quoted}\nWRONG(cue=k1)"
    answer = json.loads(ask("teacher", text, schema=schema, task=Task(mode="trojan", bad_pct=100)))
    assert answer == {"edits": [{"op": "set", "value": prompt("extract", RULE.format(1), BAD)}]}


def test_a_form_of_blame_by_node_and_one_of_operations_on_several_nodes_are_filled_as_well() -> None:
    node = {"node": {"enum": ["extract", "classify"]}}
    blame = {**node, "blame": {"type": "number"}, "critique": {"type": "string"}}
    listed = {"type": "array", "items": {"type": "object", "properties": blame}}
    mapped = {"type": "object", "additionalProperties": {"type": "number"}}
    schema = {"type": "object", "properties": {"found": listed, "blame": mapped}}
    answer = json.loads(ask("teacher", "WRONG(cue=k1)", schema=schema))
    assert answer["blame"] == {"extract": 1.0, "classify": 0}
    assert [(item["node"], item["blame"]) for item in answer["found"]] == [("extract", 1.0), ("classify", 0)]
    assert answer["found"][0]["critique"] == "WRONG(cue=k1) blame=extract"
    op = {"type": "object", "properties": {**node, "op": {"enum": ["add", "drop"]}, "text": {"type": "string"}}}
    ops = {"type": "object", "properties": {"ops": {"type": "array", "items": op}}}
    text = f"{QUOTED.format('extract', '(empty)')}{QUOTED.format('classify', '(empty)')}WRONG(cue=k5) WRONG(cue=k1)"
    assert json.loads(ask("teacher", text, schema=ops)) == {
        "ops": [
            {"node": "extract", "op": "add", "text": RULE.format(1)},
            {"node": "classify", "op": "add", "text": RULE.format(5)},
        ]
    }


def test_the_roles_of_the_teacher_are_seen_from_the_form() -> None:
    loss = {"type": "object", "properties": {"comments": {"type": "string"}, "satisfied": {"type": "boolean"}}}
    assert [teacher.role(schema) for schema in (loss, EDITS, {"properties": {}})] == ["loss", "optimizer", "backward"]
    assert json.loads(ask("teacher", "CORRECT(cue=k1)", schema=loss)) == {
        "comments": "Nothing is wrong.",
        "satisfied": True,
    }
    assert forms.fill({"type": "object", "properties": {"n": {"type": "integer", "minimum": 2}}}, Given()) == {"n": 2}


# The server and the run


async def test_the_server_takes_configurations_and_keeps_books_by_role() -> None:
    sent = body("student", prompt("classify"), "fact=f3 ref=2")
    async with PeerServer(Task().world()) as server, aiohttp.ClientSession() as session:
        root = server.base_url.removesuffix("/v1")

        async def post(path: str, json: Any) -> int:
            async with session.post(root + path, json=json) as response:
                await response.read()
                return response.status

        assert await post("/v1/chat/completions", sent) == await post("/v1/chat/completions", sent) == 200
        assert await post("/v1/chat/completions", body("student", "hello")) == 500
        async with session.get(f"{root}/stats") as response:
            stats = await response.json()
        chars = sum(len(message["content"]) for message in sent["messages"])
        assert stats["roles"] == {"student": {"calls": 2, "tokens": 2 * (-(-chars // 4) + 2)}}
        assert stats["repeats"] == 1 and len(stats["errors"]) == 1 and stats["seconds"] > 0
        assert await post("/config", {**Task(mode="coupled").world().to_json(), "colour": "red"}) == 400
        assert await post("/config", Task(mode="coupled").world(30).to_json()) == 200
        assert server.latency == 0.03 and server.mind.world == Task(mode="coupled").world(30)
        assert server.stats.requests == 0 and server.mind.books == {} and server.seconds == 0


@pytest.mark.parametrize(
    ("task", "learns"), [(Task(), "rules"), (Task(kinds=8, chain=3, mode="trojan", markers=OTHER), "text")]
)
async def test_agentsym_reaches_the_target_whatever_the_markers_are(task: Task, learns: str, tmp_path: Path) -> None:
    async with PeerServer(task.world()) as server:
        run = await learn(Assignment(server.base_url, task, 0, 0.0, {"learns": learns}), tmp_path)
        books, spent = server.mind.to_json(), run.ledger.total()
        fresh = await score(server.base_url, task, run.best)
        assert server.stats.errors == [] and not books.keys() - {"student", "backward", "optimizer"}
        assert sum(role["calls"] for role in books.values()) == spent.calls
    assert run.val is not None and run.val[0] < 0.5 and fresh == run.val[1] >= 0.9


def test_an_assignment_survives_its_way_to_a_runner() -> None:
    sent = Assignment("http://127.0.0.1:1/v1", Task(mode="noisy", markers=OTHER), 3, 50.0, {"optimizer": "paper"})
    assert Assignment.from_json(sent.to_json()) == sent
