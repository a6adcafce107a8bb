"""`Trainer`: the loop of learning, from batch to version.

Each step runs a batch, takes its losses, walks them back, asks the optimizer for a proposal and lets the gate decide;
every phase is journaled, so a run that was killed anywhere ends in the same version when it is resumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any, Generic, TypeVar

from agentsym.errors import BudgetExceeded, DataError, UsageError
from agentsym.learning.backward import backward, together
from agentsym.learning.dataset import Source
from agentsym.learning.estimate import calls_per_example, uncounted
from agentsym.learning.evaluation import score_table
from agentsym.learning.gate import TIE, mean
from agentsym.learning.journal import Baseline, Gradients, Journal
from agentsym.learning.metrics import METRICS, Metric, Watched, load_metric
from agentsym.learning.parts import Wanted, make_parts
from agentsym.learning.protocols import Evidence, Gate, Optimizer, Proposal, Row, Sampler, Scores, Teacher, Trial
from agentsym.learning.run import Run, Tested
from agentsym.learning.sets import Sets, open_sets
from agentsym.learning.settings import Settings
from agentsym.learning.state import State
from agentsym.models.budget import Budget
from agentsym.models.door import Recorder
from agentsym.models.protocol import LanguageModel
from agentsym.models.relay import RelayModel
from agentsym.network.canonical import content_hash
from agentsym.network.network import Network
from agentsym.network.revive import revive
from agentsym.runtime.context import student_model
from agentsym.runtime.loop import run_sync
from agentsym.store.store import Store, new_run_id

N = TypeVar("N", bound=Network)
Watch = Callable[[str, Mapping[str, Any]], None]
_OVERRUN = (
    "replies were longer than the requests allowed: the server does not heed max_tokens, so a cap on tokens or dollars "
    "may be exceeded by what they have too much"
)
FAILING_BATCHES = 3  # batches in a row with too many failed runs end the run


class Trainer(Generic[N]):
    """Trains an agent. The high level is `fit`; each part can be given as an object of your own.

    Args:
        agent: where to start.
        train: rows to learn from: a file, or rows.
        val: rows that the gate scores; a fifth of train is set apart if left out (`()` for none).
        test: rows for the final report only.
        must_pass: rows on which no version may go from pass to fail.
        metric: `exact`, `f1`, `file.py:fn`, or a function `(row, output) -> score or (score, text)`; None: the teacher
            scores.
        student: the model that runs the prompt nodes; `AGENTSYM_STUDENT`, else `embedded`.
        teacher: a model string, a model, or a `Teacher`; `AGENTSYM_TEACHER`, else `embedded`.
        optimizer: `paper`, or an `Optimizer`.
        gate: `paper`, `strict`, `validated`, `tolerant`, `always`, or a `Gate`. Where there are validation or must-pass
            rows the default is `validated` (`tolerant` with a teacher that reads all rows at once), else `paper`.
        sampler: draws the batches; seeded epochs by default.
        columns: column → field, for files whose columns are named otherwise.
        label: the column that holds the agent's one labeled field.
        judge: what the teacher is told to look for when it scores, as text.
        concurrency: examples and model calls in flight.
        max_calls: cap on model calls, reserved before each call.
        max_tokens: cap on tokens of prompts and replies together; each call reserves the most that it can use.
        max_usd: cap on US dollars, for models whose price is known.
        max_seconds: no call starts after so many seconds.
        cache: whether answers of remote models are kept and reused.
        recorder: is shown every answer, for a recording that can be replayed.
        store: where the run is written; the user's store by default.
        watch: called with (kind, data) whenever something happened.
        origin: anything JSON that is to stand in the run's first event.
        settings: every field of `Settings`.
    """

    def __init__(
        self,
        agent: N,
        train: Source,
        *,
        val: Source | None = None,
        test: Source | None = None,
        must_pass: Source | None = None,
        metric: str | Metric | Callable[..., Any] | None = "exact",
        student: str | LanguageModel | None = None,
        teacher: str | LanguageModel | Teacher | None = None,
        optimizer: str | Optimizer = "paper",
        gate: str | Gate | None = None,
        sampler: Sampler | None = None,
        columns: Mapping[str, str] | None = None,
        label: str | None = None,
        judge: str = "",
        concurrency: int = 8,
        max_calls: int | None = None,
        max_tokens: int | None = None,
        max_usd: float | None = None,
        max_seconds: float | None = None,
        cache: bool = True,
        recorder: Recorder | None = None,
        store: Store | None = None,
        watch: Watch | None = None,
        origin: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.agent = agent
        self.settings = Settings.checked(**settings)
        self.watch = watch or (lambda kind, data: None)
        self._metric = None
        if metric is not None:
            self._metric = Watched(load_metric(metric), lambda text: self.watch("warning", {"text": text}))
        wanted = Wanted(
            student=student_model(student),
            teacher=teacher,
            metric=self._metric,
            optimizer=optimizer,
            gate=gate,
            sampler=sampler,
            judge=judge,
            concurrency=concurrency,
            cache=cache,
            recorder=recorder,
        )
        make_parts(replace(wanted, cache=False), Sets(train=()), self.settings, Budget())  # names, before any row
        self.sets = open_sets(
            agent, train, val=val, test=test, must_pass=must_pass, columns=columns, label=label, seed=self.settings.seed
        )
        for notice in (*self.sets.notices, *uncounted(agent)):
            self.watch("notice", {"text": notice})
        if metric in METRICS and not any(row.expected for row in self.sets.train):
            raise DataError(
                f"no row of train is labeled, so {metric} has nothing to compare with; --label COLUMN or "
                f"--map COLUMN=FIELD names the column that holds {', '.join(agent.outputs)}"
            )
        self.budget = Budget(max_calls, max_tokens, max_usd, max_seconds)
        self.parts = make_parts(wanted, self.sets, self.settings, self.budget)
        asked = (*self.parts.evaluator.models(agent), getattr(self.parts.teacher, "model", None))
        for model in dict.fromkeys(model for model in asked if model is not None):
            self.parts.door.check_price(model)
            if isinstance(model, RelayModel):
                self.watch("notice", {"text": f"requests wait in {model.folder} for answers; README.md there says how"})
        self.origin = dict(origin or {})
        self._store = store
        self._versions: dict[str, N] = {agent.version: agent}
        self._summary: dict[str, float] = {}
        self._began = False
        self._failure = ""

    def fit(self, resume: str | None = None) -> Run[N]:
        """Train, and return the run; with `resume`, go on with the run of that id (see `afit`)."""
        return run_sync(self.afit(resume))

    async def afit(self, resume: str | None = None) -> Run[N]:
        """Train, and return the run.

        A cap that is reached ends the run with the best version so far (`run.status == "budget"`); an interrupt or an
        error is written down and raised, and the run can be resumed.

        Raises:
            UsageError: the caps cannot pay the first step (nothing was sent), or the run to resume is not there, or
                agent, data or settings are not those it began with, or this trainer has trained already.
        """
        if self._began:
            raise UsageError("a Trainer trains once, since its caps and its account are of one run; make another one")
        self._began = True
        if resume is None:
            self._require_first_step()
        store = self._store or Store.open()
        journal, state = self._open(store, resume)
        try:
            return await self._run(journal, state)
        finally:
            if self._store is None:
                store.close()

    def _require_first_step(self) -> None:
        """Refuse caps under what the baseline and the first batch need, before anything is sent or written."""
        rows = len(self.parts.sampler.batch(self.sets.train, 0)) + sum(map(len, self._gate_rows().values()))
        needed = calls_per_example(self.agent) * rows
        budget = self.budget
        too_few = budget.max_calls is not None and budget.max_calls < needed
        if too_few or 0 in (budget.max_tokens, budget.max_usd, budget.max_seconds):
            raise UsageError(
                f"the caps cannot pay the first step: it needs {needed} model calls ({rows} rows); allow more with "
                "--max-calls, --max-tokens, --max-usd or --max-seconds, or take a smaller --batch"
            )

    def _open(self, store: Store, resume: str | None) -> tuple[Journal, State | None]:
        """Begin or reopen the journal."""
        if resume is None:
            journal, state = Journal.begin(store, new_run_id(), self.agent.name, self._config()), None
        else:
            journal, state, self.parts.door.ledger = Journal.reopen(store, resume, self._config())
        self.watch("run", {"id": journal.run_id, "agent": self.agent.name, "resumed": resume is not None})
        return journal, state

    def _config(self) -> dict[str, Any]:
        """Return what a resumed run must have in common with its beginning."""
        data = {
            name: content_hash([row.model_dump(exclude={"source"}) for row in rows]) for name, rows in self.sets.all()
        }
        settings = self.settings.model_dump(mode="json")
        return {
            **self.parts.names(),
            "agent": self.agent.version,
            "data": data,
            "settings": settings,
            "metric_source": "" if self._metric is None else self._metric.source,
            "origin": self.origin,
        }

    async def _run(self, journal: Journal, state: State | None) -> Run[N]:
        status, reason = "failed", "an error"
        try:
            state = state or await self._begin(journal)
            while not (reason := self._reason_to_stop(state)):
                state = await self._step(journal, state)
            await self._test(journal, state)
            failed = (
                state.failing >= FAILING_BATCHES or 0 < state.failing == state.step
            )  # at the end, or from the start
            status, reason = ("failed", f"{reason}: {self._failure}") if failed else ("done", reason)
        except BudgetExceeded as error:
            status, reason = "budget", str(error)
        except (asyncio.CancelledError, KeyboardInterrupt):
            status, reason = "interrupted", "interrupted"
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise
        finally:
            summary = {**self._spent(), **self._summary}
            journal.write(
                "stop", status=status, reason=reason, summary=summary, ledger=self.parts.door.ledger.to_json()
            )
            if self.budget.overruns:
                self.watch("warning", {"text": f"{self.budget.overruns} {_OVERRUN}"})
            self.watch("stop", {"status": status, "reason": reason})
        return Run.load(journal.store, journal.run_id, self.agent)

    async def _begin(self, journal: Journal) -> State:
        """Score the first version and write the first checkpoint."""
        journal.version(self.agent, parent=None)

        async def score() -> Baseline:
            looked_at = self._gate_rows()
            return Baseline(
                val=await self._scores(self.agent, looked_at["val"]),
                must_pass=await self._scores(self.agent, looked_at["must_pass"]),
            )

        baseline = await journal.phase("baseline", Baseline, score)
        state = State(
            head=self.agent.version,
            best=self.agent.version,
            best_score=mean(baseline.val.values()),
            val=baseline.val,
            must_pass=baseline.must_pass,
            lr=self.parts.lr,
        )
        self._checkpoint(journal, state)
        return state

    async def _step(self, journal: Journal, state: State) -> State:
        """One step: forward, loss, backward, proposal, gate."""
        base = self._network(journal, state.head)
        rows = self.parts.sampler.batch(self.sets.train, state.step)
        evidence = await journal.forward(state.step, rows, lambda: self._forward(base, rows))
        score = mean(item.loss.score for item in evidence)
        self.watch("batch", {"step": state.step, "rows": len(rows), "score": score})
        failed = [item for item in evidence if item.trajectory.status == "error"]
        if len(failed) > self.settings.failing_share * len(rows):
            what = f"{len(failed)} of {len(rows)} runs failed ({failed[0].trajectory.error})"
            self.watch("notice", {"text": f"{what}; nothing is learned from this batch"})
            self._failure = what
            return self._checkpoint(journal, state.after_failing_batch())
        gradients = await journal.phase("backward", Gradients, lambda: self._backward(base, evidence, state.lr))
        evidence = tuple(
            item.model_copy(update={"gradients": own}) for item, own in zip(evidence, gradients.rows, strict=True)
        )
        proposal = await journal.phase("proposal", Proposal, lambda: self._propose(base, evidence, state))
        candidate = base.apply(proposal.edits)
        if candidate.version == base.version:
            return self._checkpoint(journal, state.after_idle(proposal, batch_score=score))
        trial = await journal.phase("gate", Trial, lambda: self._try(state, base, candidate, evidence))
        if trial.decision.accept:
            self._versions[candidate.version] = candidate
            journal.version(candidate, parent=base.version)
        self.watch("gate", {"step": state.step, "decision": trial.decision, "edits": len(proposal.edits)})
        after = state.after_gate(
            self.settings, proposal, trial, batch_score=mean(trial.after.batch.values()) if trial.after.batch else score
        )
        return self._checkpoint(journal, after)

    async def _forward(self, base: N, rows: Sequence[Row]) -> tuple[Evidence, ...]:
        evidence = await self.parts.evaluator.evidence(base, rows, progress=self._progress("forward"))
        self._check_metric()
        return evidence

    async def _backward(self, base: N, evidence: Sequence[Evidence], lr: float) -> Gradients:
        walks = [
            backward(self.parts.teacher, base, item.trajectory, item.loss, lr=lr, order=self.settings.order)
            for item in evidence
        ]
        return Gradients(rows=tuple(await together(walks)))

    async def _propose(self, base: N, evidence: Sequence[Evidence], state: State) -> Proposal:
        return await self.parts.optimizer.propose(base, evidence, lr=state.lr, history=state.history)

    async def _try(self, state: State, base: N, candidate: N, evidence: Sequence[Evidence]) -> Trial:
        """Score base and candidate on the rows that the gate looks at, and let it decide."""
        rows = {"batch": tuple(item.row for item in evidence), **self._gate_rows()}
        if "batch" not in self.parts.gate.looks_at:
            rows["batch"] = ()
        if self.settings.rescore_base or self.settings.samples > 1:
            before = Scores(**{name: await self._scores(base, own, first_rollout=1) for name, own in rows.items()})
        else:
            batch = score_table(rows["batch"], [item.loss for item in evidence][: len(rows["batch"])])
            before = Scores(batch=batch, val=state.val, must_pass=state.must_pass)
        after = Scores(**{name: await self._scores(candidate, own) for name, own in rows.items()})
        return Trial(
            candidate=candidate.version, before=before, after=after, decision=self.parts.gate.decide(before, after)
        )

    def _gate_rows(self) -> dict[str, tuple[Row, ...]]:
        """Return the held-out rows that the gate looks at."""
        return {
            "val": self.sets.val if "val" in self.parts.gate.looks_at else (),
            "must_pass": self.sets.must_pass if "must_pass" in self.parts.gate.looks_at else (),
        }

    async def _scores(self, network: N, rows: Sequence[Row], first_rollout: int = 0) -> dict[str, float]:
        reports = await self.parts.evaluator.scores(
            network,
            rows,
            samples=self.settings.samples,
            first_rollout=first_rollout,
            progress=self._progress("gate"),
        )
        self._check_metric()
        return score_table(rows, reports)

    def _check_metric(self) -> None:
        """End the run where the metric failed on every row that was just scored."""
        if self._metric is not None:
            self._metric.end_batch()

    async def _test(self, journal: Journal, state: State) -> None:
        """Score the first and the best version on test rows (on validation, where there are none)."""
        rows = self.sets.test or self.sets.val
        if not rows:
            return

        async def score() -> Tested:
            reports = {}
            for version in dict.fromkeys((self.agent.version, state.best)):
                network = self._network(journal, version)
                reports[version] = await self.parts.evaluator.scores(
                    network,
                    rows,
                    phase="test",
                    samples=self.settings.samples,
                    progress=self._progress("test"),
                )
                self._check_metric()
            return Tested.of("test" if self.sets.test else "val", reports[self.agent.version], reports[state.best])

        tested = await journal.phase("test", Tested, score)
        self._summary = {"test_before": mean(tested.before), "test_after": mean(tested.after)} if self.sets.test else {}
        self.watch("test", {"tested": tested})

    def _reason_to_stop(self, state: State) -> str:
        settings = self.settings
        if state.failing >= FAILING_BATCHES:
            return f"{state.failing} batches in a row had too many failed runs"
        if settings.target is not None and state.best_score >= settings.target - TIE:
            return f"the target of {settings.target:g} is reached"
        if state.step >= settings.steps:
            return "1 step is done" if settings.steps == 1 else f"{settings.steps} steps are done"
        if settings.patience is not None and state.stale >= settings.patience:
            return f"no better version in {state.stale} step{'s' * (state.stale > 1)}"
        whole = len(self.parts.sampler.batch(self.sets.train, state.step)) >= len(self.sets.train)
        if whole and state.idle >= ceil(1 / state.lr):  # by then every component has had its turn
            return "there is nothing left to propose"
        return ""

    def _network(self, journal: Journal, version: str) -> N:
        if version not in self._versions:
            self._versions[version] = revive(self.agent, journal.store.version_content(version))
        return self._versions[version]

    def _checkpoint(self, journal: Journal, state: State) -> State:
        summary = {"steps": state.step, "best_version": state.best, **self._spent()}
        if state.val:
            summary |= {"val_after": state.best_score} if state.step else {"val_before": state.best_score}
        journal.write("checkpoint", state=state, ledger=self.parts.door.ledger.to_json(), summary=summary)
        self.watch("checkpoint", {"state": state, "usage": self.parts.door.ledger.total()})
        return state

    def _spent(self) -> dict[str, Any]:
        total = self.parts.door.ledger.total()
        return {"calls": total.calls, "tokens": total.tokens, "usd": total.usd, "seconds": total.seconds}

    def _progress(self, phase: str) -> Callable[[int, int], None]:
        return lambda done, total: self.watch("rows", {"phase": phase, "done": done, "total": total})
