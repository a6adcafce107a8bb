"""The agent that learning starts from: one node thinks about the question, one says the answer.

The paper's hand-built pipeline for HotPotQA has these two nodes, without tools; the prompts are our own.
"""

from agentsym import Agent, PromptNode

think = PromptNode(
    "think",
    "Work out the answer to the question from what you know, step by step.",
    inputs=["question"],
    output={"notes": str},
)
answer = PromptNode(
    "answer",
    "Say what the notes have found as the answer to the question.",
    inputs=["question", "notes"],
    output={"answer": str},
)
agent = Agent("hotpotqa", nodes=[think, answer], edges=[("think", "answer")], outputs=["answer"])
