"""The question about the pipeline: which nodes there should be, and how they should be connected.

It shows what every node is for and what critics said of it, but no prompt text, so that it is answered by moves and not
by wording (paper, section 3.4).
"""

from __future__ import annotations

from pathlib import Path

from agentsym.learning.merge import merge
from agentsym.learning.tasks import PipelineTask
from agentsym.learning.teacher import tool_views, trace, views
from agentsym.learning.teacher.operations import described
from agentsym.learning.teacher.prompt_files import blocks
from agentsym.learning.teacher.requests import listed, messages, section
from agentsym.learning.teacher.structural import structure_form
from agentsym.network.records import Message


def pipeline_messages(task: PipelineTask, *, prompts: Path | None = None) -> tuple[Message, ...]:
    """Render the question about the pipeline."""
    network, parts = task.network, blocks("pipeline", prompts)
    merged = merge(task.evidence)
    said = [
        f"Of `{node}`: {views.summary(merged[node])}\n{tool_views.findings(merged[node])}".strip()
        for node in merged
        if merged[node].total
    ]
    limits = [f"Learning rate {task.lr:.2g}: {views.phrase(task.lr)}", *task.limits]
    return messages(
        parts,
        {
            "operations": views.bullets(described(structure_form(network))),
            "agent": views.agent(network),
            "pipeline": views.quoted("pipeline", trace.pipeline(network)),
            "tools": section(parts, "tools", tool_views.others(network, ())),
            "findings": "\n\n".join(said),
            "limits": views.bullets(limits),
            "history": section(parts, "history", listed("history", map(str, task.history))),
            "errors": section(parts, "errors", listed("errors", task.errors)),
        },
    )
