"""From blame to changes: who is asked for what, and what becomes of answers that are not legal."""

from collections.abc import Sequence
from typing import Any

import pytest

from agentsym import Agent
from agentsym.errors import OutputError, Unavailable
from agentsym.learning.protocols import Blame, Evidence, Redesign, Repair, Row, Task
from agentsym.learning.symbolic.groups import Group
from agentsym.learning.symbolic.mend import Case, Mender, right_visits
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.network.edits import AddItem, AddNode, DropItem, Edit
from agentsym.network.records import LossReport, Step, Trajectory
from tests.learning.symbolic.world import NODES, Teacher, Tracing, World, agent, mind, prompt

WORLD = World(needs={"a": ("read",), "b": ("sort",), "c": ("read", "sort")})


def case(row: str, kind: str, **shares: float) -> Case:
    steps = tuple(Step(index=at, node=node) for at, node in enumerate(NODES))
    run = Trajectory(id=f"t-{row}", version="v", inputs={"ticket": f"{row} is {kind}"}, steps=steps)
    loss = LossReport(example_id=row, score=0.0, text=f"no {kind}")
    blame = Blame(example_id=row, shares=shares, critiques={node: f"{node} lacks {kind}" for node in shares})
    return Case(
        Evidence(row=Row(id=row, inputs={}), trajectory=run, loss=loss),
        blame,
        Group(family="f", feedback=f"no {kind}", rows=(row,)),
    )


def writable() -> Agent:
    """Return an agent whose instructions may be learned, and nothing else."""
    frozen = [f"{node}/rules" for node in NODES]
    return agent().unfreeze(*(f"{node}/instructions" for node in NODES)).freeze(*frozen)


def nothing(node: str, cases: Sequence[Case] = ()) -> tuple[str, ...]:
    return ()


async def propose(teacher: Teacher, cases: Sequence[Case], network: Agent | None = None, **more: Any) -> Any:
    settings: dict[str, Any] = {"lr": 1.0, "before": nothing, "tried": nothing, "right": {}}
    settings |= {"retries": 2, "recipe": Recipe(), **more}
    mender = Mender(teacher, settings.pop("recipe"), settings.pop("retries"))
    return await mender.propose(network or agent(), cases, **settings)


async def test_each_blamed_node_is_asked_for_each_failure_and_all_answers_are_one_list() -> None:
    teacher = Tracing(WORLD)
    found = await propose(teacher, [case("r1", "a", read=1.0), case("r2", "c", read=0.5, sort=1.0)])
    assert [(repair.node, repair.evidence[0].row.id) for repair in teacher.repairs] == [
        ("read", "r1"),
        ("sort", "r2"),  # the more blamed node first
        ("read", "r2"),
    ]
    assert [(update.parameter, update.edits[0].item, update.groups) for update in found.updates] == [
        ("read/rules", mind("a"), ("r1",)),
        ("sort/rules", mind("c"), ("r2",)),
        ("read/rules", mind("c"), ("r2",)),
    ]


async def test_the_teacher_is_told_the_critique_what_was_said_before_and_what_was_tried_in_vain() -> None:
    teacher = Tracing(WORLD)
    said: dict[str, Any] = {
        "before": lambda node: (f"said of {node}", "read lacks a"),
        "tried": lambda node, cases: (f"vain for {node} and {cases[0].id}",),
    }
    await propose(teacher, [case("r1", "a", read=1.0)], agent(read=["old"]), **said)
    (repair,) = teacher.repairs
    assert repair.critiques == ("read lacks a",) and repair.tried == ("vain for read and r1",)
    assert repair.before == ("said of read",)  # the critique itself is not told twice
    assert repair.paths == ("read/rules",) and repair.limits and repair.errors == ()


def passed(row: str, fact: str) -> Evidence:
    steps = (Step(index=0, node="read", inputs={"ticket": row}, output={"fact": fact}), Step(index=1, node="sort"))
    run = Trajectory(id=f"t-{row}", version="v", inputs={"ticket": row}, steps=steps)
    loss = LossReport(example_id=row, score=1.0, satisfied=True)
    return Evidence(row=Row(id=row, inputs={}), trajectory=run, loss=loss)


