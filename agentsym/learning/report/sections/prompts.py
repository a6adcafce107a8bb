"""The prompts that are sent, before and after, as the model reads them."""

from __future__ import annotations

from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import Report
from agentsym.learning.report.wording import count, number
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.prompt import Prompt

LONGEST = 12_000  # letters of a prompt that are shown
ROOM = 200_000  # letters of all prompts


def section(report: Report) -> Html:
    """Return the system message of each prompt node."""
    first, best = _prompts(report.run.first), _prompts(report.run.best)
    names = [*first, *(name for name in best if name not in first)]
    if not names:
        return el("p", "The agent has no prompt.", class_="quiet")
    longest = min(LONGEST, ROOM // (2 * len(names)))
    return join([_node(name, first.get(name), best.get(name), longest) for name in names])


def _prompts(network: Network) -> dict[str, str]:
    return {node.id: Prompt(node).system for node in network.nodes if isinstance(node, PromptNode)}


def _node(name: str, before: str | None, after: str | None, longest: int) -> Html:
    head = el("h3", el("code", name))
    if before == after:
        return join(head, _prompt("before and after", before, longest))
    return join(head, _prompt("before", before, longest), _prompt("after", after, longest))


def _prompt(title: str, text: str | None, longest: int) -> Html:
    if text is None:
        return el("p", f"{title}: the node is not there.", class_="quiet")
    left = len(text) - longest
    note = (
        el("p", f"{count(left, 'letter')} more, left out here; agent.yaml holds them.", class_="quiet")
        if left > 0
        else None
    )
    shown = el("pre", text[:longest], tabindex=0)
    return el("details", el("summary", f"{title}, {number(len(text))} letters"), shown, note)
