"""Propose, validate, retry: what is illegal is sent back with its reasons, and one bad answer costs no other (D8)."""

import asyncio
import itertools

from agentsym.errors import OutputError
from agentsym.learning.optimizers.prompt import PromptOptimizer, components_to_update
from agentsym.learning.protocols import Evidence, Row, Task, Tried
from agentsym.network.edits import AddItem, DropItem, SetParameter
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.records import Gradient, LossReport, Suggestion, Trajectory

BASE = Network(
    "pair",
    [
        PromptNode("first", "Think.", inputs=["question"], output={"notes": str}, rules=["be brief", "be kind"]),
        PromptNode("second", "Answer.", inputs=["notes"], output={"answer": str}),
    ],
    [("first", "second")],
)
LEGAL = AddItem(path="first/rules", item="be exact")
UNKNOWN = DropItem(path="first/rules", id="nobody")
TOO_MUCH = SetParameter(path="first/rules", value=[])


def evidence(*parameters: str, severity: int = 2) -> Evidence:
    gradients = [
        Gradient(
            example_id="e",
            step=0,
            node=parameter.split("/")[0],
            suggestions=(Suggestion(parameter=parameter, advice="better", severity=severity),),
        )
        for parameter in parameters
    ]
    return Evidence(
        row=Row(id="e", inputs={}),
        trajectory=Trajectory(id="t", version=BASE.version),
        loss=LossReport(example_id="e", score=0.0),
        gradients=tuple(gradients),
    )


class TeacherDouble:
    """Gives each parameter its answers in turn and keeps the tasks it was asked."""

    def __init__(self, **answers) -> None:
        self.answers = {path.replace("__", "/"): itertools.chain(given) for path, given in answers.items()}
        self.tasks: list[Task] = []

    async def propose(self, task: Task):
        self.tasks.append(task)
        answer = next(self.answers[task.parameter])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def asked(self, path: str) -> list[Task]:
        return [task for task in self.tasks if task.parameter == path]


def propose(teacher: TeacherDouble, *items: Evidence, lr: float = 1.0, retries: int = 3):
    return asyncio.run(PromptOptimizer(teacher, retries=retries).propose(BASE, items, lr=lr, history={}))


def test_three_illegal_answers_and_a_legal_one_are_four_calls_with_every_error_quoted():
    teacher = TeacherDouble(first__rules=[[UNKNOWN], OutputError("no JSON"), [TOO_MUCH], [LEGAL]])
    proposal = propose(teacher, evidence("first/rules"), lr=0.5)
    assert [len(task.errors) for task in teacher.tasks] == [0, 1, 2, 3]
    unknown, malformed, limit = teacher.tasks[-1].errors
    assert "nobody" in unknown and malformed == "no JSON" and "2 items" in limit
    assert proposal.updates[0].status == "committed" and proposal.edits == (LEGAL,)


def test_four_illegal_answers_are_discarded_after_exactly_four_calls():
    teacher = TeacherDouble(first__rules=[[UNKNOWN]] * 9)
    proposal = propose(teacher, evidence("first/rules"))
    assert len(teacher.tasks) == 4
    assert proposal.updates[0].status == "discarded" and proposal.edits == ()
    assert BASE.apply(proposal.edits).version == BASE.version


def test_without_retries_one_illegal_answer_ends_its_update_only():
    teacher = TeacherDouble(first__rules=[[UNKNOWN]], second__rules=[[AddItem(path="second/rules", item="be right")]])
    proposal = propose(teacher, evidence("first/rules", "second/rules"), retries=0)
    assert [update.status for update in proposal.updates] == ["discarded", "committed"]


def test_an_answer_is_taken_as_a_whole_or_not_at_all():
    teacher = TeacherDouble(first__rules=[[LEGAL, UNKNOWN], []])
    proposal = propose(teacher, evidence("first/rules"))
    assert proposal.edits == () and proposal.updates[0].status == "kept"


def test_a_teacher_may_edit_only_what_it_was_asked_for():
    elsewhere = SetParameter(path="second/instructions", value="Answer well.")
    teacher = TeacherDouble(first__rules=[[elsewhere], [LEGAL]])
    assert propose(teacher, evidence("first/rules")).edits == (LEGAL,)
    assert "only first/rules" in teacher.tasks[1].errors[0]


def test_only_components_with_suggestions_are_asked_for_and_in_the_order_of_the_network():
    teacher = TeacherDouble(first__rules=[[LEGAL]], second__instructions=[[]])
    propose(teacher, evidence("second/instructions"), evidence("first/rules"))
    assert [task.parameter for task in teacher.tasks] == ["first/rules", "second/instructions"]


def test_satisfied_and_invalid_gradients_ask_for_nothing():
    item = evidence("first/rules")
    quiet = [
        g.model_copy(update=change) for g in item.gradients for change in ({"satisfied": True}, {"status": "invalid"})
    ]
    teacher = TeacherDouble()
    assert propose(teacher, item.model_copy(update={"gradients": tuple(quiet)})).updates == ()


def test_a_frozen_component_is_never_asked_for():
    frozen = BASE.freeze("first/rules")
    assert components_to_update(frozen, [evidence("first/rules")], 1.0, {}) == ()


def test_the_learning_rate_bounds_the_components_of_a_step_and_they_take_turns():
    suggested = evidence("first/instructions", "first/rules", "second/instructions", "second/rules")
    heavy = evidence("second/rules", severity=3)
    first = components_to_update(BASE, [suggested, heavy], 0.25, {})
    assert first == ("second/rules",)
    tried = {"second/rules": [Tried(step=0, outcome="accepted", change=0.1)]}
    assert components_to_update(BASE, [suggested, heavy], 0.25, tried) == ("first/instructions",)


def test_the_order_of_the_evidence_changes_nothing():
    items = [evidence("first/rules").model_copy(update={"row": Row(id=name, inputs={})}) for name in "cab"]
    asked = []
    for order in itertools.permutations(items):
        teacher = TeacherDouble(first__rules=[[LEGAL]])
        propose(teacher, *order)
        asked.append(teacher.tasks[0].model_dump_json())
    assert len(set(asked)) == 1
