"""A long run, written through the journal that real runs are written through: what happens in it is drawn by a seed.

It learns nothing; it has the events, the texts' lengths and the branches of a run of the combined algorithm.
"""

from __future__ import annotations

import random
from typing import Any

from agentsym import Agent, Choice, PromptNode
from agentsym.learning.gate import mean
from agentsym.learning.journal import Baseline, Journal
from agentsym.learning.protocols import Blame, Decision, Evidence, Proposal, Row, Scores, Trial, Update
from agentsym.learning.run import Tested
from agentsym.learning.symbolic.blame import Blames
from agentsym.learning.symbolic.state import SymbolicState
from agentsym.learning.symbolic.validation import Validated
from agentsym.models.ledger import Ledger
from agentsym.network.edits import AddItem, DropItem, Edit, SetParameter
from agentsym.network.records import LossReport, Message, Step, Trajectory, Usage
from agentsym.runtime.loop import run_sync
from agentsym.store.store import Store, new_run_id

LABELS = ("billing", "delivery", "returns", "repair", "other")
ROWS = 20  # of train, a step
WORDS = (
    "the",
    "order",
    "parcel",
    "customer",
    "says",
    "that",
    "it",
    "came",
    "late",
    "twice",
    "and",
    "asks",
    "for",
    "money",
)


def agent() -> Agent:
    """Return an agent of two nodes whose answer is a choice."""
    read = PromptNode("read", "Say what the ticket is about.", inputs=["ticket"], output={"topic": str})
    sort = PromptNode("sort", "Choose the team.", inputs=["topic"], output={"team": Choice(LABELS)})
    return Agent("tickets", [read, sort], [("read", "sort")], outputs=["team"])


