"""The agent that learning starts from: one node writes the function, one looks it over and corrects it.

The paper's hand-built pipeline for HumanEval has these two nodes, without tools; the prompts are our own.
"""

from agentsym import Agent, PromptNode

write = PromptNode(
    "write",
    "Complete the Python function, so that it does what its docstring says.",
    inputs=["problem"],
    output={"draft": str},
)
check = PromptNode(
    "check",
    "Look the draft over and write the whole function as it should be: the draft as it is where it is right.",
    inputs=["problem", "draft"],
    output={"code": str},
)
agent = Agent("humaneval", nodes=[write, check], edges=[("write", "check")], outputs=["code"])
