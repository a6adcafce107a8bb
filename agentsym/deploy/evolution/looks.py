"""What the monitor looks at: the scores and failures of a version, and those of the one before it, from the store."""

from __future__ import annotations

from collections.abc import Sequence

from agentsym.deploy.evolution.examples import judgement, score_of
from agentsym.deploy.evolution.monitor import BASELINE, LOOKS, Look, error_looks, score_looks
from agentsym.learning.metrics import Metric
from agentsym.store.live.lifecycle import Release
from agentsym.store.live.traces import Trace, Traces


async def looks(traces: Traces, metric: Metric, version: Release, before: Release) -> list[Look]:
    """Return all looks at a live or canary version that are due, compared with the version before it."""
    name, since = version.deployment, version.changed
    base = [trace for trace, _ in traces.judged(name, most=BASELINE, version=before.version)]
    judged = traces.first_judged(name, version.version, since, most=LOOKS[-1])
    old = traces.outcomes(name, before.version, most=BASELINE)
    new = traces.outcomes(name, version.version, since=since, most=LOOKS[-1], oldest=True)
    return [
        *score_looks(await _scores(traces, metric, base[::-1]), await _scores(traces, metric, judged)),
        *error_looks([status != "ok" for status in old], [status != "ok" for status in new]),
    ]


async def _scores(traces: Traces, metric: Metric, judged: Sequence[Trace]) -> list[float]:
    said = traces.feedback_of(trace.id for trace in judged)
    found = [(trace, judgement(said.get(trace.id, ()))) for trace in judged]
    scores = [await score_of(metric, trace, verdict) for trace, verdict in found if verdict is not None]
    return [score for score in scores if score is not None]