class LongRun:
    """Writes a run step by step.

    Args:
        store: where.
        steps: how many.
        ticket: what stands in each ticket, beside drawn words.
    """

    def __init__(self, store: Store, steps: int = 200, ticket: str = "") -> None:
        self._steps, self._ticket = steps, ticket
        self._draw = random.Random(0)
        self._journal = Journal(store, new_run_id())
        self._ledger = Ledger()
        self._versions = {agent().version: agent()}
        self._val = {f"v{at}": 0.0 for at in range(60)}

    def write(self, *, end: bool = True) -> str:
        """Write all of it, without its end if that is wanted, and return the run's id."""
        journal, first = self._journal, agent()
        journal.begin(first.name, {"student": "student double", "teacher": "teacher double", "settings": {"seed": 0}})
        journal.version(first, parent=None)
        val = self._scores(0.4)
        journal.write("baseline", value=Baseline(val=val))
        self._count("gate", "read", 60)
        state = SymbolicState(
            head=first.version, best=first.version, best_score=mean(val.values()), val=val, lr=1.0, sound=first.version
        )
        self._checkpoint(state)
        for _ in range(self._steps):
            state = self._step(state)
            self._checkpoint(state)
        if end:
            before, after = (tuple(self._scores(level).values()) for level in (0.4, 0.8))
            confusions = {f"confusion_{name}": self._confusion() for name in ("before", "after")}
            journal.write("test", value=Tested(rows="test", before=before, after=after, **confusions))
            spent = {**self._spent(), "test_before": mean(before), "test_after": mean(after)}
            ends = {"status": "done", "reason": f"{self._steps} steps are done", "ledger": self._ledger.to_json()}
            journal.write("stop", summary=spent, **ends)
        return journal.run_id

    def _step(self, state: SymbolicState) -> SymbolicState:
        draw, journal = self._draw, self._journal
        level = 0.4 + 0.4 * state.step / self._steps
        rows = [self._row(state.step, at) for at in range(ROWS)]

        async def ran() -> tuple[Evidence, ...]:
            return tuple(self._evidence(row, state.head, passes=draw.random() < level) for row in rows)

        evidence = run_sync(journal.forward(state.step, rows, ran))
        failing = [item.row.id for item in evidence if item.loss.score < 1][:6]
        blames = [Blame(example_id=row, shares={"sort": 1.0}, critiques={"sort": self._words(25)}) for row in failing]
        journal.write("blame", value=Blames(runs=tuple(blames)))
        updates = tuple(self._update(state.head, row) for row in failing)
        journal.write("proposal", value=Proposal(updates=updates))
        self._count("forward", "read", ROWS)
        self._count("backward", "sort", len(failing))
        state = state.model_copy(update={"step": state.step + 1})
        if not failing or draw.random() > 0.35:
            self._gate(state.head, failing, level, accept=False)
            return state
        candidate = self._versions[state.head].apply(updates[0].edits)
        self._gate(candidate.version, failing, level, accept=True)
        journal.version(candidate, parent=state.head)
        self._versions[candidate.version] = candidate
        val = self._scores(level + draw.uniform(-0.1, 0.1))
        better = mean(val.values()) >= state.best_score
        decision = Decision(accept=better, reason="validation rises" if better else "validation drops")
        journal.write("validate", value=Validated(val=val, decision=decision))
        self._count("gate", "sort", 60)
        if not better:
            return state
        new = {"head": candidate.version, "best": candidate.version, "best_score": mean(val.values()), "val": val}
        return state.model_copy(update={**new, "pool": {candidate.version: val}})

    def _gate(self, candidate: str, failing: list[str], level: float, *, accept: bool) -> None:
        before, after = dict.fromkeys(failing, 0.0), dict.fromkeys(failing, float(accept))
        reason = f"1 of {len(failing)} failures mended" if accept else "no edit mends a failure without harm"
        decision = Decision(accept=accept, reason=reason, before=0.0, after=float(accept))
        scores = {"before": Scores(batch=before), "after": Scores(batch=after), "decision": decision}
        more = {"kept": (0,), "credit": {0: 1.0}} if accept else {"kept": (), "harmful": (0,) if failing else ()}
        self._journal.write("gate", value=Trial(candidate=candidate, **scores, **more))

    def _update(self, head: str, row: str) -> Update:
        rules = self._versions[head].parameter("sort/rules").value
        edit: Edit = AddItem(path="sort/rules", item=f"{self._words(14)} {row}: `{self._draw.choice(LABELS)}`.")
        if len(rules) > 3:
            edit = DropItem(path="sort/rules", id=rules[0].id, why=self._words(10))
        elif self._draw.random() < 0.3:
            edit = SetParameter(path="sort/instructions", value=f"Choose the team. {self._words(40)}.", why="clearer")
        return Update(parameter=edit.path, status="committed", edits=(edit,), groups=(row,))

    def _evidence(self, row: Row, version: str, *, passes: bool) -> Evidence:
        wanted = row.expected["team"]
        answer = wanted if passes else self._draw.choice([label for label in LABELS if label != wanted])
        messages = (
            Message(role="system", content="Choose the team."),
            Message(role="user", content=row.inputs["ticket"]),
        )
        steps = (Step(index=0, node="sort", inputs=row.inputs, messages=messages, output={"team": answer}),)
        run = Trajectory(
            id=row.id, version=version, example_id=row.id, inputs=row.inputs, steps=steps, output={"team": answer}
        )
        said = "" if passes else f"`{answer}` was answered, `{wanted}` was wanted"
        loss = LossReport(example_id=row.id, score=float(passes), text=said, requirement=said, expected=row.expected)
        return Evidence(row=row, trajectory=run, loss=loss)

    def _row(self, step: int, at: int) -> Row:
        ticket = f"{self._ticket} {self._words(30)}".strip()
        return Row(id=f"t{step}-{at}", inputs={"ticket": ticket}, expected={"team": self._draw.choice(LABELS)})

    def _words(self, count: int) -> str:
        return " ".join(self._draw.choice(WORDS) for _ in range(count))

    def _scores(self, level: float) -> dict[str, float]:
        return {row: float(self._draw.random() < level) for row in self._val}

    def _confusion(self) -> dict[str, dict[str, dict[str, int]]]:
        return {"team": {want: {given: self._draw.randrange(1, 9) for given in LABELS} for want in LABELS}}

    def _count(self, phase: Any, node: str, calls: int) -> None:
        self._ledger.add(phase, node, Usage(calls=calls, prompt_tokens=200 * calls, usd=0.0001 * calls, seconds=calls))

    def _spent(self) -> dict[str, Any]:
        total = self._ledger.total()
        return {"calls": total.calls, "tokens": total.tokens, "usd": total.usd, "seconds": total.seconds}

    def _checkpoint(self, state: SymbolicState) -> None:
        summary = {"steps": state.step, "best_version": state.best, "val_after": state.best_score, **self._spent()}
        self._journal.write("checkpoint", state=state, ledger=self._ledger.to_json(), summary=summary)
