"""The requests of the combined algorithm: blame for a whole run, edits of one node, a move of the pipeline.

They are short, since they are what a step costs beside running the agent: what is not there is not spoken of, and only
operations that the form offers are explained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentsym.errors import UsageError
from agentsym.learning.merge import shorten
from agentsym.learning.protocols import FailedRun, Redesign, Repair
from agentsym.learning.teacher import views
from agentsym.learning.teacher.operations import described, move_form, node_edits_form
from agentsym.learning.teacher.prompt_files import blocks, has
from agentsym.learning.teacher.readers import PromptReader
from agentsym.learning.teacher.replies import Form
from agentsym.learning.teacher.requests import listed, messages, section
from agentsym.network.network import Network
from agentsym.network.nodes import AnyNode, PromptNode
from agentsym.network.parameters import Code, Examples, Parameter, Rules
from agentsym.network.records import LossReport, Message, Step, Trajectory
from agentsym.network.template import render

COMPONENT_CHARS = 2_000
RUN_CHARS = 6_000
BLAMED_AT_ONCE = 4  # failing runs that one call judges
RUNS = 8  # failing runs that one request shows


def blame_messages(
    network: Network,
    trajectory: Trajectory,
    loss: LossReport,
    tried: Sequence[str] = (),
    *,
    prompts: Path | None = None,
) -> tuple[Message, ...]:
    """Render the request for the blame of one run: agent, components, run, judgement, and what was tried in vain."""
    parts = blocks("blame", prompts)
    return messages(parts, {**_ran(network, [trajectory], parts), **_failed(trajectory, loss, tried, parts)})


def blame_runs_messages(
    network: Network, runs: Sequence[FailedRun], *, prompts: Path | None = None
) -> tuple[Message, ...]:
    """Render the request for the blame of several runs, as `blame_messages` does of one."""
    parts = blocks("blame_runs", prompts)
    shown = [
        render(parts["run"], {"number": str(at), **_failed(item.trajectory, item.loss, tried, parts)})
        for at, (item, tried) in enumerate(runs, 1)
    ]
    trajectories = [run.item.trajectory for run in runs]
    return messages(parts, {**_ran(network, trajectories, parts), "runs": "\n\n".join(shown)})


def portions(runs: Sequence[FailedRun], most: int, *, prompts: Path | None = None) -> list[Sequence[FailedRun]]:
    """Part runs into those that one request asks about: at most so many, and together no longer than one may be.

    Where the prompts have no request for several, each run is by itself.
    """
    if not has("blame_runs", prompts):
        return [[run] for run in runs]
    parts: list[list[FailedRun]] = []
    room = 0
    for run in runs:
        length = len(_run(run.item.trajectory)) + len(_judgement(run.item.loss))
        if not parts or len(parts[-1]) >= most or length > room:
            parts.append([])
            room = RUN_CHARS
        parts[-1].append(run)
        room -= length
    return list(parts)


def mend_form(repair: Repair, *, student: str, prompts: Path | None = None) -> Form | None:
    """Return the form of a node's edits: what its components and its reader allow; None where that is nothing."""
    try:
        return node_edits_form(repair.network, repair.node, _heeded(repair, student, prompts))
    except UsageError:
        return None


