"""An agent whose tool writes into the world: it appends a line to a file for every mail that it sends.

Where the file is says the environment, as it would for an address of a mail server.
"""

from __future__ import annotations

import os
from pathlib import Path

from agentsym import Agent, Choice, PromptNode, ToolNode, as_tool
from evals.deployed.world import INTENTS


def send(intent: str) -> str:
    """Send the mail to whoever answers for an intent."""
    with Path(os.environ["MAILER_OUT"]).open("a") as out:
        out.write(f"{intent}\n")
    return f"sent to {intent}"


sort = PromptNode("sort", "Decide what the customer wants.", inputs=["message"], output={"intent": Choice(INTENTS)})
mail = ToolNode("mail", as_tool(send, effect="write"), output="receipt")
agent = Agent("mailer", nodes=[sort, mail], edges=[("sort", "mail")])
