"""The combined algorithm: look for failures, group them, blame, mend, try, and validate when there is a reason to.

One step costs a call for the blame and a few for edits for each group of failures, runs of one row a group at the gate,
and a handful of rows that must not break; validation comes when train says that it is worth its price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar

from agentsym.learning.estimate import calls_per_example
from agentsym.learning.gate import TIE, mean
from agentsym.learning.loss import PERFECT
from agentsym.learning.memory.retrieval import Memory
from agentsym.learning.merge import shorten
from agentsym.learning.protocols import Evidence, FailedRun, Proposal, Scores, Trial, Update
from agentsym.learning.symbolic.alternatives import other_settings
from agentsym.learning.symbolic.attempts import attempted, taken_back
from agentsym.learning.symbolic.blame import Blames, blamer
from agentsym.learning.symbolic.changes import applied, node_of, texts
from agentsym.learning.symbolic.crossover import crossed, pairs
from agentsym.learning.symbolic.groups import Group, chosen, is_failing
from agentsym.learning.symbolic.leakage import Leakage
from agentsym.learning.symbolic.looking import Looking
from agentsym.learning.symbolic.mend import Case, Mender
from agentsym.learning.symbolic.pareto import parent, plausible
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.learning.symbolic.rng import draw
from agentsym.learning.symbolic.significance import first_rollout
from agentsym.learning.symbolic.state import SymbolicState
from agentsym.learning.symbolic.trying import Trying
from agentsym.learning.symbolic.validation import Validated, Validation, pooled
from agentsym.learning.training import Training
from agentsym.network.canonical import Frozen
from agentsym.network.network import Network

N = TypeVar("N", bound=Network)


class Kept(Frozen):
    """The numbers of changes that can stay."""

    kept: tuple[int, ...]


class SymbolicAlgorithm(Generic[N]):
    """Learns by the recipe.

    Args:
        training: what it works with.
        recipe: the settings.
    """

    state = SymbolicState

    def __init__(self, training: Training[N], recipe: Recipe) -> None:
        self._training, self._recipe = training, recipe
        self._settings = training.settings
        parts = training.parts
        self._blamer = blamer(recipe, parts.teacher, parts.lr)
        self._mender = Mender(parts.teacher, recipe, self._settings.retries)
        self._trying = Trying(training, recipe)
        self._validation = Validation(training, parts.evaluator.concurrency)
        self._looking = Looking(training, recipe)
        self._leakage = Leakage(str(value) for row in training.sets.train for value in row.inputs.values())

    @cached_property
    def _memory(self) -> Memory:
        """What earlier runs taught when this one began; the journal has it as soon as that is open."""
        return Memory(self._training.journal.lessons)

    async def begin(self) -> SymbolicState:
        """Score the first version."""
        baseline = await self._training.baseline()
        version = self._training.agent.version
        return SymbolicState(
            head=version,
            best=version,
            best_score=mean(baseline.val.values()),
            val=baseline.val,
            must_pass=baseline.must_pass,
            lr=self._training.parts.lr,
            sound=version,
            sound_val=baseline.val,
            pool={version: baseline.val} if baseline.val else {},
        )

    def reason_to_stop(self, state: SymbolicState) -> str:
        """Return that nothing fails any more, when all of train was looked at with the head."""
        if len(state.clean) >= len({row.id for row in self._training.sets.train}) and not state.unvalidated:
            return "nothing fails on train any more"
        return ""

    async def step(self, state: SymbolicState) -> SymbolicState:
        """Answer some groups of failures; where none is known, look for some."""
        state = state.model_copy(update={"step": state.step + 1})
        if self._stagnates(state) and (crossing := self._crossed(state)) is not None:
            joined, better = crossing
            return await self._validated(self._with_head(state, joined, parent=better))
        base = self._training.network(state.head)
        rows = self._looking.rows(state)
        evidence = await self._training.forward(base, rows, state.step - 1)
        self._training.watch(
            "batch", {"step": state.step - 1, "rows": len(rows), "score": mean(e.loss.score for e in evidence)}
        )
        if not self._looking.knows_failures(state) and self._training.unusable(base, evidence):
            return state.model_copy(update={"failing": state.failing + 1, "scans": state.scans + 1})
        state = self._looking.after(state.model_copy(update={"failing": 0}), evidence)
        state, cases = await self._cases(state, base, evidence)
        if not cases:
            return await self._validated_if_due(state)
        state, proposal = await self._proposed(state, base, cases)
        state = await self._tried(state, base, proposal, cases)
        return await self._validated_if_due(state)

    async def finish(self, state: SymbolicState) -> SymbolicState:
        """Validate what was accepted last."""
        return self._training.checkpoint(await self._validated(state)) if state.unvalidated else state

    # --- looking for failures

    async def _cases(
        self, state: SymbolicState, base: N, evidence: Sequence[Evidence]
    ) -> tuple[SymbolicState, list[Case]]:
        """Return the failures of this step with their blame; with a noisy student, those that fail twice."""
        runs = {item.row.id: item for item in evidence if is_failing(item)}
        groups = [group for group in chosen(state.groups, self._recipe.groups) if group.representative in runs]
        if self._settings.repeats > 1 and groups:  # a noisy student fails now and then at what it can do
            rows = [runs[group.representative].row for group in groups]
            repeats = self._settings.repeats

            async def look() -> Scores:
                first = first_rollout(state.step, repeats) + repeats
                return Scores(batch=await self._training.run_once(base, rows, first))

            again = (await self._training.phase("again", Scores, look)).batch
            flaky = [group for group in groups if again[group.representative] >= PERFECT]
            groups = [group for group in groups if group not in flaky]
            left = tuple(group for group in state.groups if group not in flaky)
            clean = () if left else tuple(dict.fromkeys((*state.clean, *(item.row.id for item in evidence))))
            state = state.model_copy(update={"groups": left, "clean": clean})
        items = [runs[group.representative] for group in groups]
        if not items:
            return state, []
        found = await self._training.phase("blame", Blames, lambda: self._blamed(state, base, items, groups))
        cases = zip(items, found.runs, groups, strict=True)
        return state, [Case(item, blame, group) for item, blame, group in cases]

    async def _blamed(
        self, state: SymbolicState, base: N, items: Sequence[Evidence], groups: Sequence[Group]
    ) -> Blames:
        tried = [tuple(map(str, state.attempts.get(group.key, ()))) for group in groups]
        runs = [FailedRun(item, own) for item, own in zip(items, tried, strict=True)]
        return Blames(runs=await self._blamer.blame(base, runs, state.step - 1))

    # --- proposing and trying

    async def _proposed(self, state: SymbolicState, base: N, cases: Sequence[Case]) -> tuple[SymbolicState, Proposal]:
        """Ask for changes of the blamed nodes; when those have stopped to help, try settings and pipelines."""
        said = [(node, text) for case in cases for node, text in case.blame.critiques.items()]

        async def propose() -> Proposal:
            moves = Proposal()
            if self._tries_settings(state) and (others := other_settings(base, cases, state.attempts)):
                return Proposal(updates=others)
            if self._stagnates(state):
                edits = tuple(text for node in base.nodes for text in state.tried(node.id, cases))
                moves = await self._mender.redesign(base, cases, edits=edits, tried=state.tried("structure", cases))
                if any(move.status == "committed" for move in moves.updates):
                    return moves
            made = await self._mender.propose(
                base,
                cases,
                state.right,
                lr=state.lr,
                before=state.before,
                tried=state.tried,
                remind=self._memory.remind,
            )
            return Proposal(updates=(*moves.updates, *made.updates, *_earlier(state, cases)))

        proposal = await self._training.phase("proposal", Proposal, propose)
        return state.model_copy(update={"momentum": state.momentum.after(said)}), proposal

    def _stagnates(self, state: SymbolicState) -> bool:
        """Whether it is the pipeline's turn: edits of nodes have failed for a while; then the two take turns."""
        beyond = state.fruitless - self._recipe.stagnation
        return beyond >= 0 and beyond % 2 == 0

    def _tries_settings(self, state: SymbolicState) -> bool:
        """Whether it is the settings' turn: just before the pipeline's, as they cost no call of the teacher."""
        before = state.fruitless + 1 - self._recipe.stagnation
        return self._recipe.settings and state.fruitless > 0 and before >= 0 and before % 2 == 0

    async def _tried(self, state: SymbolicState, base: N, proposal: Proposal, cases: Sequence[Case]) -> SymbolicState:
        """Let the gates keep what helps, and go on with that."""
        committed = any(update.status == "committed" for update in proposal.updates)
        groups = self._after_try(state.groups, cases, mended=())
        in_vain = {"groups": groups, "fruitless": state.fruitless + 1, "stale": state.stale + 1}
        if not committed:
            return state.model_copy(update=in_vain)
        held, first = self._looking.must_hold(state), first_rollout(state.step, self._settings.repeats)
        trial = await self._training.phase("gate", Trial, lambda: self._trying(base, proposal, cases, held, first))
        shown = trial.kept if trial.decision.accept and trial.kept else range(len(proposal.updates))
        edits = sum(len(proposal.updates[at].edits) for at in shown)
        self._training.watch("gate", {"step": state.step - 1, "decision": trial.decision, "edits": edits})
        attempts = attempted(state.attempts, base, proposal, trial, cases)
        pending = _pending(state, proposal, trial, cases)
        state = state.model_copy(update={"attempts": attempts, "pending": pending})
        if not trial.decision.accept:
            return state.model_copy(update=in_vain)
        candidate, _ = applied(base, proposal.updates, trial.kept or ())
        self._training.keep(candidate, parent=base.version)
        self._warn_of_quotes([proposal.updates[at] for at in trial.kept or ()])
        mended = [row for row, score in trial.after.batch.items() if score >= PERFECT]
        groups = self._after_try(state.groups, cases, mended)
        return state.model_copy(
            update={
                "head": candidate.version,
                "parents": {**state.parents, candidate.version: base.version},
                "groups": groups,
                "passing": tuple(dict.fromkeys((*state.passing, *mended))),
                "clean": (),
                "accepted": state.accepted + 1,
                "since": (*state.since, *(_for_keys(proposal.updates[at], cases) for at in trial.kept or ())),
                "fruitless": 0,
                "stale": 0,
            }
        )

    def _crossed(self, state: SymbolicState) -> tuple[N, str] | None:
        """Return two versions of the Pareto front joined, and the better of them, if the result was not tried yet."""
        training = self._training
        for better, other, ancestor in pairs(state.pool, state.parents):
            joined = crossed(*(training.network(version) for version in (better, other, ancestor)))
            if joined is not None and joined.version not in state.parents:
                training.keep(joined, parent=better)
                return joined, better
        return None

    def _with_head(self, state: SymbolicState, head: N, *, parent: str) -> SymbolicState:
        """Go on with a version that was made of others; its failures have to be looked for."""
        parents = {**state.parents, head.version: parent}
        return state.moved_to(head.version).model_copy(update={"parents": parents, "fruitless": 0})

    def _warn_of_quotes(self, changes: Sequence[Update]) -> None:
        """Warn of learned texts that repeat training inputs: they fit these and may say nothing of others."""
        for change in changes:
            for text in texts(change):
                for passage in self._leakage.leaks(text):
                    warning = f"{change.parameter} now repeats words of a training input: “{shorten(passage, 100)}”"
                    self._training.watch("warning", {"text": warning})

    def _after_try(self, groups: Sequence[Group], cases: Sequence[Case], mended: Sequence[str]) -> tuple[Group, ...]:
        """Return the groups that are left: without the mended ones, the tried ones with one try more."""
        tried = {case.id for case in cases}
        return tuple(
            group.model_copy(update={"tried": group.tried + 1}) if group.representative in tried else group
            for group in groups
            if group.representative not in mended
        )

    # --- validation

    async def _validated_if_due(self, state: SymbolicState) -> SymbolicState:
        """Validate the head when train says that it is worth it."""
        if not state.unvalidated:
            return state
        if not (self._validation.rows or self._training.held_out()["must_pass"]):
            return _settled(state.model_copy(update={"best": state.head}), {})
        recipe, target = self._recipe, self._settings.target
        gone = not state.groups
        known = state.validated_rate >= 0
        risen = known and state.rate >= (target if target is not None else state.validated_rate + recipe.rise) - TIE
        late = state.accepted - state.validated_accepts >= recipe.accepts and target is None
        stuck = state.fruitless >= recipe.stagnation  # validation may tell what was accepted wrongly
        return await self._validated(state) if gone or risen or late or stuck or self._is_scarce(state.head) else state

    def _is_scarce(self, head: str) -> bool:
        """Whether a cap leaves little more than one validation, by what a call has used on average."""
        budget, used = self._training.door.budget, self._training.door.ledger.total()
        calls = 2 * calls_per_example(self._training.network(head)) * len(self._validation.rows)
        caps = ((budget.max_calls, used.calls), (budget.max_tokens, used.tokens), (budget.max_usd, used.usd or 0.0))
        return any(cap is not None and cap - spent < calls * spent / max(1, used.calls) for cap, spent in caps)

    async def _validated(self, state: SymbolicState) -> SymbolicState:
        """Validate the head: what broke a validation row is taken back, what is worse than the best is given up."""
        state, found = await self._compared(state, "validate")
        kept = await self._harmless(state, found)
        base, since = self._training.network(state.sound), state.since
        sound, kept = applied(base, since, kept)
        lost = [change for at, change in enumerate(since) if at not in kept]
        if lost and sound.version not in (base.version, state.head):
            self._training.keep(sound, parent=base.version)
            state = self._with_head(state, sound, parent=base.version)
            state, found = await self._compared(state, "validate_again")  # learning goes on from it, whatever it scores
        else:
            head, accepted = state.head, found.decision.accept
            lost = [] if accepted else list(since)  # what cost a row and is kept was not in vain
            if not accepted:  # the steps since then were no gain either
                state = state.model_copy(update={"stale": state.stale + state.accepted - state.validated_accepts})
            state = self._next_head(state, accepted=accepted)
            if state.head != head:
                found = found.model_copy(update={"val": state.pool.get(state.head, state.val)})
        state = state.model_copy(update={"attempts": taken_back(state.attempts, base, lost)})
        return _settled(state, found.val)

    async def _compared(self, state: SymbolicState, phase: str) -> tuple[SymbolicState, Validated]:
        """Compare the head with the best version; if it holds, it is the best one from now on."""
        head, before = self._training.network(state.head), Scores(val=state.val, must_pass=state.must_pass)
        found = await self._training.phase(phase, Validated, lambda: self._validation(head, before))
        self._training.watch("validation", {"step": state.step - 1, "decision": found.decision})
        changes: dict[str, object] = {}
        if found.finished and found.val and not self._breaks_must_pass(state, found):
            changes["pool"] = pooled(state.pool, state.head, found.val)
        if found.decision.accept:
            score = mean(found.val.values()) if found.val else state.rate
            changes |= {"best": state.head, "best_score": score, "val": found.val, "must_pass": found.must_pass}
        return state.model_copy(update=changes), found

    async def _harmless(self, state: SymbolicState, found: Validated) -> tuple[int, ...]:
        """Return the changes since the last validation that have not broken any validation row.

        Only scores of validation and must-pass rows are used; no text of theirs ever reaches the teacher.
        """
        every = tuple(range(len(state.since)))
        rows = (*self._validation.rows, *self._training.held_out()["must_pass"])
        old, new = {**state.must_pass, **state.sound_val}, {**found.must_pass, **found.val}
        lost = [row for row in rows if old.get(row.id, 0.0) >= PERFECT > new.get(row.id, 1.0)]
        if not (lost and every and self._trying.gated and self._recipe.regression):
            return every
        first, base = first_rollout(state.step, self._settings.repeats), self._training.network(state.sound)

        async def harmless() -> Kept:
            return Kept(kept=await self._trying.regression(base, state.since, every, lost, first))

        return (await self._training.phase("harmless", Kept, harmless)).kept

    def _breaks_must_pass(self, state: SymbolicState, found: Validated) -> bool:
        return any(score >= PERFECT > found.must_pass.get(row, 1.0) for row, score in state.must_pass.items())

    def _next_head(self, state: SymbolicState, *, accepted: bool) -> SymbolicState:
        """Choose what is learned on next; another version's failures have to be looked for anew."""
        if not state.pool:
            head = state.head if accepted else state.best
        else:
            chance = draw(self._settings.seed, state.step, "parent")
            pool = state.pool if self._settings.repeats == 1 else plausible(state.pool, state.best)
            head = parent(pool, state.best, explore=self._recipe.explore, draw=chance)
        return state if head == state.head else state.moved_to(head)