def mend_messages(repair: Repair, form: Form, *, student: str = "", prompts: Path | None = None) -> tuple[Message, ...]:
    """Render the request for the edits of one node, in the form that `mend_form` gave."""
    network, parts = repair.network, blocks("mend", prompts)
    reader = PromptReader(network, repair.node, student, prompts)
    editable = _heeded(repair, student, prompts)
    found, _ = views.node_at(network, repair.node)
    kinds = dict.fromkeys(network.parameter(path).kind for path in editable)
    how = [reader.section(kind, parts[f"how: {kind}"]) for kind in kinds if f"how: {kind}" in parts]
    if "rules" in kinds and any(field.type == "choice" for field in found.output):
        how.append(parts["how: labels"])
    failures = [
        render(
            parts["failure"],
            {
                "record": views.quoted("failure", _visits(network, repair.node, item.trajectory, item.loss)),
                "score": f"{item.loss.score:.2g}",
                "critique": views.quoted("critique", _critique(critique, item.loss)),
            },
        )
        for item, critique in list(zip(repair.evidence, repair.critiques, strict=True))[:RUNS]
    ]
    paths = [*editable, *(path for path in _paths(network, repair.node) if path not in editable)]
    values = {
        "who": render(parts["who"], {"who": _capital(reader.who)}) + "\n" if isinstance(found, PromptNode) else "",
        "how": "".join("\n" + text for text in how),
        "operations": views.bullets(described(form)),
        "node": views.node(network, repair.node),
        "components": _components(network, paths, editable),
        "tools": section(parts, "tools", views.tools(network, repair.node)),
        "failures": "\n\n".join(failures),
        "before": section(parts, "before", listed("critiques", repair.before)),
        "tried": section(parts, "tried", listed("tried", repair.tried)),
        "helped": section(parts, "helped", listed("helped elsewhere", repair.helped)),
        "failed": section(parts, "failed", listed("failed elsewhere", repair.failed)),
        "right": section(parts, "right", listed("right", repair.right)),
        "limits": section(parts, "limits", views.bullets(repair.limits)),
        "errors": section(parts, "errors", listed("errors", repair.errors)),
    }
    return messages(parts, values)


def redesign_messages(redesign: Redesign, *, prompts: Path | None = None) -> tuple[Message, ...]:
    """Render the request for a move of the pipeline."""
    network, parts = redesign.network, blocks("redesign", prompts)
    failures = [
        render(
            parts["failure"],
            {
                "run": views.quoted("run", _run(item.trajectory)),
                "score": f"{item.loss.score:.2g}",
                "judgement": views.quoted("judgement", _judgement(item.loss)),
            },
        )
        for item in redesign.evidence[:RUNS]
    ]
    values = {
        "operations": views.bullets(described(move_form(network))),
        "agent": views.agent(network).split("\n")[0],
        "pipeline": views.quoted("pipeline", pipeline(network)),
        "failures": "\n\n".join(failures),
        "critiques": section(parts, "critiques", listed("critiques", redesign.critiques)),
        "edits": section(parts, "edits", listed("edits", redesign.edits)),
        "tried": section(parts, "tried", listed("tried", redesign.tried)),
        "draw": section(parts, "draw", str(redesign.draw + 1)) if redesign.draw else "",
        "errors": section(parts, "errors", listed("errors", redesign.errors)),
    }
    return messages(parts, values)


def pipeline(network: Network) -> str:
    """Write the pipeline as JSON: nodes with what they do, read and write, edges with their conditions, and tools."""
    nodes = [
        {
            "id": node.id,
            "kind": node.kind,
            "does": shorten(node.description or _instructions(node), 200),
            "reads": list(node.inputs),
            "writes": [
                field.name if field.type == "string" else f"{field.name} ({field.type})" for field in node.output
            ],
        }
        for node in network.nodes
    ]
    edges = [edge.model_dump(mode="json", exclude_defaults=True) for edge in network.edges]
    parts: dict[str, list[Any]] = {"nodes": nodes, "edges": edges, "tools": [tool.name for tool in network.tools]}
    lists = [
        f'"{name}": [\n' + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in items) + "\n]"
        for name, items in parts.items()
        if items
    ]
    return "{" + ",\n".join(lists) + "}"


def _ran(network: Network, runs: Sequence[Trajectory], parts: Mapping[str, str]) -> dict[str, str]:
    """Return what a request for blame shows of the agent: its nodes, and the components and tools of those that ran."""
    nodes = dict.fromkeys(step.node for run in runs for step in run.steps)
    tools = "\n\n".join(text for node in nodes if (text := views.tools(network, node)))
    return {
        "data": parts["data"],
        "agent": views.agent(network),
        "components": _components(network, [path for node in nodes for path in _paths(network, node)], ()),
        "tools": section(parts, "tools", tools),
    }


def _failed(trajectory: Trajectory, loss: LossReport, tried: Sequence[str], parts: Mapping[str, str]) -> dict[str, str]:
    """Return what such a request shows of a failing run: the run, its judgement, and what was tried in vain."""
    return {
        "run": views.quoted("run", _run(trajectory)),
        "score": f"{loss.score:.2g}",
        "judgement": views.quoted("judgement", _judgement(loss)),
        "tried": section(parts, "tried", listed("tried", tried)),
    }