def test_a_few_visits_that_were_right_are_remembered_of_each_node() -> None:
    found = right_visits({}, [passed(f"p{at}", f"fact {at}") for at in range(5)])
    assert found == {"read": tuple(f"ticket: p{at} => fact: fact {at}" for at in range(3)), "sort": ()}
    later = right_visits(found, [passed("new", "fact 1"), passed("newer", "else")])
    assert later["read"] == ("ticket: newer => fact: else", *found["read"][:2])  # no two with the same output


async def test_each_node_is_shown_its_own_visits_that_were_right() -> None:
    teacher = Tracing(WORLD)
    await propose(teacher, [case("r1", "c", read=1.0, sort=1.0)], right={"read": ("x => y",)})
    assert [(repair.node, repair.right) for repair in teacher.repairs] == [("read", ("x => y",)), ("sort", ())]


async def test_nodes_with_little_of_the_blame_are_left_alone() -> None:
    teacher = Tracing(WORLD)
    await propose(teacher, [case("r1", "c", read=0.5, sort=0.09), case("r2", "c", read=0.5, sort=0.1)])
    assert [(repair.node, repair.evidence[0].row.id) for repair in teacher.repairs] == [
        ("read", "r1"),
        ("read", "r2"),
        ("sort", "r2"),  # a fifth of the largest share is enough
    ]


async def test_nobody_is_asked_without_blame_or_where_nothing_can_be_learned() -> None:
    teacher = Tracing(WORLD)
    frozen = agent().freeze("read/rules")
    found = await propose(teacher, [case("r1", "a"), case("r2", "a", sort=0.0), case("r3", "a", read=1.0)], frozen)
    assert not teacher.repairs and found.updates == ()


async def test_of_one_text_there_are_several_drafts_for_all_failures_each_beginning_with_another() -> None:
    teacher = Stubborn([], [])
    cases = [case(f"r{at}", "a", read=1.0) for at in range(3)]
    await propose(teacher, cases, writable(), recipe=Recipe(drafts=2))
    assert [[item.row.id for item in repair.evidence] for repair in teacher.repairs] == [
        ["r0", "r1", "r2"],
        ["r1", "r2", "r0"],
    ]


async def test_a_recipe_may_ask_once_a_node_for_all_its_failures() -> None:
    teacher = Tracing(WORLD)
    cases = [case("r1", "a", read=1.0), case("r2", "c", read=1.0, sort=1.0)]
    found = await propose(teacher, cases, recipe=Recipe(per="node"))
    assert [(repair.node, len(repair.evidence)) for repair in teacher.repairs] == [("read", 2), ("sort", 1)]
    assert [update.groups for update in found.updates] == [("r1", "r2"), ("r1", "r2"), ("r2",)]


class Stubborn(Tracing):
    """Gives its answers one after the other; an exception is raised."""

    def __init__(self, *answers: Sequence[Edit] | Exception) -> None:
        super().__init__(WORLD)
        self.answers = list(answers)

    def next(self) -> Sequence[Edit]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def mend(self, repair: Repair) -> Sequence[Edit]:
        self.repairs.append(repair)
        return self.next()

    async def redesign(self, redesign: Redesign) -> Sequence[Edit]:
        self.redesigns.append(redesign)
        return self.next()


GOOD = [AddItem(path="read/rules", item="good")]
ILLEGAL = [DropItem(path="read/rules", id="nobody")]


async def test_what_is_wrong_with_an_answer_is_told_until_there_is_a_legal_one() -> None:
    teacher = Stubborn(OutputError("gibberish"), ILLEGAL, GOOD)
    found = await propose(teacher, [case("r1", "a", read=1.0)])
    assert [update.edits for update in found.updates] == [tuple(GOOD)]
    first, second, third = (repair.errors for repair in teacher.repairs)
    assert first == () and second == ("gibberish",) and third[0] == "gibberish"
    assert "nobody" in third[1] and "your edits were" in third[1]


async def test_an_answer_beyond_the_learning_rate_is_refused_with_the_limit() -> None:
    network = agent(read=["one", "two", "three", "four"])
    one, two, *_ = (DropItem(path="read/rules", id=rule.id) for rule in network.parameter("read/rules").value)
    teacher = Stubborn([one, two], [two])
    found = await propose(teacher, [case("r1", "a", read=1.0)], network, lr=0.25)
    assert [update.edits for update in found.updates] == [(two,)]
    assert "the learning rate allows 1" in teacher.repairs[1].errors[0]


