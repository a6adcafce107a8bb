"""TextGrad: textual gradients through the chain, batches of three, taken back where validation falls.

This is the loop of TextGrad's own script for prompts: its parts, sequential backward passes and its cache on disk.
"""

from __future__ import annotations

from collections.abc import Sequence

import textgrad as tg
from textgrad.autograd.string_based_ops import StringBasedFunction
from textgrad.engine.openai import ChatOpenAI

from evals.peers.assignment import CONCURRENCY, STEPS, TARGET, Assignment
from evals.peers.batches import batches
from evals.peers.rollouts import Prompts, score
from evals.peers.runners.openai_chat import at_once
from evals.peers.runners.program import Learned, main
from evals.peers.task import Task, Ticket

_BATCH = 3


class _Agent:
    """The chain of nodes, each with a system prompt that learns."""

    def __init__(self, task: Task) -> None:
        self._engine = ChatOpenAI("student")
        self.prompts = {
            node: tg.Variable(prompt, requires_grad=True, role_description=f"[[role:{node}]] system prompt of {node}")
            for node, prompt in task.prompts.items()
        }
        self._nodes = {node: tg.BlackboxLLM(self._engine, prompt) for node, prompt in self.prompts.items()}

    def __call__(self, ticket: Ticket) -> tg.Variable:
        said = tg.Variable(ticket.text, requires_grad=False, role_description="ticket")
        for node in self._nodes.values():
            said = node(said)
        return said

    def values(self) -> Prompts:
        return {node: prompt.value for node, prompt in self.prompts.items()}

    def answers(self, tickets: Sequence[Ticket], workers: int) -> list[str]:
        return at_once(lambda ticket: str(self(ticket).value), tickets, workers)


def learn(assignment: Assignment) -> Learned:
    """Optimize."""
    task, agent = assignment.task, _Agent(assignment.task)
    tg.set_backward_engine(ChatOpenAI("backward"), override=True)
    optimizer = tg.TextualGradientDescent(parameters=list(agent.prompts.values()), engine=ChatOpenAI("optimizer"))
    loss = StringBasedFunction(
        lambda answer, label: task.judge(answer.value, label.value)[1], "compares the agent's answer with the label"
    )

    def validated() -> float:
        tickets = task.tickets("val")
        return score(task, agent.answers(tickets, CONCURRENCY), tickets)

    val, drawn = validated(), batches(task.tickets("train"), _BATCH, assignment.seed)
    for step in range(STEPS):
        if val >= TARGET:
            return Learned(val, f"target after {step} steps", agent.values())
        optimizer.zero_grad()
        losses = []
        for ticket in next(drawn):
            label = tg.Variable(ticket.label, requires_grad=False, role_description="the label that is right")
            losses.append(loss({"answer": agent(ticket), "label": label}))
        before = agent.values()
        tg.sum(losses).backward()
        optimizer.step()
        after = validated()
        if after < val:
            for node, prompt in agent.prompts.items():
                prompt.set_value(before[node])
        else:
            val = after
    return Learned(val, f"{STEPS} steps", agent.values())


def answer(assignment: Assignment, tickets: Sequence[Ticket], workers: int) -> list[str]:
    """Run the agent as a user does, cache and all."""
    return _Agent(assignment.task).answers(tickets, workers)


if __name__ == "__main__":
    main(learn, answer)
