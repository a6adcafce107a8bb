"""Brings the gradients of a batch together, node by node, so that one update weighs all of them.

What is merged depends on what was said only, never on who finished first: the same batch gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from agentsym.learning.protocols import Evidence
from agentsym.network.canonical import Frozen, canonical_json
from agentsym.network.records import Gradient, Score, Suggestion
from agentsym.network.shown import cut


class MergedItem(Frozen):
    """What was said of a node, once or more often.

    Attributes:
        examples: ids of all rows of which exactly this was said; the first is the one with the lowest score.
        step: index of the step in the first row's run.
        score: the first row's score.
        analysis: what the step did wrong.
        suggestions: advice by parameter.
        multiplicity: how many gradients said this.
    """

    examples: tuple[str, ...]
    step: int
    score: Score
    analysis: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    multiplicity: int = 1


class MergedGradient(Frozen):
    """All that a batch says of one node.

    Attributes:
        node: the node's id.
        items: the distinct gradients, worst score first.
        total: visits that were judged; `satisfied` and `invalid` count those that are not in `items`.
        mean_score: mean score of the rows that came through the node.
        truncated: items were left out, or texts shortened, to fit a request.
    """

    node: str
    items: tuple[MergedItem, ...] = ()
    total: int = 0
    satisfied: int = 0
    invalid: int = 0
    mean_score: Score = 0.0
    truncated: bool = False


def merge(evidence: Iterable[Evidence]) -> dict[str, MergedGradient]:
    """Group a batch's gradients by node id, a gradient for each visit.

    Satisfied and invalid gradients are counted and left out; the others are sorted by (score, example id, step); exact
    duplicates of the advice, up to case and blanks, become one item with its multiplicity.
    """
    visits: dict[str, list[tuple[Evidence, Gradient]]] = {}
    for item in evidence:
        for gradient in item.gradients:
            visits.setdefault(gradient.node, []).append((item, gradient))
    return {node: _merge_node(node, sorted(visits[node], key=_place)) for node in sorted(visits)}


def bounded(merged: MergedGradient, *, least: int = 8, max_chars: int = 12_000) -> MergedGradient:
    """Fit a merged gradient into one request: at most max(`least`, failing examples) items of `max_chars` in all.

    Every failing example keeps an item before any gets a second. Texts are shortened before items go: items beyond
    that first round are dropped only if their texts would otherwise be cut below 240 characters.

    Args:
        merged: the merged gradient.
        least: how many items are always allowed, if there is room.
        max_chars: characters of all analyses and advice together.
    """
    first, more = _rounds(merged.items)
    kept = first + more[: max(0, max(least, len(first)) - len(first))]
    while len(kept) > max(1, len(first)) and _cut_below(240, _texts(kept), max_chars):
        kept.pop()
    texts = fit(_texts(kept), max_chars)
    shortened = iter(texts)
    items = tuple(
        item.model_copy(
            update={
                "analysis": next(shortened),
                "suggestions": tuple(s.model_copy(update={"advice": next(shortened)}) for s in item.suggestions),
            }
        )
        for item in kept
    )
    items = tuple(sorted(items, key=lambda item: (item.score, item.examples, item.step)))
    return merged.model_copy(
        update={"items": items, "truncated": len(kept) < len(merged.items) or texts != _texts(kept)}
    )


def fit(texts: Sequence[str], max_chars: int) -> list[str]:
    """Shorten the longest texts to one common length, so that all together have at most `max_chars` characters."""
    limit = _common_limit(texts, max_chars)
    return [shorten(text, limit) for text in texts]


def shorten(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters: its head and tail, and a mark that says how much is left out."""
    if len(text) <= limit:
        return text
    mark = f" […{len(text) - limit} characters left out…] "
    room = limit - len(mark)
    if room < 2:
        return cut(text, limit) if limit > 0 else ""
    tail = room // 3
    return text[: room - tail] + mark + text[len(text) - tail :]


def _merge_node(node: str, visits: Sequence[tuple[Evidence, Gradient]]) -> MergedGradient:
    judged = [gradient for _, gradient in visits if gradient.status != "skipped" or gradient.satisfied]
    items: dict[str, MergedItem] = {}
    for item, gradient in visits:
        if gradient.status != "ok" or gradient.satisfied:
            continue
        key, row = _said(gradient), item.row.id
        if (known := items.get(key)) is None:
            items[key] = MergedItem(
                examples=(row,),
                step=gradient.step,
                score=item.loss.score,
                analysis=gradient.analysis,
                suggestions=gradient.suggestions,
            )
        else:
            examples = known.examples if row in known.examples else (*known.examples, row)
            items[key] = known.model_copy(update={"examples": examples, "multiplicity": known.multiplicity + 1})
    scores = {(item.row.id, item.trajectory.id): item.loss.score for item, _ in visits}
    return MergedGradient(
        node=node,
        items=tuple(items.values()),
        total=len(judged),
        satisfied=sum(gradient.satisfied for gradient in judged),
        invalid=sum(gradient.status == "invalid" for gradient in judged),
        mean_score=math.fsum(scores.values()) / len(scores),
    )


def _place(visit: tuple[Evidence, Gradient]) -> tuple[float, str, int, str]:
    """Sort by score, row and step; a row that was drawn twice is told apart by what was said."""
    item, gradient = visit
    return item.loss.score, item.row.id, gradient.step, canonical_json(gradient.model_dump(mode="json"))


def _said(gradient: Gradient) -> str:
    """Return what makes two gradients duplicates: the same advice; without any, the same analysis."""
    advice = sorted([item.parameter, " ".join(item.advice.lower().split())] for item in gradient.suggestions)
    return canonical_json(advice or " ".join(gradient.analysis.lower().split()))


def _rounds(items: Sequence[MergedItem]) -> tuple[list[MergedItem], list[MergedItem]]:
    """Split items into those that bring in a failing example for the first time, and all others, each in order."""
    first: list[MergedItem] = []
    more: list[MergedItem] = []
    covered: set[str] = set()
    for item in items:
        new = item.score < 1.0 and not covered.issuperset(item.examples)
        (first if new else more).append(item)
        covered.update(item.examples)
    return first, more


def _texts(items: Sequence[MergedItem]) -> list[str]:
    return [text for item in items for text in (item.analysis, *(s.advice for s in item.suggestions))]


def _cut_below(length: int, texts: Sequence[str], max_chars: int) -> bool:
    """Whether fitting the texts would leave one of them with fewer than `length` characters of more."""
    limit = _common_limit(texts, max_chars)
    return limit < length and any(len(text) > limit for text in texts)


def _common_limit(texts: Sequence[str], max_chars: int) -> int:
    """Return the greatest length L with Σ min(length, L) ≤ max_chars (the longest text, if all fit)."""
    left, room = sorted(map(len, texts)), max_chars
    for position, length in enumerate(left):
        share = room // (len(left) - position)
        if length > share:
            return share
        room -= length
    return left[-1] if left else max_chars
