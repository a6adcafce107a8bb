"""Trace: OptoPrime sees the graph of a batch's runs and rewrites all prompts in one call; worse ones are taken back.

A traced forward pass cannot run in threads in this version, so batches run one after the other; validation is not
traced and runs in threads. The optimizer's own client is Trace's one for servers of OpenAI's protocol.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

os.environ["TRACE_DEFAULT_LLM_BACKEND"] = "CustomLLM"

from opto.optimizers import OptoPrime
from opto.trace import bundle, node
from opto.utils.llm import CustomLLM

from evals.peers.assignment import CONCURRENCY, STEPS, TARGET, Assignment
from evals.peers.batches import batches
from evals.peers.rollouts import score
from evals.peers.runners.openai_chat import answers, ask, client
from evals.peers.runners.program import KEY, Learned, main
from evals.peers.task import Ticket

_BATCH = 3


@bundle()
def joined(*outputs: str) -> str:
    """Join the outputs of a batch, each with its number."""
    return "\n".join(f"{number}: {output}" for number, output in enumerate(outputs))


def learn(assignment: Assignment) -> Learned:
    """Optimize."""
    task, models = assignment.task, client(assignment.url)
    prompts = {name: node(prompt, name=name, trainable=True) for name, prompt in task.prompts.items()}
    os.environ |= {
        "TRACE_CUSTOMLLM_MODEL": "optimizer",
        "TRACE_CUSTOMLLM_URL": assignment.url,
        "TRACE_CUSTOMLLM_API_KEY": KEY,
    }
    optimizer = OptoPrime(list(prompts.values()), llm=CustomLLM())

    @bundle()
    def answered(system_prompt: str, message: str) -> str:
        """Ask a language model."""
        return ask(models, "student", message, system_prompt)

    def traced(ticket: Ticket) -> object:
        said = node(ticket.text)
        for prompt in prompts.values():
            said = answered(prompt, said)
        return said

    def validated() -> float:
        tickets, values = task.tickets("val"), {name: prompt.data for name, prompt in prompts.items()}
        return score(task, answers(models, values, tickets, CONCURRENCY), tickets)

    val, drawn, stopped = validated(), batches(task.tickets("train"), _BATCH, assignment.seed), f"{STEPS} steps"
    for step in range(STEPS):
        if val >= TARGET:
            stopped = f"target after {step} steps"
            break
        tickets = next(drawn)
        outputs = [traced(ticket) for ticket in tickets]
        judged = [task.judge(output.data, ticket.label)[1] for output, ticket in zip(outputs, tickets, strict=True)]
        before = {name: prompt.data for name, prompt in prompts.items()}
        optimizer.zero_feedback()
        optimizer.backward(joined(*outputs), "\n".join(f"{number}: {said}" for number, said in enumerate(judged)))
        optimizer.step()
        after = validated()
        if after < val:
            optimizer.update({prompt: before[name] for name, prompt in prompts.items()})
        else:
            val = after
    return Learned(val, stopped, {name: prompt.data for name, prompt in prompts.items()})


def answer(assignment: Assignment, tickets: Sequence[Ticket], workers: int) -> list[str]:
    """Run the agent untraced, as validation does."""
    return answers(client(assignment.url), assignment.task.prompts, tickets, workers)


if __name__ == "__main__":
    main(learn, answer)
