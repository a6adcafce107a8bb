"""A world of tickets in which it is known what each node must be told, so that every claim about learning is exact.

A ticket is of a kind; `read` and `sort` get it right when their rules name the kind, as far as it needs that. Student
and teachers are doubles of paid models; everything between them is real.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agentsym import Agent, PromptNode, Rules
from agentsym.errors import OutputError
from agentsym.learning.journal import Journal
from agentsym.learning.metrics import Watched, load_metric
from agentsym.learning.parts import Wanted, make_parts
from agentsym.learning.protocols import Blame, Evidence, Redesign, Repair, Row, Task, Update, Verdict
from agentsym.learning.run import Run
from agentsym.learning.sets import Sets
from agentsym.learning.settings import Settings
from agentsym.learning.symbolic.groups import Group
from agentsym.learning.symbolic.mend import Case
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.learning.trainer import Trainer
from agentsym.learning.training import Training
from agentsym.models.budget import Budget
from agentsym.models.protocol import Reply, Request
from agentsym.network.edits import AddItem, AddNode, Edit
from agentsym.network.network import Network
from agentsym.network.records import Gradient, LossReport, Step, Suggestion, Trajectory, Usage
from agentsym.runtime.executors.local import LocalExecutor
from agentsym.store.store import Store, new_run_id

NODES = ("read", "sort")


class World(NamedTuple):
    """What there is to learn.

    Attributes:
        needs: kind → the nodes whose rules must name it; a `check` has to be there, and `nobody` can help.
        harm: rule → the kinds that it spoils; `sort: rule` spoils them there only.
        flaky: ticket → the rollouts in which it can be right at all.
    """

    needs: Mapping[str, tuple[str, ...]]
    harm: Mapping[str, tuple[str, ...]] = {}
    flaky: Mapping[str, frozenset[int]] = {}


def agent(**rules: Sequence[str]) -> Agent:
    """Return the two nodes, with the rules that they are to have."""
    nodes = [
        prompt(name, [reads], writes, rules.get(name, ()))
        for name, reads, writes in (("read", "ticket", "fact"), ("sort", "fact", "label"))
    ]
    frozen = [f"{node}/{name}" for node in NODES for name in ("instructions", "examples")]
    return Agent("tickets", nodes, [NODES], outputs=["label"]).freeze(*frozen)


def prompt(name: str, reads: Sequence[str], writes: str, rules: Sequence[str] = ()) -> PromptNode:
    return PromptNode(
        name, f"{name.capitalize()} it.", inputs=reads, output={writes: str}, rules=Rules(value=rules, max_per_label=40)
    )


def rows(kinds: Iterable[str], name: str = "t") -> tuple[Row, ...]:
    """Return a ticket of each kind."""
    return tuple(
        Row(id=f"{name}{at}", inputs={"ticket": f"{name}{at} is {kind}"}, expected={"label": f"label {kind}"})
        for at, kind in enumerate(kinds)
    )


def mind(kind: str) -> str:
    """Return the rule that names a kind."""
    return f"mind {kind}"


class Student:
    """Does what its rules say; counted, and not cached, like a paid model."""

    name = "student double"
    remote = True

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: Counter[str] = Counter()

    async def complete(self, request: Request) -> Reply:
        system, user = (message.content for message in request.messages[:2])
        (node,) = re.findall(r"^# Task\n(\w+) it", system)
        rules = {line[2:] for line in system.splitlines() if line.startswith("- ")}
        (ticket, kind), *_ = re.findall(r"(\w+) is (\w+)", user)
        self.asked[ticket] += 1
        if kind == "unreadable":
            raise OutputError("no answer today")
        needs = self.world.needs.get(kind, ())
        here = node.lower()
        done = here not in needs or here == "check" or mind(kind) in rules
        spoilt = any(
            kind in kinds for rule, kinds in self.world.harm.items() if rule.removeprefix(f"{here}: ") in rules
        )
        lucky = request.rollout in self.world.flaky.get(ticket, {request.rollout})
        fine = done and not spoilt and lucky and "unknown" not in user
        checked = here == "check" or "checked" in user
        if here == "sort":
            missing = {*needs} - {*NODES, *(["check"] if checked else [])}
            return _reply(label=f"label {kind}" if fine and not missing else "general")
        return _reply(fact=f"{ticket} is {kind}" + (" checked" if checked else "") + ("" if fine else " unknown"))


def _reply(**fields: str) -> Reply:
    return Reply(text=json.dumps(fields), usage=Usage(calls=1, completion_tokens=10))


class Teacher:
    """Blames the nodes that lack the rule of a kind, and adds it.

    Args:
        world: what it knows.
        extra: kind → rules that come with the right one.
        instead: kind → rules that come in its place.
    """

    name = "teacher double"

    def __init__(
        self,
        world: World,
        extra: Mapping[str, Sequence[str]] = {},
        instead: Mapping[str, Sequence[str]] = {},
    ) -> None:
        self.world, self.extra, self.instead = world, extra, instead
        self.asked: Counter[str] = Counter()
        self.repairs: list[Repair] = []
        self.redesigns: list[Redesign] = []

    async def loss(
        self, network: Network, trajectory: Trajectory, row: Row, verdict: Verdict, **counted: Any
    ) -> LossReport:
        raise AssertionError("the metric speaks for itself")

    async def gradient(
        self, network: Network, trajectory: Trajectory, step: Step, loss: LossReport, messages: Sequence[str], lr: float
    ) -> Gradient:
        self.asked["gradient"] += 1
        kind = kind_of(trajectory)
        lacks = step.node in self.lacking(network, kind)
        return Gradient(
            example_id=loss.example_id,
            step=step.index,
            node=step.node,
            analysis=f"{step.node} does not know {kind}" if lacks else "",
            suggestions=(Suggestion(parameter=f"{step.node}/rules", advice=mind(kind)),) if lacks else (),
            requirements=dict.fromkeys(step.parents, f"say {kind}"),
            score=loss.score,
        )

    async def propose(self, task: Task) -> Sequence[Edit]:
        self.asked["propose"] += 1
        return self.edits(task.network, task.node, task.evidence)

    def lacking(self, network: Network, kind: str) -> list[str]:
        """Return the nodes that need a rule and have not got it."""
        return [
            node.id
            for node in network.nodes
            if node.id in self.world.needs.get(kind, ()) and mind(kind) not in rules_of(network, node.id)
        ]

    def edits(self, network: Network, node: str, evidence: Iterable[Evidence]) -> list[Edit]:
        kinds = dict.fromkeys(kind_of(item.trajectory) for item in evidence)
        texts = [text for kind in kinds for text in self.instead.get(kind, (mind(kind), *self.extra.get(kind, ())))]
        return [
            AddItem(path=f"{node}/rules", item=text, why="a kind that it does not know")
            for text in dict.fromkeys(texts)
            if text not in rules_of(network, node)
        ]


class Tracing(Teacher):
    """The same teacher; it judges whole runs, and mends nodes and pipeline."""

    async def blame(
        self, network: Network, trajectory: Trajectory, loss: LossReport, tried: Sequence[str] = ()
    ) -> Blame:
        self.asked["blame"] += 1
        kind = kind_of(trajectory)
        nodes = self.lacking(network, kind) or ["sort"]
        return Blame(
            example_id=loss.example_id,
            shares=dict.fromkeys(nodes, 1.0),
            critiques={node: f"{node} does not know {kind}" for node in nodes},
        )

    async def mend(self, repair: Repair) -> Sequence[Edit]:
        self.asked["mend"] += 1
        self.repairs.append(repair)
        return self.edits(repair.network, repair.node, repair.evidence)

    async def redesign(self, redesign: Redesign) -> Sequence[Edit]:
        self.asked["redesign"] += 1
        self.redesigns.append(redesign)
        if any(node.id == "check" for node in redesign.network.nodes):
            return []
        return [AddNode(node=prompt("check", ["fact"], "fact"), on_edge=NODES, why="nobody checks")]


def kind_of(trajectory: Trajectory) -> str:
    return str(trajectory.inputs["ticket"]).split()[-1]


def rules_of(network: Network, node: str) -> list[str]:
    """Return the rules of a node as texts."""
    return [rule.text for rule in network.parameter(f"{node}/rules").value]


def change(node: str, text: str, *groups: str, **more: Any) -> Update:
    """Return the change that adds a rule, as the answer to some failures."""
    edit = AddItem(path=f"{node}/rules", item=text)
    return Update(parameter=edit.path, status="committed", edits=(edit,), groups=groups, **more)


async def cases(training: Training[Any], network: Network, failing: Sequence[Row]) -> list[Case]:
    """Run failing rows and return each as a failure of its own, with all nodes to blame."""
    found = await training.evidence(network, failing)
    return [
        Case(
            item,
            Blame(example_id=item.row.id, shares=dict.fromkeys(NODES, 1.0)),
            Group(family="sort", feedback=item.loss.text, rows=(item.row.id,)),
        )
        for item in found
    ]


def training(store: Store, student: Student, train: Sequence[Row] = (), **changes: Any) -> Training[Agent]:
    """Return what an algorithm works with, outside any run."""
    base: Agent = changes.pop("agent", agent())
    gate, teacher = changes.pop("gate", None), changes.pop("teacher", Tracing(student.world))
    sets = Sets(tuple(train), changes.pop("val", ()), (), changes.pop("must_pass", ()))
    settings = Settings.checked(lr=1.0, **changes)
    metric = Watched(load_metric("exact"), print)
    wanted = Wanted(student, teacher, metric, "symbolic", gate, None, "", 32, False, None, LocalExecutor())
    journal = Journal(store, new_run_id())
    journal.begin("tickets", {})
    parts = make_parts(wanted, sets, settings, Budget())
    return Training(base, sets, parts, settings, metric, lambda kind, data: None, journal)


def trainer(store: Store, world: World, train: Sequence[Row], **changes: Any) -> Trainer[Agent]:
    """Return a trainer whose student always answers alike and whose teacher adds the right rule."""
    settings: dict[str, Any] = {
        "val": (),
        "student": Student(world),
        "teacher": Tracing(world),
        "optimizer": Recipe(explore=0.0),
        "lr": 1.0,
        "patience": None,
        "steps": 12,
        "cache": False,
        "store": store,
    }
    return Trainer(changes.pop("agent", agent()), train, **{**settings, **changes})


WORLD = World(
    needs={"a": ("read",), "b": ("sort",), "both": ("read", "sort")},
    harm={"trojan": ("free",), "poison": ("a", "b", "both", "free")},
)


TRAIN = rows(["a", "b", "both", "free"] * 2)


VAL = rows(["a", "b", "both", "free"], "v")


def learned(network: Agent) -> dict[str, list[str]]:
    return {node: rules_of(network, node) for node in NODES}


def kinds(store: Store, run: Run[Any]) -> list[str]:
    return [event.kind for event in store.events(run.id) if event.kind != "trajectory"]


def calls(run: Run[Any]) -> dict[str, int]:
    return {phase: usage.calls for phase, usage in run.ledger.by_phase().items()}


def states(store: Store, run: Run[Any]) -> list[dict[str, Any]]:
    return [event.data["state"] for event in store.events(run.id, kind="checkpoint")]


class OneByOne:
    """Shows one row of train after the other."""

    name = "one by one"

    def batch(self, train: Sequence[Row], step: int) -> tuple[Row, ...]:
        return (train[step % len(train)],)


def forked() -> dict[str, Any]:
    return {"agent": agent().unfreeze("structure"), "optimizer": Recipe(explore=0.0, stagnation=2, drafts=2)}


def opened(folder: Path, name: str = "store") -> Store:
    return Store.open(folder / f"{name}.db")
