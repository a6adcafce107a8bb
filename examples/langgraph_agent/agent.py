"""The help centre as an agent that learns: one node, whose weights are the prompts of `prompts.yaml`."""

from graph import PROMPTS, graph

from agentsym import Agent, FunctionNode, Text

ROLES = {
    "router": "tells a model how to choose the shelf; the model sees this text and the question",
    "writer": "tells a model how to answer; the model sees this text, the article with its number, and the question",
}
help_centre = FunctionNode(
    "help_centre",
    graph,
    inputs=["question"],
    output={"shelf": str, "article": str, "answer": str},
    parameters={name: Text(text, role=ROLES[name]) for name, text in PROMPTS.items()},
    description="A router chooses a shelf, a program takes the best article from it, a writer answers from the article",
    timeout_s=120,
)
agent = Agent("help_centre", nodes=[help_centre])
