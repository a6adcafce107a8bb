"""`Evolution`: one turn of the wheel. The live version is watched, the open candidate moved on, or a new one learned.

Everything it needs to know stands in the store, so it can be killed anywhere and called again, and several processes
may turn it: what must happen once is done by compare-and-swap.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from agentsym.deploy.decisions import withdraw
from agentsym.deploy.evolution.allowed import check_frozen, violations
from agentsym.deploy.evolution.compared import Compared
from agentsym.deploy.evolution.judging import Judging, require_another
from agentsym.deploy.evolution.learning import Means, Watch, learn
from agentsym.deploy.evolution.looks import looks
from agentsym.deploy.evolution.material import Material, gather
from agentsym.deploy.evolution.monitor import Look
from agentsym.deploy.evolution.shadow import Evaluation, shadow
from agentsym.deploy.policy import Policy
from agentsym.errors import AgentsymError, BudgetExceeded, ConflictError, NetworkError, UsageError
from agentsym.learning.evaluation import Evaluator
from agentsym.learning.metrics import Metric, load_metric
from agentsym.learning.teacher.contrastive import ContrastiveTeacher
from agentsym.models.budget import Budget
from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel
from agentsym.network.canonical import Frozen, content_hash
from agentsym.network.network import Network
from agentsym.network.revive import revive
from agentsym.runtime.context import student_model
from agentsym.runtime.executors.choose import LOCAL, executor_named
from agentsym.runtime.executors.protocol import Executor
from agentsym.store.live.lifecycle import OPEN, Deployment, Release
from agentsym.store.store import Store

ACTOR = "evolution"
LEARNED = "learning ended"
COOLS = (LEARNED, "promoted", "rolled_back", "taken over", "rejected")
"""What the cool-down counts from."""
What = Literal["waits", "nothing", "rejected", "held", "canary", "promoted", "rolled_back", "frozen"]


class Turn(Frozen):
    """What one turn did, and why.

    Attributes:
        what: `waits` when there was nothing to do, `nothing` when a learning run found nothing better.
        version: the version that it was done to.
        reason: why.
    """

    what: What
    version: str | None = None
    reason: str = ""


class Evolution:
    """The evolution of one deployment.

    Args:
        store: where traces, feedback and releases are.
        name: the deployment.
        agent: the user's agent, whose code every version shares.
        policy: what may be learned, and how it goes live.
        student: as for a trainer.
        teacher: likewise.
        executor: where rows are run, of learning and of comparisons: `local`, `ray`, or an `Executor`.
        concurrency: examples and model calls in flight.
        watch: is told what a learning run does.
        judge: the model of the policy's judge, where it is not to be found by its name.

    Raises:
        UsageError: the policy freezes what the agent does not have, the metric or a model is not there, or the judge is
            the teacher too.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        agent: Network,
        policy: Policy,
        *,
        student: str | LanguageModel | None = None,
        teacher: Any = None,
        executor: str | Executor = LOCAL,
        concurrency: int = 8,
        watch: Watch | None = None,
        judge: LanguageModel | None = None,
    ) -> None:
        self.store = store
        self.name = name
        self.agent = agent
        self.policy = policy
        self.means = Means(student, teacher, executor_named(executor), concurrency, judge, watch)
        self.metric: Metric = load_metric(policy.learning.metric)
        require_another(policy.judge.model, teacher if teacher is not None else os.environ.get("AGENTSYM_TEACHER"))
        check_frozen(agent, policy.allowed)
        self._policy_hash = content_hash(policy.model_dump(mode="json"))

    async def turn(self) -> Turn:
        """Do the one thing that is due.

        Raises:
            UsageError: nothing is deployed under the name.
            ConflictError: another process did it meanwhile; the next turn sees what.
        """
        deployment = self.deployment()
        watched = await self._watched(deployment)
        if watched is not None:
            return watched
        if deployment.frozen:
            return Turn(what="frozen", reason="learning is frozen; `agentsym evolve unfreeze` lets it go on")
        try:
            return await self._next(deployment)
        except ConflictError as error:
            if not self.deployment().frozen:
                raise
            return Turn(what="frozen", reason=str(error))

    async def _next(self, deployment: Deployment) -> Turn:
        """Judge, move the open candidate on, or learn a new one."""
        if self.policy.judge.model is not None:
            try:
                await self._judging(deployment).judge_new()
            except BudgetExceeded as stopped:
                return Turn(what="waits", reason=f"the judge was stopped: {stopped}")
        open_ = self.store.releases.releases(self.name, *OPEN)
        if open_:
            return await self._moved_on(deployment, open_[0])
        return await self._learned(deployment)

    def network(self, version: str) -> Network:
        """Return a version of the deployment as a living agent."""
        if version == self.agent.version:
            return self.agent
        return revive(self.agent, self.store.releases.content(self.name, version))

    def material(self, network: Network) -> Material:
        """Return what there is to learn from and to measure by."""
        return gather(self.store, self.name, network, self.policy, self.metric)

    # --- the live version

    async def _watched(self, deployment: Deployment) -> Turn | None:
        """Take the live version back if it does worse than the one before it; None if it does not."""
        live = self.store.releases.release(self.name, deployment.live)
        if live.parent is None or "from" not in live.details:
            return None
        before = self.store.releases.release(self.name, live.details["from"])
        if before.state != "superseded":
            return None
        alarm = await self._alarm(live, before)
        if alarm is None:
            return None
        details = {"look": alarm._asdict()}
        self.store.releases.roll_back(
            self.name, expected=live.version, to=before.version, actor=ACTOR, reason=str(alarm), details=details
        )
        withdraw(self.store, live, str(alarm))
        return Turn(what="rolled_back", version=live.version, reason=str(alarm))

    async def _alarm(self, version: Release, before: Release) -> Look | None:
        """Return the first look that speaks against a version; None where none does."""
        found = await looks(self.store.traces, self.metric, version, before)
        return next((look for look in found if look.alarm), None)

    # --- the open candidate

    async def _moved_on(self, deployment: Deployment, candidate: Release) -> Turn:
        """Take the next step with the open candidate."""
        if candidate.parent != deployment.live:
            return self._rejected(candidate, "the version that it was learned from is not live any more")
        if candidate.state == "canary" and deployment.canary != candidate.version:
            return self._rejected(candidate, "it answers nobody any more: the live version was changed meanwhile")
        match candidate.state:
            case "draft":
                return await self._checked(deployment, candidate)
            case "validated":
                self._move(candidate, "shadow", "it keeps to the policy")
                return await self._compared(deployment, self.store.releases.release(self.name, candidate.version))
            case "shadow":
                return await self._compared(deployment, candidate)
            case "canary":
                return await self._tried(deployment, candidate)
            case _:
                reason = f"{candidate.version[:12]} waits for a person: {candidate.reason}"
                return Turn(what="waits", version=candidate.version, reason=reason)

    async def _checked(self, deployment: Deployment, candidate: Release) -> Turn:
        """Hold a candidate against the policy and the lint."""
        base = self.network(deployment.live)
        try:
            network = self.network(candidate.version)
            network.check()
        except NetworkError as error:
            return self._rejected(candidate, f"it is no legal agent: {error}")
        if broken := list(violations(base, network, self.policy.allowed)):
            return self._rejected(candidate, "; ".join(broken), {"violations": broken})
        self._move(candidate, "validated", "it keeps to the policy")
        return await self._moved_on(deployment, self.store.releases.release(self.name, candidate.version))

    async def _compared(self, deployment: Deployment, candidate: Release) -> Turn:
        """Compare a candidate with the live version on questions that it has not learned from."""
        last = Compared(self.store, candidate, self._policy_hash)
        material = self.material(self.network(deployment.live))
        if reason := last.still(material):
            return Turn(what="waits", version=candidate.version, reason=reason)
        try:
            found = await self.compare(deployment.live, candidate.version)
            doubt = await self._doubted(deployment) if found.verdict == "promote" else ""
        except BudgetExceeded as stopped:
            reason = f"the comparison was stopped: {stopped}; change the caps under learning, or decide yourself"
            last.note(ACTOR, reason, seen=material.newest, wanted=None)
            return Turn(what="waits", version=candidate.version, reason=reason)
        details = {"shadow": found.model_dump(mode="json")}
        reason = "; ".join(found.reasons)
        release = self.policy.release
        if found.verdict == "reject":
            return self._rejected(candidate, reason, details)
        if found.verdict == "hold" and release.approval == "never":
            missing = self.policy.shadow.min_rows - found.n
            wanted = missing if missing > 0 else self.policy.learning.min_failures
            last.note(ACTOR, reason, seen=material.newest, wanted=wanted)
            return Turn(what="waits", version=candidate.version, reason=reason)
        if doubt or found.verdict == "hold" or release.approval == "always":
            self._move(candidate, "held", doubt or reason, details)
            return Turn(what="held", version=candidate.version, reason=doubt or reason)
        return self._released(deployment, candidate, reason, details)

    async def _doubted(self, deployment: Deployment) -> str:
        """Say why a judge's word is not enough, where the comparison rests on it; "" where it is, or does not."""
        judge = self.policy.judge
        rows = [each for each in self.material(self.network(deployment.live)).examples if each.part != "learn"]
        judged = sum(each.judgement.kind == "judge" for each in rows)
        if judge.model is None or not judged:
            return ""
        agreement = await self._judging(deployment).calibrate()
        of = f"{judged} of {len(rows)} rows rest on the judge alone, and"
        if agreement is None:
            return f"{of} there are not {judge.anchors} labels to hold it against"
        if agreement < judge.min_agreement:
            return f"{of} its scores agree with labels at {agreement:.2f} only (asked for: {judge.min_agreement:g})"
        return ""

    def _judging(self, deployment: Deployment) -> Judging:
        live, policy = self.network(deployment.live), self.policy.judge
        model, door = self.means.judge, self._door()
        return Judging(self.store, self.name, live, self.metric, policy, model=model, door=door)

    def _door(self) -> Door:
        """Return a new way to the models, with the policy's caps."""
        learning = self.policy.learning
        budget = Budget(learning.max_calls, learning.max_tokens, learning.max_usd)
        return Door(concurrency=self.means.concurrency, budget=budget)

    async def compare(self, live: str, candidate: str) -> Evaluation:
        """Run the shadow evaluation of a candidate."""
        base = self.network(live)
        material = self.material(base)
        evaluator = Evaluator(
            student=student_model(self.means.student),
            teacher=ContrastiveTeacher(),  # never asked: people's judgements score
            metric=material.metric,
            door=self._door(),
            concurrency=self.means.concurrency,
            comments="metric",
            writes=material.writes,
            executor=self.means.executor,
        )
        replay = material.rows("replay")[: self.policy.shadow.max_rows]
        must_pass = material.rows("must_pass")[: self.policy.shadow.max_rows + len(material.curated)]
        async with self.means.executor:
            return await shadow(
                evaluator, material.metric, base, self.network(candidate), replay, must_pass, self.policy.shadow
            )

    def _released(self, deployment: Deployment, candidate: Release, reason: str, details: Mapping[str, Any]) -> Turn:
        """Let a candidate answer: a share of the threads first, or all of them."""
        share = self.policy.release.canary
        if share and candidate.state != "canary":
            self.store.releases.move(
                candidate, "canary", actor=ACTOR, reason=reason, details=details, share=share, unless_frozen=True
            )
            return Turn(
                what="canary", version=candidate.version, reason=f"it answers {share:.0%} of the threads; {reason}"
            )
        self.store.releases.promote(
            candidate, expected=deployment.live, actor=ACTOR, reason=reason, details=details, unless_frozen=True
        )
        return Turn(what="promoted", version=candidate.version, reason=reason)

    async def _tried(self, deployment: Deployment, candidate: Release) -> Turn:
        """Look at what people say of a canary."""
        live = self.store.releases.release(self.name, deployment.live)
        if alarm := await self._alarm(candidate, live):
            return self._rejected(candidate, str(alarm), {"look": alarm._asdict()})
        needed = self.policy.release.canary_requests
        judged = self.store.traces.first_judged(self.name, candidate.version, candidate.changed, most=needed)
        if len(judged) >= needed:
            return self._released(deployment, candidate, f"{needed} judged answers as a canary gave no alarm", {})
        waited = (datetime.now(UTC) - datetime.fromisoformat(candidate.changed)).total_seconds()
        if waited > self.policy.release.canary_seconds:
            return self._rejected(candidate, f"as a canary it had only {len(judged)} judged answers in {waited:.0f} s")
        return Turn(what="waits", version=candidate.version, reason=f"canary: {len(judged)} of {needed} judged answers")

    def _rejected(self, candidate: Release, reason: str, details: Mapping[str, Any] | None = None) -> Turn:
        self._move(candidate, "rejected", reason, details)
        withdraw(self.store, candidate, reason)
        return Turn(what="rejected", version=candidate.version, reason=reason)

    def _move(
        self,
        candidate: Release,
        to: Literal["validated", "shadow", "held", "rejected"],
        reason: str,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.store.releases.move(candidate, to, actor=ACTOR, reason=reason, details=details)

    # --- a new candidate

    async def _learned(self, deployment: Deployment) -> Turn:
        """Learn a candidate, if there are enough new failures and the last one is long enough ago."""
        learning = self.policy.learning
        last = self.store.audit.last(LEARNED, self.name)
        known = last.data() if last else {}
        same = known.get("policy") == self._policy_hash  # another policy may make more of the same feedback
        after = int(known.get("feedback", 0)) if same else 0
        if self.store.traces.said_since(self.name, after) < learning.min_failures:
            return Turn(what="waits", reason="there is hardly any new feedback to learn from")
        base = self.network(deployment.live)
        material = self.material(base)
        failures = await material.failures(deployment.live, after)
        if len(failures) < learning.min_failures:
            return Turn(what="waits", reason=f"{len(failures)} of {learning.min_failures} new failures to learn from")
        if (rest := self._rest()) > 0:
            return Turn(what="waits", reason=f"{len(failures)} new failures; the cool-down ends in {rest:.0f} s")
        ended = {"failures": len(failures), "policy": self._policy_hash, "learned": False, "feedback": after}
        try:
            run, candidate = await learn(self.store, self.name, base, material, self.policy, self.means)
        except AgentsymError as error:  # the next try comes after the cool-down, since this one may have cost something
            self._ended({**ended, "status": "failed", "reason": type(error).__name__})
            raise
        ended |= {"run": run.id, "status": run.status}
        blocked = self._state(candidate.version) if candidate.version != base.version else None
        if candidate.version == base.version or blocked:
            self._ended({**ended, "feedback": material.newest})
            nothing = f"what is {blocked} already" if blocked else f"nothing better ({run.reason})"
            return Turn(what="nothing", reason=f"run {run.id} found {nothing}")
        try:
            release = self.store.releases.propose(
                self.name, candidate, parent=deployment.live, actor=ACTOR, details={"run": run.id}, unless_frozen=True
            )
        except ConflictError:  # what was learned is lost, so its feedback is not used up
            self._ended(ended)
            raise
        self._ended({**ended, "feedback": material.newest, "learned": True})
        return await self._moved_on(deployment, release)

    def _ended(self, about: Mapping[str, Any]) -> None:
        """Write down what came of a learning run, and up to which feedback it has learned."""
        self.store.audit.write(ACTOR, LEARNED, self.name, about)

    def _rest(self) -> float:
        """Return how many seconds of the cool-down are left."""
        last = self.store.audit.entries(deployment=self.name, events=COOLS, most=1)
        since = (datetime.now(UTC) - datetime.fromisoformat(last[0].at)).total_seconds() if last else math.inf
        return self.policy.learning.cool_down - since

    def _state(self, version: str) -> str | None:
        """Return where a version stands; None if the deployment does not know it."""
        known = {release.version: release.state for release in self.store.releases.releases(self.name)}
        return known.get(version)

    def deployment(self) -> Deployment:
        """Return the deployment as it stands; raises UsageError where there is none of that name."""
        found = self.store.releases.deployment(self.name)
        if found is None:
            raise UsageError(f"there is no deployment {self.name!r}; `agentsym serve AGENT` makes one")
        return found
