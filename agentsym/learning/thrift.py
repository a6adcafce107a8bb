"""Thrift: when learning is over, settings that make the agent cheaper or faster are tried, one after the other.

Each is judged on the held-out rows, so a node that does not need the better model gets the cheaper one and no other
does; what was measured on the way is the Pareto front that a report shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from agentsym.errors import Unavailable
from agentsym.learning.evaluation import score_table
from agentsym.learning.gate import TIE
from agentsym.learning.loss import PERFECT
from agentsym.learning.node_models import own_models
from agentsym.learning.objectives import Measured, picked
from agentsym.learning.parts import Parts
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
    """What the versions that learning ended with are worth on the held-out rows.

    Attributes:
        field: version → what it is worth; without those that break a must-pass row.
        scores: version → its scores by row.
        must_pass: version → its scores on the must-pass rows.
    """

    field: dict[str, Measured]
    scores: dict[str, dict[str, float]]
    must_pass: dict[str, dict[str, float]] = {}


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
        must_pass: must-pass row → score, where those were run.
    """

    path: str
    value: str
    candidate: str
    measured: Measured
    finished: bool
    accept: bool = False
    reason: str = ""
    scores: dict[str, float] = {}
    must_pass: dict[str, float] = {}


class Thrift(Generic[N]):
    """Looks for a cheaper or faster version among settings.

    The score that a version must keep is the best one of those that were measured, less the margin `settings.within`,
    and it must break no must-pass row. Options are tried one at a time, each on top of those that were taken: of models
    that have prices only those of which one price is lower, the cheapest first; of other options all, in their order. A
    model that cannot be asked is left out, and the run goes on.

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
            must_pass = {state.best: state.must_pass}
            for version in versions:
                network = self._training.network(version)
                if version != state.best:
                    must_pass[version] = await self._training.scores(network, self._must_pass)
                    if _broken(state, must_pass[version]):
                        continue
                reports = await self._reports(network, self._rows)
                field[version] = Measured.of(reports)
                scores[version] = score_table(self._rows, reports)
            return Finalists(field=field, scores=scores, must_pass=must_pass)

        found = await self._training.phase("finalists", Finalists, measure)
        take = picked(found.field, state.best, prefer=self._prefer, within=self._within)
        state = state.model_copy(update={"over": reason, "field": found.field})
        return _taken(state, take, found.scores[take], found.must_pass[take])

    def _offers(self, state: State) -> Iterator[tuple[str, str, N]]:
        """Yield parameter, value and version of what is worth trying with the version that is taken so far."""
        base = self._training.network(state.best)
        for path, item in base.parameters().items():
            if not isinstance(item, Option) or not item.learnable:
                continue
            for value in self._cheaper(base, path, item):
                edit = SetParameter(path=path, value=value, why=f"{self._prefer} that holds the score")
                candidate = base.apply([edit])
                if f"{path}={value}" not in state.offers and candidate.version not in state.field:
                    yield path, value, candidate

    def _cheaper(self, base: N, path: str, item: Option) -> list[str]:
        """Return other options in the order in which they are tried; of priced models only those that cost less."""
        others = [value for value in item.options if value != item.value]
        if self._prefer != "cheapest" or path not in own_models(base):
            return others
        prices = {value: self._price(value) for value in item.options}

        def costs_less(value: str) -> bool:
            now, other = prices[item.value], prices[value]
            return now is None or other is None or other.prompt < now.prompt or other.completion < now.completion

        return sorted(filter(costs_less, others), key=lambda value: (prices[value] is None, sum(prices[value] or ())))

    def _price(self, model: str) -> Price | None:
        """Return what a model costs; None where nobody knows."""
        return self._training.door.price(self._training.parts.evaluator.model(model))

    async def _tried(self, state: S, path: str, value: str, candidate: N) -> S:
        """Try one setting on top of what is taken, and take it if it costs less and is good enough."""
        training = self._training
        offer = await training.phase("offer", Offer, lambda: self._judged(state, candidate, path, value))
        training.watch("offer", {"offer": offer})
        old = training.network(state.best).parameter(path).content
        settled = (f"{path}={value}", *([f"{path}={old}"] if offer.accept else []))  # what gave way is not tried again
        state = state.model_copy(update={"offers": (*state.offers, *settled)})
        if not offer.finished or _broken(state, offer.must_pass):
            return state
        training.keep(candidate, parent=state.best)
        state = state.model_copy(update={"field": {**state.field, candidate.version: offer.measured}})
        return _taken(state, candidate.version, offer.scores, offer.must_pass) if offer.accept else state

    async def _judged(self, state: State, candidate: N, path: str, value: str) -> Offer:
        training = self._training
        best = max(found.score for found in state.field.values())
        reports: dict[str, LossReport] = {}

        async def score(row: Row) -> float:
            reports[row.id], *_ = await self._reports(candidate, [row])
            return reports[row.id].score

        beat = best - self._within
        try:
            raced = await race(self._rows, score, beat=beat, concurrency=training.parts.evaluator.concurrency)
        except Unavailable as error:
            if not training.can_do_without(candidate):
                raise
            reason = f"{value} cannot be asked: {error}"
            nothing = Measured(score=0.0)
            return Offer(
                path=path, value=value, candidate=candidate.version, measured=nothing, finished=False, reason=reason
            )
        offer = Offer(
            path=path,
            value=value,
            candidate=candidate.version,
            measured=Measured.of([reports[row] for row in raced.scores]),
            finished=raced.finished,
            scores=raced.scores if raced.finished else {},
        )
        if offer.finished:
            offer = offer.model_copy(update={"must_pass": await training.scores(candidate, self._must_pass)})
        accept, reason = self._verdict(state, offer, beat)
        return offer.model_copy(update={"accept": accept, "reason": reason})

    def _verdict(self, state: State, offer: Offer, beat: float) -> tuple[bool, str]:
        """Decide about a setting; returns whether it is taken, and why."""
        score, compared = offer.measured.score, COMPARED[self._prefer]
        if self._prefer == "cheapest" and None in (offer.measured.usd, state.field[state.best].usd):
            compared = "cheaper in tokens (the price of a model is unknown)"
        if not offer.finished:
            return False, f"even perfect scores on the rest could not reach {beat:.3f}"
        if score < beat - TIE:
            return False, f"the score is {score:.3f}, under {beat:.3f}"
        if broken := _broken(state, offer.must_pass):
            return False, f"must-pass row {broken} goes from pass to fail"
        both = {state.best: state.field[state.best], offer.candidate: offer.measured}
        if picked(both, state.best, prefer=self._prefer, within=1.0) == offer.candidate:
            return True, f"{compared}, at a score of {score:.3f}"
        if picked(both, state.best, prefer=self._prefer, within=self._within) == offer.candidate:
            return True, f"not {compared}, but better by more than {self._within:g}, at a score of {score:.3f}"
        return False, f"it is not {compared}"

    async def _reports(self, network: N, rows: Sequence[Row]) -> tuple[LossReport, ...]:
        training, settings = self._training, self._training.settings
        samples = max(settings.samples, settings.repeats)  # of a student whose answers vary, one run is chance
        return await training.parts.evaluator.scores(network, rows, samples=samples)


def choice_notices(network: Network, parts: Parts, prefer: str) -> Iterator[str]:
    """Yield what is worth knowing of a choice by cost or time before a run begins."""
    options = [item for item in network.parameters().values() if isinstance(item, Option) and item.learnable]
    if not any(len(item.options) > 1 for item in options):
        yield f"no option of this agent can be learned, so {prefer} is chosen among the versions that learning makes"
    models = parts.evaluator.models(network)
    if unknown := [model.name for model in models if parts.door.price(model) is None] if prefer == "cheapest" else []:
        yield f"nobody knows the price of {', '.join(unknown)}, so cost counts in tokens; AGENTSYM_PRICES names a list"


def _taken(state: S, version: str, scores: Mapping[str, float], must_pass: Mapping[str, float]) -> S:
    """Return the state with a version as the best one."""
    changes = {"best": version, "best_score": state.field[version].score, "must_pass": must_pass}
    return state.model_copy(update={**changes, "val": scores if state.val else {}})


def _broken(state: State, must_pass: Mapping[str, float]) -> str:
    """Return the first must-pass row that the version taken so far passes and another one does not; "" for none."""
    lost = (row for row, score in must_pass.items() if score < PERFECT <= state.must_pass.get(row, 0.0))
    return next(lost, "")
