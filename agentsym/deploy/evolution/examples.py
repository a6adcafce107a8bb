"""From feedback to rows: what is known of each question that was asked, and which set it belongs to.

A question goes to the learn, replay or must-pass set by the hash of its inputs, so all traces of it are on one side,
and what the optimizer has seen is never what a candidate is measured by.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from agentsym.learning.loss import PERFECT
from agentsym.learning.metrics import Metric, evaluate
from agentsym.learning.protocols import Row, Verdict
from agentsym.network.network import Network
from agentsym.store.live.traces import Feedback, Kind, Origin, Trace, example_id_of

log = logging.getLogger(__name__)

Part = Literal["learn", "replay", "must_pass"]
SHARES: Mapping[Part, float] = {"learn": 0.6, "replay": 0.3, "must_pass": 0.1}
RANK: Mapping[Kind, int] = {"label": 0, "edit": 1, "thumb": 2, "metric": 3, "judge": 4}
"""Which kind of feedback counts where there are several: the first one."""
UNJUDGED = 0.5
"""The score of an answer that nobody has judged, where the one before it was disliked."""


class Judgement(NamedTuple):
    """What feedback says of one answer.

    Attributes:
        kind: the kind that counts.
        score: in [0, 1]; None for a label, which the metric compares with.
        label: output field → the value that was wanted, where that is known.
        text: what was said.
        seq: the place of the newest feedback on the trace.
    """

    kind: Kind
    score: float | None
    label: Mapping[str, Any]
    text: str
    seq: int


class Example(NamedTuple):
    """One question that a deployed agent was asked, what it answered last, and what was said of that."""

    row: Row
    part: Part
    judgement: Judgement
    answer: Mapping[str, Any]
    version: str
    at: str
    origin: Origin = "live"


def part_of(example_id: str) -> Part:
    """Return the set that a question belongs to, by the hash of its inputs."""
    place = int.from_bytes(hashlib.sha256(example_id.encode()).digest()[:8]) / 2**64
    for part, share in SHARES.items():
        if place < share:
            return part
        place -= share
    return "must_pass"


def judgement(feedback: Sequence[Feedback]) -> Judgement | None:
    """Return what counts of the feedback on one trace: the first kind in `RANK`, of that the newest label or the mean.

    Feedback without a label or a score is a remark; alone it judges nothing.
    """
    said = [item for item in feedback if item.label or item.score is not None]
    if not said:
        return None
    kind = min((item.kind for item in said), key=RANK.__getitem__)
    counting = sorted((item for item in said if item.kind == kind), key=lambda item: item.seq)
    label = next((item.label for item in reversed(counting) if item.label), {})
    scores = [item.score for item in counting if item.score is not None]
    texts = dict.fromkeys(item.text for item in feedback if item.text)
    return Judgement(
        kind=kind,
        score=None if label else sum(scores) / len(scores),
        label=label,
        text=" ".join(texts),
        seq=max(item.seq for item in feedback),
    )


def examples(network: Network, judged: Iterable[tuple[Trace, Sequence[Feedback]]]) -> list[Example]:
    """Make an example of every question, from the trace that says most of it, the newest question first.

    Args:
        network: the agent; traces whose inputs are not (any more) its inputs are left out.
        judged: traces with their feedback, the newest first.
    """
    takes = {field.name: field for field in network.inputs}
    gives = {field.name: field for field in network.output_fields() if field.name in network.outputs}
    best: dict[str, Example] = {}
    for trace, feedback in judged:
        found = judgement(feedback)
        held = trace.trajectory
        if found is None or held is None or held.inputs.keys() != takes.keys():
            continue
        if not all(takes[name].accepts(value) for name, value in held.inputs.items()):
            continue
        label = {name: value for name, value in found.label.items() if name in gives and gives[name].accepts(value)}
        if found.label and not label:
            continue
        if not label and found.score is not None and found.score >= PERFECT and trace.status == "ok":
            label = {name: value for name, value in held.output.items() if name in gives}  # an answer that was approved
        name = example_id_of(held.inputs)
        row = Row(id=name, inputs=held.inputs, expected=label, source=f"trace {trace.id}")
        made = Example(
            row, part_of(name), found._replace(label=label), held.output, trace.version, trace.at, trace.origin
        )
        known = best.get(name)
        if known is None or RANK[found.kind] < RANK[known.judgement.kind]:
            best[name] = made
    return list(best.values())


class FeedbackMetric:
    """Scores an output by what people said: against the label where there is one, else against a disliked answer.

    An answer that differs from a disliked one is neither right nor wrong: it gets `UNJUDGED`, and `unjudged` notes it.

    Args:
        metric: compares an output with a label.
        examples: what is known, by the row's id; of other rows (curated ones) the metric says all.
    """

    def __init__(self, metric: Metric, examples: Iterable[Example]) -> None:
        self.name = f"{metric.name} on feedback"
        self.metric = metric
        self._known = {example.row.id: example for example in examples}

    async def __call__(self, row: Row, output: Mapping[str, Any]) -> Verdict:
        """Return the verdict."""
        example = self._known.get(row.id)
        said = f"\nWhat was said of it: {example.judgement.text}" if example and example.judgement.text else ""
        if row.expected or example is None:
            verdict = await evaluate(self.metric, row, output)
            failed = verdict.score is not None and verdict.score < PERFECT
            return verdict.model_copy(update={"text": verdict.text + said}) if failed else verdict
        score = example.judgement.score or 0.0
        if dict(output) == dict(example.answer):
            return Verdict(score=score, text=f"This answer was disliked.{said}")
        text = f"Another answer to this was disliked; nobody has judged this one.{said}"
        return Verdict(score=max(UNJUDGED, score), text=text)

    def unjudged(self, row: Row, output: Mapping[str, Any]) -> bool:
        """Whether nobody has judged such an output of a row."""
        example = self._known.get(row.id)
        return example is not None and not row.expected and dict(output) != dict(example.answer)


async def score_of(metric: Metric, trace: Trace, found: Judgement) -> float | None:
    """Return the score of an answer as it was given: by its label, where there is one.

    None if the answer was not kept, or the metric gives no score: that says nothing of the answer.
    """
    if not found.label:
        return found.score
    if trace.status != "ok":
        return 0.0
    if trace.trajectory is None:
        return None
    row = Row(id=trace.id, inputs=trace.trajectory.inputs, expected=dict(found.label))
    try:
        return (await metric(row, trace.trajectory.output)).score
    except Exception as error:  # of the user's own code; its text may hold what somebody asked
        log.warning("trace %s has no score: the metric %s failed (%s)", trace.id, metric.name, type(error).__name__)
        return None