def _instructions(node: AnyNode) -> str:
    text = node.parameters.get("instructions") if isinstance(node, PromptNode) else None
    return str(text.content) if text is not None else ""


def _heeded(repair: Repair, student: str, prompts: Path | None) -> list[str]:
    """Return the components that whoever reads the node goes by."""
    reader = PromptReader(repair.network, repair.node, student, prompts)
    return list(reader.heeds({path: repair.network.parameter(path) for path in repair.paths}))


def _paths(network: Network, node: str) -> list[str]:
    return [path for path in network.parameters() if path.startswith(f"{node}/")]


def _components(network: Network, paths: Sequence[str], editable: Sequence[str]) -> str:
    """Quote components; empty ones that cannot be changed are left out."""
    shown = []
    for path in paths:
        parameter = network.parameter(path)
        if path not in editable and not parameter.content:
            continue
        head = f"`{path}`{_bounds(parameter)}\n" if path in editable else ""
        most = COMPONENT_CHARS if not isinstance(parameter, Code) or path not in editable else parameter.max_chars
        shown.append(head + views.quoted(path, shorten(views.value(parameter), most)))
        if isinstance(parameter, Code) and path in editable and parameter.tests:
            shown.append(f"The tests of `{path}`:\n" + views.quoted(f"{path} tests", parameter.tests.strip()))
    return "\n".join(shown) or "(none)"


def _bounds(parameter: Parameter) -> str:
    """Say the limits of a component that an edit might break."""
    match parameter:
        case Rules():
            return f": at most {parameter.max_chars} characters a rule."
        case Examples():
            return ""
        case _:
            return ":" + views.bounds(parameter).replace(" At", " at").replace(" From", " from").replace(" One", " one")


def _critique(critique: str, loss: LossReport) -> str:
    """Return what was said of the node, and the judgement of the run."""
    judged = _judgement(loss)
    return shorten(critique, 1_000) + (f"\n{judged}" if judged not in critique else "") if critique else judged


def _run(trajectory: Trajectory) -> str:
    """Write down a run; what a step was given is told only where no earlier line has told it."""
    known = dict(trajectory.inputs)
    lines = [f"input {name}: {_short(value)}" for name, value in trajectory.inputs.items()]
    for step in trajectory.steps:
        lines.append(f"step {step.index}, node {step.node}" + (f", visit {step.visit + 1}" if step.visit else ""))
        lines += [f"  input {name}: {_short(value)}" for name, value in step.inputs.items() if known.get(name) != value]
        lines += [f"  {line}" for line in _done(step)]
        known |= step.output
    lines += [f"the run failed: {trajectory.error}"] if trajectory.error else []
    return shorten("\n".join(lines), RUN_CHARS)


def _visits(network: Network, node: str, trajectory: Trajectory, loss: LossReport) -> str:
    """Write down the visits of one node, with what it should have written where that is known."""
    lines: list[str] = []
    for step in trajectory.steps:
        if step.node == node:
            lines += [f"input {name}: {_short(value)}" for name, value in step.inputs.items()]
            lines += _done(step)
    lines += [f"expected {name}: {_short(value)}" for name, value in views.wanted(network, node, loss).items()]
    return shorten("\n".join(lines), RUN_CHARS)


def _done(step: Step) -> list[str]:
    """Return what a step called, wrote and chose."""
    calls = [
        f"called {call.tool}: {_short(call.arguments)} -> {_short(call.error or call.result)}"
        for call in step.tool_calls
    ]
    written = [f"output {name}: {_short(value)}" for name, value in step.output.items()]
    chose = [f"went on to: {step.route}"] if step.route else []
    return [*calls, *written, *chose, *([f"error: {step.error}"] if step.error else [])]


def _judgement(loss: LossReport) -> str:
    text = loss.requirement or loss.text
    expected = [f"expected {name}: {_short(value)}" for name, value in (loss.expected or {}).items()]
    missing = [line for line in expected if str(line.split(": ", 1)[1]) not in text]
    return "\n".join([shorten(text, 2_000), *missing])


def _short(value: object) -> str:
    return shorten(views.line(value), 1_500)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
