"""What a deployment knows at a moment: examples by set, curated rows, the metric, and what stands in for writes.

Learning and shadow evaluation both begin here, so they never disagree about what a row is or says.
"""

from __future__ import annotations

from typing import NamedTuple

from agentsym.deploy.evolution.examples import Example, FeedbackMetric, Part, examples
from agentsym.deploy.evolution.stubs import RecordedWrites
from agentsym.deploy.policy import Policy
from agentsym.learning.dataset import Dataset
from agentsym.learning.loss import PERFECT
from agentsym.learning.metrics import Metric, evaluate
from agentsym.learning.protocols import Row
from agentsym.network.network import Network
from agentsym.store.store import Store


class Material(NamedTuple):
    """What there is to learn from and to measure by.

    Attributes:
        examples: the questions in the window, the newest first.
        curated: must-pass rows that people wrote down.
        metric: scores outputs by all of it.
        writes: stands in for what writes.
    """

    examples: list[Example]
    curated: tuple[Row, ...]
    metric: FeedbackMetric
    writes: RecordedWrites

    @property
    def newest(self) -> int:
        """The place of the newest feedback in it."""
        return max((example.judgement.seq for example in self.examples), default=0)

    def rows(self, part: Part) -> tuple[Row, ...]:
        """Return the rows of a set, the newest first; the curated ones are must-pass rows too."""
        found = tuple(example.row for example in self.examples if example.part == part)
        if part != "must_pass":
            return found
        known = {row.id for row in found}
        return (*found, *(row for row in self.curated if row.id not in known))

    async def failures(self, version: str, after: int) -> list[Example]:
        """Return what a version got wrong in the learn set, of what was judged after a place in the store.

        What another program got wrong (imported traces) counts as the version's own.
        """
        answered = [
            example
            for example in self.examples
            if example.part == "learn"
            and (example.version == version or example.origin == "imported")
            and example.judgement.seq > after
        ]
        verdicts = [await evaluate(self.metric, example.row, example.answer) for example in answered]
        wrong = zip(answered, verdicts, strict=True)
        return [example for example, verdict in wrong if verdict.score is not None and verdict.score < PERFECT]


def gather(store: Store, name: str, network: Network, policy: Policy, metric: Metric) -> Material:
    """Read the window of judged traces.

    Raises:
        DataError: the policy's must-pass rows cannot be read.
    """
    judged = list(store.traces.judged(name, most=policy.learning.window))
    found = examples(network, judged)
    curated: tuple[Row, ...] = ()
    if policy.shadow.must_pass is not None:
        curated = Dataset(network, notice=lambda _: None).load(policy.shadow.must_pass)
    trajectories = (trace.trajectory for trace, _ in judged if trace.trajectory is not None)
    writes = RecordedWrites(network, trajectories, policy.shadow.stubs)
    return Material(found, curated, FeedbackMetric(metric, found), writes)
