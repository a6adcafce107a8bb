"""The task's agent as plain requests, with the standard library only.

What a library returns is run once more this way, so that no cache and no scoring of its own can flatter it.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from evals.peers.task import Task, Ticket

Prompts = Mapping[str, str]
"""Node → its system prompt."""


def answers(url: str, prompts: Prompts, tickets: Sequence[Ticket], workers: int) -> list[str]:
    """Run tickets through a chain of nodes, so many at once, and return the last nodes' answers.

    Raises:
        OSError: the server cannot be asked, or has no answer.
    """

    def run(ticket: Ticket) -> str:
        said = ticket.text
        for prompt in prompts.values():
            said = _asked(url, prompt, said)
        return said

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, tickets))


def score(task: Task, said: Sequence[str], tickets: Sequence[Ticket]) -> float:
    """Return the mean score of answers."""
    return sum(task.judge(answer, ticket.label)[0] for answer, ticket in zip(said, tickets, strict=True)) / len(tickets)


def _asked(url: str, system: str, user: str) -> str:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    body = json.dumps({"model": "student", "messages": messages}).encode()
    request = urllib.request.Request(f"{url}/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        said: str = json.load(response)["choices"][0]["message"]["content"]
        return said
