"""The two gates of a step: an edit must mend a failure that it answers, and break nothing that works.

Both judge a list of changes, not a yes or no for all of it: what helps is kept, what does nothing is dropped, and what
does harm is found by halving.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from agentsym.learning.backward import together
from agentsym.learning.gate import TIE, mean
from agentsym.learning.loss import PERFECT
from agentsym.learning.protocols import Row, Update
from agentsym.learning.symbolic.changes import applied, compatible, node_of, places
from agentsym.learning.symbolic.culprits import culprits
from agentsym.learning.symbolic.mend import Case
from agentsym.learning.symbolic.significance import lost, verdict
from agentsym.learning.training import Training
from agentsym.network.network import Network

N = TypeVar("N", bound=Network)
ALTERNATIVES = 8  # changes of the same things that are tried beside the first ones


class Mended(NamedTuple):
    """What the fix gate found: the changes that helped, and the scores of the failures with them.

    Attributes:
        kept: numbers of the changes.
        scores: failure → its score with them, as the mean over the runs that were made.
        said: failure → what the metric said of its last run.
        joined: they come from several trials, so they were not run as one yet.
    """

    kept: tuple[int, ...]
    scores: dict[str, float]
    said: Mapping[str, str] = {}
    joined: bool = False

    def mends(self, case: Case) -> bool:
        """Whether a failure scores higher with the changes."""
        return self.scores.get(case.id, 0.0) > case.item.loss.score + TIE


class FixGate(Generic[N]):
    """Keeps the changes that mend a failure.

    Args:
        training: runs the rows.
        joint: whether all changes are tried together first; else each alone.
        most: how often a pair of base and candidate is run at most before a change counts as undecided.
        prune: whether edits that a mended failure does not need are left out, where one run of each says enough.
    """

    def __init__(self, training: Training[N], *, joint: bool, most: int, prune: bool = True) -> None:
        self._training, self._joint, self._most = training, joint, most
        self._prunes = prune and most == 1

    async def __call__(
        self, base: N, changes: Sequence[Update], cases: Sequence[Case], first_rollout: int = 0
    ) -> Mended:
        """Try the changes on the failures that they answer.

        All new ones are tried together, since some help only with others; where several would change the same thing,
        each of them takes its turn, and the one that mends most stays. Where that mends nothing, one change may hide
        what the others do: then those of each failure are tried by themselves. A failure that needs changes of several
        nodes is tried again with what was proposed for one of the nodes at an earlier step.

        Args:
            base: the network that fails.
            changes: what was proposed, some of it earlier.
            cases: the failures.
            first_rollout: number of the first run of a pair, of those that this step may use.
        """

        async def tried_with(which: Iterable[int], cases: Sequence[Case]) -> Mended:
            return await self._try(base, changes, which, cases, first_rollout)

        new = [at for at, change in enumerate(changes) if change.status == "committed" and not change.earlier]
        if not self._joint:
            return _joined(await together([tried_with((at,), cases) for at in new]))
        union, alternatives = compatible(changes, new, {case.id: len(case.group.rows) for case in cases})
        unions = [union, *(_with(changes, union, at) for at in alternatives[:ALTERNATIVES])]
        tried = await together([tried_with(which, cases) for which in unions])
        best = max(tried, key=lambda found: mean(found.scores.get(case.id, case.item.loss.score) for case in cases))
        union = unions[tried.index(best)]
        left = [case for case in cases if not best.mends(case)]
        parts = list(self._parts(changes, union, left, alone=not best.kept))
        again = await together([tried_with(which, [case]) for which, case in parts])
        once: dict[str, Mended] = {}
        for found, (_, case) in zip(again, parts, strict=True):
            if found.mends(case) and not (case.id in once and once[case.id].scores[case.id] >= found.scores[case.id]):
                once[case.id] = found
        found = _joined([best, *once.values()]) if once else best
        return await self._pruned(base, changes, found, cases) if self._prunes else found

    async def _pruned(self, base: N, changes: Sequence[Update], found: Mended, cases: Sequence[Case]) -> Mended:
        """Drop what rides along: of several changes of one node for the same failures, those that they do not need.

        They are left out one after the other, so that two that could stand in for each other do not both go.
        """

        async def superfluous(mended: Sequence[Case], own: Sequence[int]) -> list[int]:
            out: list[int] = []
            for at in reversed(own):
                rest = [other for other in found.kept if other not in (*out, at)]
                candidate, _ = applied(base, changes, rest)
                scores = await self._training.run_once(candidate, [case.item.row for case in mended])
                if all(scores[case.id] >= found.scores[case.id] - TIE for case in mended):
                    out.append(at)
            return out

        riding: dict[tuple[str, ...], dict[str, list[int]]] = {}
        for at in found.kept:
            riding.setdefault(changes[at].groups, {}).setdefault(node_of(changes[at]), []).append(at)
        doubtful = [
            ([case for case in cases if case.id in groups and found.mends(case)], own)
            for groups, nodes in riding.items()
            if (own := [at for several in nodes.values() if len(several) > 1 for at in several])
        ]
        dropped = {at for out in await together([superfluous(*each) for each in doubtful]) for at in out}
        kept = tuple(at for at in found.kept if at not in dropped)
        return found._replace(kept=kept, joined=found.joined or bool(dropped))  # what was dropped may mend others

    def _parts(
        self, changes: Sequence[Update], union: Sequence[int], left: Sequence[Case], *, alone: bool
    ) -> Iterator[tuple[tuple[int, ...], Case]]:
        """Yield what is tried for each failure that is left: its own changes alone, and mixed with earlier ones."""
        for case in left:
            own = tuple(at for at in union if case.id in changes[at].groups)
            if alone and own and len(own) < len(union):
                yield own, case
            for mixed in _mixed(changes, own, case):
                yield mixed, case

    async def _try(
        self, base: N, changes: Sequence[Update], which: Iterable[int], cases: Sequence[Case], first: int
    ) -> Mended:
        """Run candidate and base on the failures until it is decided for each change whether it helps."""
        candidate, open_ones = applied(base, changes, which)
        answered = {group for at in open_ones for group in changes[at].groups}
        concerned = [case for case in cases if case.id in answered]
        runs: dict[str, list[tuple[float, float]]] = {case.id: [] for case in concerned}
        said: dict[str, str] = {}
        kept: list[int] = []
        for repeat in range(self._most):
            rows = [c.item.row for c in concerned if any(c.id in changes[at].groups for at in open_ones)]
            if not rows:
                break
            reports = await self._training.judged(candidate, rows, first + repeat)
            after = {row: report.score for row, report in reports.items()}
            said |= {row: report.requirement or report.text for row, report in reports.items()}
            before = {case.id: case.item.loss.score for case in concerned}
            if self._most > 1:  # the failing run was chosen since it failed, so it says nothing of chance
                before = await self._training.run_once(base, rows, first + self._most + 1 + repeat)
            for row in rows:
                runs[row.id].append((before[row.id], after[row.id]))
            still = []
            for at in open_ones:
                pairs = [pair for group in changes[at].groups for pair in runs.get(group, ())]
                match verdict(_better(pairs), _worse(pairs), len(pairs), repeat + 1, most=self._most):
                    case "accept":
                        kept.append(at)
                    case "again":
                        still.append(at)
            open_ones = tuple(still)
        scores = {group: mean(after for _, after in pairs) for group, pairs in runs.items() if pairs}
        return Mended(tuple(sorted(kept)), scores, said)


class RegressionGate(Generic[N]):
    """Drops the changes that break rows that pass.

    Args:
        training: runs the rows.
        most: how often a row is run at most before it counts as broken.
    """

    def __init__(self, training: Training[N], *, most: int) -> None:
        self._training, self._most = training, most

    async def __call__(
        self, base: N, changes: Sequence[Update], kept: Sequence[int], rows: Sequence[Row], first_rollout: int = 0
    ) -> tuple[int, ...]:
        """Return the changes that can stay: with them, all rows that passed still pass.

        What a noisy student passed by chance alone no change can break, so rows that the base fails as well do not
        count.
        """
        kept = tuple(kept)
        while kept and rows:
            broken = await self.broken(applied(base, changes, kept)[0], rows, first_rollout)
            if broken and self._most > 1:
                by_chance = await self.broken(base, broken, first_rollout + self._most + 1)  # not the runs that passed
                rows, broken = ([row for row in some if row not in by_chance] for some in (rows, broken))
            if not broken:
                break

            async def breaks(which: Sequence[int], broken: Sequence[Row] = broken) -> bool:
                return bool(await self.broken(applied(base, changes, which)[0], broken, first_rollout))

            harmful = await culprits(kept, breaks)
            kept = tuple(at for at in kept if at not in harmful)
        return kept

    async def broken(self, candidate: N, rows: Sequence[Row], first_rollout: int = 0) -> list[Row]:
        """Return the rows that fail with a candidate; with a noisy student a row counts when most of its runs fail."""
        failed: dict[str, list[bool]] = {row.id: [] for row in rows}
        open_rows = list(rows)
        broken: list[Row] = []
        for repeat in range(self._most):
            scores = await self._training.run_once(candidate, open_rows, first_rollout + repeat)
            for row in open_rows:
                failed[row.id].append(scores[row.id] < PERFECT)
            again = []
            for row in open_rows:
                match lost(sum(failed[row.id]), len(failed[row.id]), most=self._most):
                    case "lost":
                        broken.append(row)
                    case "again":
                        again.append(row)
            open_rows = again
            if not open_rows:
                break
        return [row for row in rows if row in broken]


def _with(changes: Sequence[Update], union: Sequence[int], at: int) -> tuple[int, ...]:
    """Return a union with one change in the place of those that change the same thing."""
    return tuple(sorted((*(other for other in union if not places(changes[other]) & places(changes[at])), at)))


def _mixed(changes: Sequence[Update], new: Sequence[int], case: Case) -> list[tuple[int, ...]]:
    """Return the new changes of a failure with those of one node replaced by the earlier ones."""
    earlier = [at for at, change in enumerate(changes) if change.earlier and case.id in change.groups]
    nodes = dict.fromkeys(node_of(changes[at]) for at in (*new, *earlier))
    return [
        tuple(sorted((*(at for at in new if node_of(changes[at]) != node), *old)))
        for node in nodes
        if len(nodes) > 1 and (old := [at for at in earlier if node_of(changes[at]) == node])
    ]


def spread(rows: Iterable[Row], strata: Mapping[str, str], most: int) -> tuple[Row, ...]:
    """Return at most so many rows: one of each stratum before a second of any."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(strata.get(row.id, ""), []).append(row)
    ranked = [(rank, row) for own in parts.values() for rank, row in enumerate(own)]
    return tuple(row for _, row in sorted(ranked, key=lambda pair: pair[0])[:most])


def _joined(found: Sequence[Mended]) -> Mended:
    """Join trials; of a failure that was tried in several the best score counts."""
    scores: dict[str, float] = {}
    for trial in found:
        for group, score in trial.scores.items():
            scores[group] = max(score, scores.get(group, 0.0))
    said = {row: text for trial in found for row, text in trial.said.items()}
    return Mended(tuple(sorted({at for trial in found for at in trial.kept})), scores, said, joined=True)


def _better(pairs: Sequence[tuple[float, float]]) -> int:
    return sum(after > before + TIE for before, after in pairs)


def _worse(pairs: Sequence[tuple[float, float]]) -> int:
    return sum(after < before - TIE for before, after in pairs)
