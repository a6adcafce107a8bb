"""Write the prompts that a run has found into `prompts.yaml`: the graph runs on with them, and without agentsym.

python write_prompts.py runs/ID
"""

import sys
from pathlib import Path

from agentsym import Agent
from agentsym.network.yaml_text import write_yaml

FILE = Path(__file__).with_name("prompts.yaml")


def write_prompts(run: str | Path, file: Path = FILE) -> None:
    """Replace the prompts in `file` by those of the agent in the folder `run`."""
    node = Agent.load(run).node("help_centre")
    file.write_text(write_yaml({name: text.content for name, text in node.parameters.items()}), "utf-8")


if __name__ == "__main__":
    write_prompts(sys.argv[1])
