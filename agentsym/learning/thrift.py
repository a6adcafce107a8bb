"""Thrift: when learning is over, settings that make the agent cheaper or faster are tried, one after the other.

Each is judged on the held-out rows, so a node that does not need the better model gets the cheaper one and no other
does; what was measured on the way is the Pareto front that a report shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from agentsym.errors import NetworkError
from agentsym.learning.evaluation import score_table
from agentsym.learning.gate import TIE
from agentsym.learning.loss import PERFECT
from agentsym.learning.objectives import Measured, picked
from agentsym.learning.protocols import Row
from agentsym.learning.state import State
from agentsym.learning.symbolic.race import race
from agentsym.learning.training import Training
from agentsym.models.prices import Price
from agentsym.network.canonical import Frozen
from agentsym.network.edits import SetParameter
from agentsym.network.network import Network
from agentsym.network.parameters import Option
from agentsym.network.records import LossReport

N = TypeVar("N", bound=Network)
S = TypeVar("S", bound=State)
COMPARED = {"cheapest": "cheaper", "fastest": "faster"}


class Finalists(Frozen):
    """What the versions that learning ended with are worth on the held-out rows, and the scores of each by row."""

    field: dict[str, Measured]
    scores: dict[str, dict[str, float]]


class Offer(Frozen):
    """One setting that was tried.

    Attributes:
        path: the parameter.
        value: its other value.
        candidate: the version that has it.
        measured: what that is worth; of a race that was broken off, on the rows until then.
        finished: whether all rows were run.
        accept: whether it is taken.
        reason: why, or why not.
        scores: row → score, where all rows were run.
    """

    path: str
    value: str
    candidate: str
    measured: Measured
    finished: bool
    accept: bool = False
    reason: str = ""
    scores: dict[str, float] = {}


class Thrift(Generic[N]):
    """Looks for a cheaper or faster version among settings.

    The score that a version must keep is the best one of the versions that learning ended with, less the margin
    `settings.within`. Options are tried one at a time, each on top of those that were taken: of models that have prices
    only the cheaper ones, the cheapest first; of other options all, in their order.

    Args:
        training: runs the rows.
    """

    def __init__(self, training: Training[N]) -> None:
        self._training = training
        self._prefer, self._within = training.settings.prefer, training.settings.within
        held_out = training.held_out()
        self._rows: tuple[Row, ...] = held_out["val"] or training.sets.val or training.sets.train
        self._must_pass = held_out["must_pass"]

    async def __call__(self, state: S, reason: str, finalists: Sequence[str]) -> S:
        """Return the state with the version that the rule takes as the best one.

        Args:
            state: where learning has ended, or where this was stopped.
            reason: why learning is over.
            finalists: versions that learning ended with.
        """
        training = self._training
        if not state.over:
            state = training.checkpoint(await self._begun(state, reason, finalists))
        while (offer := next(self._offers(state), None)) is not None:
            state = training.checkpoint(await self._tried(state, *offer))
        return state

    async def _begun(self, state: S, reason: str, finalists: Sequence[str]) -> S:
        """Measure the versions that learning ended with, and take the cheapest that is good enough."""
        versions = dict.fromkeys((self._training.agent.version, state.best, *finalists))

        async def measure() -> Finalists:
            field: dict[str, Measured] = {}
            scores: dict[str, dict[str, float]] = {}
            for version in versions:
                reports = await self._reports(self._training.network(version), self._rows)
                field[version] = Measured.of(reports)
                scores[version] = score_table(self._rows, reports)
            return Finalists(field=field, scores=scores)

        found = await self._training.phase("finalists", Finalists, measure)
        take = picked(found.field, state.best, prefer=self._prefer, within=self._within)
        changes = {"over": reason, "field": found.field, "best": take, "best_score": found.field[take].score}
        return state.model_copy(update={**changes, "val": found.scores[take] if state.val else {}})

    def _offers(self, state: State) -> Iterator[tuple[str, str]]:
        """Yield parameter and value of what is worth trying with the version that is taken so far."""
        network = self._training.network(state.best)
        for path, item in network.parameters().items():
            if not isinstance(item, Option) or not item.learnable:
                continue
            for value in self._cheaper(path, item):
                if f"{path}={value}" not in state.offers:
                    yield path, value

    def _cheaper(self, path: str, item: Option) -> list[str]:
        """Return other options in the order in which they are tried; of priced models only those that cost less."""
        others = [value for value in item.options if value != item.value]
        if not path.endswith("/model") or self._prefer != "cheapest":
            return others
        prices = {value: self._price(value) for value in item.options}
        now = prices[item.value]
        return sorted(
            (value for value in others if now is None or (price := prices[value]) is None or price < now),
            key=lambda value: (prices[value] is None, prices[value] or 0.0),
        )

    def _price(self, model: str) -> float | None:
        """Return what a model costs, by the sum of its two prices; None where nobody knows."""
        price: Price | None = self._training.door.price(self._training.parts.evaluator.model(model))
        return None if price is None else price.prompt + price.completion

    async def _tried(self, state: S, path: str, value: str) -> S:
        """Try one setting on top of what is taken, and take it if it costs less and is good enough."""
        training = self._training
        base = training.network(state.best)
        state = state.model_copy(update={"offers": (*state.offers, f"{path}={value}")})
        try:
            candidate = base.apply([SetParameter(path=path, value=value, why=f"{self._prefer} that holds the score")])
        except NetworkError:  # the option fits no more, for example after a change of the pipeline
            return state
        offer = await training.phase("offer", Offer, lambda: self._judged(state, candidate, path, value))
        training.watch("offer", {"offer": offer})
        if not offer.finished:
            return state
        training.keep(candidate, parent=base.version)
        state = state.model_copy(update={"field": {**state.field, candidate.version: offer.measured}})
        if not offer.accept:
            return state
        taken = {"best": candidate.version, "best_score": offer.measured.score}
        return state.model_copy(update={**taken, "val": offer.scores if state.val else {}})

    async def _judged(self, state: State, candidate: N, path: str, value: str) -> Offer:
        training = self._training
        best = max(found.score for found in state.field.values())
        reports: dict[str, LossReport] = {}

        async def score(row: Row) -> float:
            reports[row.id], *_ = await self._reports(candidate, [row])
            return reports[row.id].score

        beat = best - self._within
        raced = await race(self._rows, score, beat=beat, concurrency=training.parts.evaluator.concurrency)
        offer = Offer(
            path=path,
            value=value,
            candidate=candidate.version,
            measured=Measured.of([reports[row] for row in raced.scores]),
            finished=raced.finished,
            scores=raced.scores if raced.finished else {},
        )
        accept, reason = await self._verdict(state, candidate, offer, beat)
        return offer.model_copy(update={"accept": accept, "reason": reason})

    async def _verdict(self, state: State, candidate: N, offer: Offer, beat: float) -> tuple[bool, str]:
        """Decide about a setting; returns whether it is taken, and why."""
        score = offer.measured.score
        if not offer.finished:
            return False, f"even perfect scores on the rest could not reach {beat:.3f}"
        if score < beat - TIE:
            return False, f"the score is {score:.3f}, under {beat:.3f}"
        if broken := await self._broken(state, candidate):
            return False, f"must-pass row {broken} goes from pass to fail"
        both = {state.best: state.field[state.best], offer.candidate: offer.measured}
        if picked(both, state.best, prefer=self._prefer, within=1.0) == state.best:
            return False, f"it is not {COMPARED[self._prefer]}"
        return True, f"{COMPARED[self._prefer]}, at a score of {score:.3f}"

    async def _broken(self, state: State, candidate: N) -> str:
        """Return the first must-pass row that the version taken so far passes and a candidate does not."""
        scores = await self._training.scores(candidate, self._must_pass)
        lost = (row for row, score in scores.items() if score < PERFECT <= state.must_pass.get(row, 0.0))
        return next(lost, "")

    async def _reports(self, network: N, rows: Sequence[Row]) -> tuple[LossReport, ...]:
        training = self._training
        return await training.parts.evaluator.scores(network, rows, samples=training.settings.samples)
