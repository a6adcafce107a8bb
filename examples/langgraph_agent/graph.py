"""A help centre for the Verdik, a countertop garden: a langgraph agent as its author would write it.

It routes a question to a shelf, looks up an article there, and answers from it. Its prompts stand in `prompts.yaml`; a
run may bring others in `config["configurable"]`, and that is all it takes to have them optimized.

    python graph.py "How often do I feed the plants?"
"""

import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypedDict

import yaml
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel

HERE = Path(__file__).parent
PROMPTS = yaml.safe_load((HERE / "prompts.yaml").read_text("utf-8"))
ARTICLES = yaml.safe_load((HERE / "articles.yaml").read_text("utf-8"))


class State(TypedDict, total=False):
    """What the nodes hand on: the question, where the answer is looked for, and the answer."""

    question: str
    shelf: str
    article: str
    answer: str


class Route(BaseModel):
    """The router's decision."""

    shelf: Literal["setup", "growing", "cleaning", "faults", "orders"]


@lru_cache(maxsize=1)
def model() -> ChatOpenAI:
    """Return the model; address and key come from OPENAI_BASE_URL and OPENAI_API_KEY."""
    return ChatOpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini"), temperature=0)


def prompt(config: RunnableConfig, name: str) -> SystemMessage:
    """Return a prompt: the run's own, or the one of prompts.yaml."""
    return SystemMessage(config.get("configurable", {}).get(name, PROMPTS[name]))


def router(state: State, config: RunnableConfig) -> State:
    """Choose the shelf."""
    messages = [prompt(config, "router"), HumanMessage(state["question"])]
    route = model().with_structured_output(Route).invoke(messages)
    return {"shelf": route.shelf}


def retriever(state: State) -> State:
    """Take the article of the shelf that shares most words with the question."""
    asked = words(state["question"])
    shelf = ARTICLES[state["shelf"]]
    return {"article": max(shelf, key=lambda number: len(asked & words(shelf[number])))}


def writer(state: State, config: RunnableConfig) -> State:
    """Answer from the article."""
    number = state["article"]
    text = f"Article {number}: {ARTICLES[state['shelf']][number]}\nQuestion: {state['question']}"
    reply = model().invoke([prompt(config, "writer"), HumanMessage(text)])
    return {"answer": reply.text}


def words(text: str) -> set[str]:
    """Return the words of a text, by their first five letters."""
    return {word[:5] for word in re.findall(r"[a-z]{4,}", text.lower())}


builder = StateGraph(State)
builder.add_node("router", router)
builder.add_node("retriever", retriever)
builder.add_node("writer", writer)
builder.add_edge(START, "router")
builder.add_edge("router", "retriever")
builder.add_edge("retriever", "writer")
builder.add_edge("writer", END)
graph = builder.compile()


if __name__ == "__main__":
    for question in sys.argv[1:]:
        print(graph.invoke({"question": question})["answer"])
