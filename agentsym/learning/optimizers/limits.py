"""The learning rate as a limit that is enforced: how much of a parameter one step may change.

The same limits are told to the teacher as sentences and checked by code afterwards, so that a word in a prompt is
never the only thing that keeps a step small.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from math import ceil, floor

from agentsym.network.edits import STRUCTURAL, Edit
from agentsym.network.network import Network
from agentsym.network.parameters import Choices, Examples, Parameter, Rules, Text


def changes_allowed(parameter: Rules | Choices | Examples, lr: float) -> int:
    """Return how many items one step may replace or drop; items may be added up to the parameter's own maximum."""
    return max(1, ceil(lr * len(_filled(parameter))))


def parameters_allowed(suggested: int, lr: float) -> int:
    """Return how many parameters one step may touch, of those that have suggestions."""
    return ceil(lr * suggested)


def moves_allowed(lr: float) -> int:
    """Return how many structural operations one step may do."""
    return floor(4 * lr + 1e-9)


def moves(edits: Iterable[Edit]) -> int:
    """Count the structural operations among edits."""
    return sum(edit.op in STRUCTURAL for edit in edits)


def sentences(parameter: Parameter, lr: float) -> tuple[str, ...]:
    """Say the limits of one parameter in words, for whoever writes its edits."""
    match parameter:
        case Text():
            share = "" if not parameter.value else f"Change at most {lr:.0%} of the text. "
            return (f"{share}The new text has at most {parameter.max_chars} characters.",)
        case Choices():
            rewritten = (
                f"Rewrite at most {changes_allowed(parameter, lr)} of the definitions that are there; filling an "
            )
            return (
                *((f"{rewritten}empty one is free.",) if _filled(parameter) else ()),
                f"A definition is one line of at most {parameter.max_chars} characters. Labels never change.",
            )
        case Rules():
            return (
                *_lost(parameter, lr, "rule"),
                f"A rule is one sentence of at most {parameter.max_chars} characters; at most "
                f"{parameter.max_per_label} rules may serve one label (or all).",
            )
        case Examples():
            return (
                *_lost(parameter, lr, "example"),
                f"At most {parameter.max_per_label} examples may stand for one label (in all, if there are no labels).",
            )
        case _:
            return ()


def losses(parameter: Parameter, lr: float) -> tuple[str, ...]:
    """Say how many items of a list may go, where there are any."""
    match parameter:
        case Rules():
            return _lost(parameter, lr, "rule")
        case Examples():
            return _lost(parameter, lr, "example")
        case _:
            return ()


def _lost(parameter: Rules | Examples, lr: float, noun: str) -> tuple[str, ...]:
    most = changes_allowed(parameter, lr)
    return (f"Replace or drop at most {most} {noun}{'s' * (most > 1)}.",) if parameter.value else ()


def violations(before: Network, after: Network, path: str, lr: float) -> Iterator[str]:
    """Yield every limit that the step from `before` to `after` breaks for one parameter."""
    old, new = before.parameter(path), after.parameter(path)
    if isinstance(old, Text) and isinstance(new, Text) and old.value:
        changed = 1.0 - SequenceMatcher(None, old.value, new.value, autojunk=False).ratio()
        if changed > lr:
            yield f"{path}: {changed:.0%} of the text changes, the learning rate allows {lr:.0%}"
    elif isinstance(old, Rules | Choices | Examples) and isinstance(new, Rules | Choices | Examples):
        kept = _filled(new)
        lost = sum(kept.get(item_id) != content for item_id, content in _filled(old).items())
        if lost > changes_allowed(old, lr):
            yield f"{path}: {lost} items are replaced or dropped, the learning rate allows {changes_allowed(old, lr)}"


def _filled(parameter: Rules | Choices | Examples) -> Mapping[str, object]:
    """Return id → content; a definition that is still empty is not there yet, so filling it is an addition."""
    if isinstance(parameter, Choices):
        return {item.id: item.definition for item in parameter.value if item.definition}
    return {item.id: item for item in parameter.value}
