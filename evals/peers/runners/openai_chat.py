"""The models of the server through OpenAI's own client, for libraries that leave the calls to their user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from openai import OpenAI

from evals.peers.rollouts import Prompts
from evals.peers.runners.program import KEY
from evals.peers.task import Ticket

A, B = TypeVar("A"), TypeVar("B")


def client(url: str) -> OpenAI:
    """Return a client of the server that tries nothing twice: the server counts what it cannot answer."""
    return OpenAI(base_url=url, api_key=KEY, max_retries=0)


def ask(client: OpenAI, model: str, text: str, system: str | None = None) -> str:
    """Ask one of the server's models."""
    messages = [{"role": "system", "content": system}] if system is not None else []
    made = client.chat.completions.create(model=model, messages=[*messages, {"role": "user", "content": text}])
    return made.choices[0].message.content or ""


def run_chain(client: OpenAI, prompts: Prompts, ticket: Ticket) -> list[str]:
    """Run a ticket through the chain of nodes, and return what it said before each node and at the end."""
    said = [ticket.text]
    for prompt in prompts.values():
        said.append(ask(client, "student", said[-1], prompt))
    return said


def answers(client: OpenAI, prompts: Prompts, tickets: Sequence[Ticket], workers: int) -> list[str]:
    """Run tickets through the chain, so many at once, and return the last nodes' answers."""
    return at_once(lambda ticket: run_chain(client, prompts, ticket)[-1], tickets, workers)


def at_once(function: Callable[[A], B], items: Sequence[A], workers: int) -> list[B]:
    """Apply a function to items in threads."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, items))