async def test_without_a_legal_answer_nothing_is_changed_and_the_reasons_are_kept() -> None:
    found = await propose(Stubborn(*[ILLEGAL] * 3), [case("r1", "a", read=1.0)])
    (update,) = found.updates
    assert update.status == "discarded" and update.groups == ("r1",) and len(update.errors) == 3 and not update.edits


async def test_a_teacher_may_choose_to_change_nothing_and_that_stands_after_what_is_changed() -> None:
    found = await propose(Stubborn([], GOOD), [case("r1", "a", read=1.0), case("r2", "a", read=1.0)])
    assert [(update.status, update.groups) for update in found.updates] == [("committed", ("r2",)), ("kept", ("r1",))]


async def test_a_teacher_that_cannot_be_asked_at_all_ends_the_run() -> None:
    with pytest.raises(Unavailable):
        await propose(Stubborn(Unavailable("nobody there")), [case("r1", "a", read=1.0)])


class Plain(Teacher):
    """Knows the paper's three questions only."""

    def __init__(self) -> None:
        super().__init__(WORLD)
        self.tasks: list[Task] = []

    async def propose(self, task: Task) -> Sequence[Edit]:
        self.tasks.append(task)
        return await super().propose(task) if task.parameter == "read/rules" else []


async def test_a_teacher_of_three_questions_is_asked_component_by_component_with_the_critique_as_gradient() -> None:
    teacher = Plain()
    network = agent().unfreeze("read/instructions")
    found = await propose(teacher, [case("r1", "a", read=1.0)], network)
    assert [task.parameter for task in teacher.tasks] == ["read/instructions", "read/rules"]
    (gradient,) = teacher.tasks[1].evidence[0].gradients
    assert (gradient.node, gradient.step, gradient.analysis) == ("read", 0, "read lacks a")
    assert [suggestion.parameter for suggestion in gradient.suggestions] == ["read/instructions", "read/rules"]
    assert [update.edits[0].item for update in found.updates] == [mind("a")]
    assert teacher.tasks[1].limits and teacher.tasks[1].limits != teacher.tasks[0].limits


# --- moves of the pipeline


def malleable() -> Agent:
    return agent().unfreeze("structure")


def move(name: str = "check") -> list[Edit]:
    return [AddNode(node=prompt(name, ["fact"], "fact"), on_edge=NODES)]


async def redesign(teacher: Teacher, network: Agent, drafts: int = 1, retries: int = 1) -> Any:
    cases = [case("r1", "a", read=1.0), case("r2", "b", sort=1.0)]
    return await Mender(teacher, Recipe(drafts=drafts), retries).redesign(
        network, cases, edits=("a rule, in vain",), tried=("in vain",)
    )


async def test_drafts_of_the_pipeline_are_alternatives_for_all_failures_and_equal_ones_are_one() -> None:
    teacher = Stubborn(move(), move(), move("verify"))
    found = await redesign(teacher, malleable(), drafts=3)
    assert [(update.parameter, update.groups) for update in found.updates] == [("structure", ("r1", "r2"))] * 2
    assert [each.draw for each in teacher.redesigns] == [0, 1, 2]
    assert teacher.redesigns[0].critiques == ("read: read lacks a", "sort: sort lacks b")
    assert teacher.redesigns[0].tried == ("in vain",) and teacher.redesigns[0].edits == ("a rule, in vain",)


async def test_an_illegal_move_is_sent_back_and_given_up_after_the_retries() -> None:
    teacher = Stubborn([AddNode(node=prompt("check", ["nowhere"], "x"), on_edge=NODES)], move())
    found = await redesign(teacher, malleable())
    assert len(found.updates) == 1 and "nowhere" in teacher.redesigns[1].errors[0]
    (given_up,) = (await redesign(Stubborn(OutputError("no"), OutputError("no")), malleable())).updates
    assert given_up.status == "discarded" and given_up.edits == () and given_up.errors == ("no", "no")


async def test_a_pipeline_that_may_not_be_learned_is_left_alone_and_so_is_one_without_a_teacher_for_it() -> None:
    teacher = Stubborn()
    assert (await redesign(teacher, agent())).updates == () and not teacher.redesigns
    assert (await redesign(Plain(), malleable())).updates == ()
