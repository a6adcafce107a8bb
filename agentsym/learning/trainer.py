"""`Trainer`: a run of learning, from rows and names to a version and its report.

It opens the journal, asks an algorithm for one state after the other until there is a reason to stop, and tests what
came of it; every phase is journaled, so a run that was killed anywhere ends in the same version when it is resumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from agentsym.errors import BudgetExceeded, DataError, UsageError
from agentsym.learning.confusion import Confusions
from agentsym.learning.dataset import Source
from agentsym.learning.estimate import calls_per_example, uncounted
from agentsym.learning.gate import TIE, mean
from agentsym.learning.journal import Journal
from agentsym.learning.memory.lesson import Lesson
from agentsym.learning.memory.retrieval import recalled
from agentsym.learning.metrics import METRICS, Metric, Watched, load_metric
from agentsym.learning.parts import Wanted, make_parts
from agentsym.learning.protocols import Gate, Optimizer, Sampler, Teacher
from agentsym.learning.run import Run, Tested
from agentsym.learning.sets import Sets, open_sets
from agentsym.learning.settings import Settings
from agentsym.learning.spans import end_run, learning_span, run_span, tell
from agentsym.learning.state import State
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.learning.thrift import Thrift, choice_notices
from agentsym.learning.training import Algorithm, Training, Watch
from agentsym.models.budget import Budget
from agentsym.models.door import Recorder
from agentsym.models.protocol import LanguageModel
from agentsym.models.recording import RecordedModel
from agentsym.models.relay import RelayModel
from agentsym.network.canonical import content_hash
from agentsym.network.network import Network
from agentsym.runtime.context import Writes, student_model
from agentsym.runtime.executors.choose import LOCAL, executor_named
from agentsym.runtime.executors.protocol import Executor
from agentsym.runtime.loop import run_sync
from agentsym.store.store import Store, new_run_id

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from agentsym.telemetry.telemetry import Telemetry

N = TypeVar("N", bound=Network)
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
        optimizer: `symbolic` (the combined algorithm), `paper` (Algorithm 1 of arXiv 2406.18532, call by call), another
            recipe's name (`textgrad`, `gepa`), a `Recipe` of your own, or an `Optimizer` for the paper's loop.
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
        writes: stands in for tools and function nodes that write, so that learning changes nothing in the world: called
            with name and arguments, it returns the result; None lets them write.
        executor: where rows are run: `local`, `ray`, or an `Executor`; the run is the same wherever they are.
        store: where the run is written; the user's store by default.
        watch: called with (kind, data) whenever something happened.
        telemetry: makes OpenTelemetry spans; yes or no; None for what the environment and the process say.
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
        optimizer: str | Optimizer | Recipe = "symbolic",
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
        writes: Writes | None = None,
        executor: str | Executor = LOCAL,
        store: Store | None = None,
        watch: Watch | None = None,
        telemetry: Telemetry | bool | None = None,
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
            writes=writes,
            telemetry=telemetry,
            executor=executor_named(executor),
        )
        make_parts(replace(wanted, cache=False), Sets(train=()), self.settings, Budget())  # names, before any row
        self.sets = open_sets(
            agent, train, val=val, test=test, must_pass=must_pass, columns=columns, label=label, seed=self.settings.seed
        )
        if not self.sets.train:
            raise DataError("every row of train stands in another set too, so nothing is left to learn from")
        if metric in METRICS and not any(row.expected for row in self.sets.train):
            raise DataError(
                f"no row of train is labeled, so {metric} has nothing to compare with; --label COLUMN or "
                f"--map COLUMN=FIELD names the column that holds {', '.join(agent.outputs)}"
            )
        self.budget = Budget(max_calls, max_tokens, max_usd, max_seconds)
        self.parts = make_parts(wanted, self.sets, self.settings, self.budget)
        for model in self._models():
            self.parts.door.check_price(model)
        for text in (*self._notices(), *self.parts.unheeded(optimizer, self.settings.repeats)):
            self.watch("notice", {"text": text})
        self.origin = dict(origin or {})
        self._store = store
        self._recorded = recorder is not None
        self._summary: dict[str, float] = {}
        self._began = False

    def fit(self, resume: str | None = None) -> Run[N]:
        """Train, and return the run; with `resume`, go on with the run of that id (see `afit`)."""
        return run_sync(self.afit(resume))

    async def afit(self, resume: str | None = None) -> Run[N]:
        """Train, and return the run.

        A cap that is reached ends the run with the best version so far (`run.status == "budget"`); an interrupt or an
        error is written down and raised, and the run can be resumed. Caps on calls, tokens and dollars are of the whole
        run: what it has used before it is resumed counts.

        Raises:
            UsageError: the caps cannot pay the first step (nothing was sent), or the run to resume is not there, or
                agent, data or settings are not those it began with, or this trainer has trained already.
        """
        if self._began:
            raise UsageError("a Trainer trains once, since its caps and its account are of one run; make another one")
        self._began = True
        store = self._store or Store.open()
        try:
            async with self.parts.evaluator.executor:
                return await self._run(*self._open(store, resume))
        finally:
            if self._store is None:
                store.close()

    def _models(self) -> tuple[LanguageModel, ...]:
        """Return the models that the run asks: those of the agent's nodes, and the teacher's."""
        asked = (*self.parts.evaluator.models(self.agent), getattr(self.parts.teacher, "model", None))
        return tuple(dict.fromkeys(model for model in asked if model is not None))

    def _notices(self) -> Iterator[str]:
        """Yield what is worth knowing of rows, agent and models before anything is sent."""
        yield from (*self.sets.notices, *uncounted(self.agent))
        if self.settings.prefer != "score":
            yield from choice_notices(self.agent, self.parts, self.settings.prefer)
        for model in self._models():
            if isinstance(model, RelayModel):
                yield f"requests wait in {model.folder} for answers; README.md there says how"

    def _open(self, store: Store, resume: str | None) -> tuple[Training[N], Algorithm[Any], State | None]:
        """Begin or reopen the journal, and make the algorithm that writes it."""
        journal = Journal(store, new_run_id() if resume is None else resume)
        door = self.parts.door
        door.answers = journal.answers
        training = Training(self.agent, self.sets, self.parts, self.settings, self._metric, self.watch, journal)
        algorithm = self.parts.algorithm(training)
        state: State | None = None
        if resume is None:
            self._require_first_step(training.rows_at_first())
            journal.begin(self.agent.name, self._config(), self._lessons(store))
        else:
            state, door.ledger = journal.reopen(self._config(), algorithm.state)
            door.budget.count(door.ledger.total())
        self.watch("run", {"id": journal.run_id, "agent": self.agent.name, "resumed": resume is not None})
        return training, algorithm, state

    def _lessons(self, store: Store) -> tuple[Lesson, ...]:
        """Return what earlier runs in the store teach this one, and say that the teacher is shown it."""
        replayed = self._recorded or any(isinstance(model, RecordedModel) for model in self._models())
        if replayed or not (self.settings.memory and isinstance(self.parts.optimizer, Recipe)):
            return ()
        sets = self.sets
        held_out = {row.id for rows in (sets.val, sets.test, sets.must_pass) for row in rows}
        lessons = recalled(store, self.agent, self._config(), held_out)
        if lessons:
            runs = len({lesson.run for lesson in lessons})
            text = f"the teacher is shown what helped in {runs} earlier run{'s' * (runs > 1)} of this store"
            self.watch("notice", {"text": f"{text} (memory=False or --no-memory: nothing of them)"})
        return lessons

    def _require_first_step(self, rows: int) -> None:
        """Refuse caps under what the baseline and the first batch need, before anything is sent or written."""
        needed = calls_per_example(self.agent) * rows
        budget = self.budget
        too_few = budget.max_calls is not None and budget.max_calls < needed
        if too_few or 0 in (budget.max_tokens, budget.max_usd, budget.max_seconds):
            raise UsageError(
                f"the caps cannot pay the first step: it needs {needed} model calls ({rows} rows); allow more with "
                "--max-calls, --max-tokens, --max-usd or --max-seconds, or take a smaller --batch"
            )

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

    async def _run(self, training: Training[N], algorithm: Algorithm[Any], state: State | None) -> Run[N]:
        journal, names = training.journal, self.parts.names()
        with run_span(training.door.telemetry, journal.run_id, self.agent, names) as span:
            await self._learn(training, algorithm, state, span)
        return Run.load(journal.store, journal.run_id, self.agent)

    async def _learn(
        self, training: Training[N], algorithm: Algorithm[Any], state: State | None, span: Span | None
    ) -> None:
        """Do one step after the other until there is a reason to stop, and write down how it ended."""
        status, reason, journal = "failed", "an error", training.journal
        try:
            state = state or training.checkpoint(await algorithm.begin())
            while not (reason := self._reason_to_stop(algorithm, state)):
                state = training.checkpoint(await self._step(training, algorithm, state))
            if not state.over:
                state = await algorithm.finish(state)
            failed = (
                state.failing >= FAILING_BATCHES or 0 < state.failing == state.step
            )  # at the end, or from the start
            if self.settings.prefer != "score" and not failed:
                state = await Thrift(training)(state, reason, state.finalists)
            await self._test(training, state)
            status, reason = ("failed", f"{reason}: {training.failure}") if failed else ("done", reason)
        except BudgetExceeded as error:
            status, reason = "budget", str(error)
        except (asyncio.CancelledError, KeyboardInterrupt):
            status, reason = "interrupted", "interrupted"
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise
        finally:
            summary = {**training.spent(), **self._summary}
            journal.write(
                "stop", status=status, reason=reason, summary=summary, ledger=self.parts.door.ledger.to_json()
            )
            if self.budget.overruns:
                self.watch("warning", {"text": f"{self.budget.overruns} {_OVERRUN}"})
            self.watch("stop", {"status": status, "reason": reason})
            end_run(span, status, state, summary)

    async def _step(self, training: Training[N], algorithm: Algorithm[Any], state: State) -> State:
        with learning_span(training.door.telemetry, "step", step=state.step) as span:
            state = await algorithm.step(state)
            tell(span, state)
        return state

    def _reason_to_stop(self, algorithm: Algorithm[Any], state: State) -> str:
        settings = self.settings
        if state.over:
            return state.over
        if state.failing >= FAILING_BATCHES:
            return f"{state.failing} batches in a row had too many failed runs"
        if settings.target is not None and state.best_score >= settings.target - TIE:
            return f"the target of {settings.target:g} is reached"
        if state.step >= settings.steps:
            return "1 step is done" if settings.steps == 1 else f"{settings.steps} steps are done"
        if settings.patience is not None and state.stale >= settings.patience:
            return f"no better version in {state.stale} step{'s' * (state.stale > 1)}"
        return algorithm.reason_to_stop(state)

    async def _test(self, training: Training[N], state: State) -> None:
        """Score the first and the best version on test rows (on validation, where there are none)."""
        rows = self.sets.test or self.sets.val
        if not rows:
            return

        async def score() -> Tested:
            reports, confusions = {}, {}
            first, best = self.agent.version, state.best
            for version in dict.fromkeys((first, best)):
                network = training.network(version)
                confusions[version] = Confusions(network)
                reports[version] = await self.parts.evaluator.scores(
                    network,
                    rows,
                    phase="test",
                    samples=self.settings.samples,
                    progress=training.progress("test"),
                    seen=confusions[version].add,
                )
            return Tested.of(
                "test" if self.sets.test else "val",
                reports[first],
                reports[best],
                confusion_before=confusions[first].counts(),
                confusion_after=confusions[best].counts(),
            )

        tested = await training.phase("test", Tested, score)
        self._summary = {"test_before": mean(tested.before), "test_after": mean(tested.after)} if self.sets.test else {}
        self.watch("test", {"tested": tested})