def _for_keys(update: Update, cases: Sequence[Case]) -> Update:
    """Return a change with its groups' keys in the place of the rows that stood for them at one step."""
    keys = {case.id: case.group.key for case in cases}
    return update.model_copy(update={"groups": tuple(keys[row] for row in update.groups if row in keys)})


def _settled(state: SymbolicState, val: Mapping[str, float]) -> SymbolicState:
    """Count from here on what is accepted without validation; `val` are the head's scores.

    Where another version has become the head nothing of train was run with it yet, and its rate is not known.
    """
    return state.model_copy(
        update={
            "since": (),
            "sound": state.head,
            "sound_val": dict(val),
            "validated_rate": state.rate if state.seen else -1.0,
            "validated_accepts": state.accepted,
        }
    )


def _earlier(state: SymbolicState, cases: Sequence[Case]) -> list[Update]:
    """Return what was proposed for these failures at their last try, and did not help by itself."""
    return [
        update.model_copy(update={"groups": (case.id,), "earlier": True})
        for case in cases
        for update in state.pending.get(case.group.key, ())
    ]


def _pending(
    state: SymbolicState, proposal: Proposal, trial: Trial, cases: Sequence[Case]
) -> dict[str, tuple[Update, ...]]:
    """Return group → its last changes, where they were of several nodes and did not help: one of them may be right."""
    pending = {key: updates for key, updates in state.pending.items() if key not in {case.group.key for case in cases}}
    for case in cases:
        new = [
            update
            for update in proposal.updates
            if update.status == "committed" and not update.earlier and case.id in update.groups
        ]
        mended = trial.decision.accept and trial.after.batch[case.id] > trial.before.batch[case.id] + TIE
        if not mended and len({node_of(update) for update in new}) > 1:
            pending[case.group.key] = tuple(new)
    return pending
