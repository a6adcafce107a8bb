"""`agentsym show`: what an agent is, on one screen: fields, nodes, edges, and every weight with its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentsym.cli import options
from agentsym.cli.screen import screen
from agentsym.learning.report.wording import count, short

if TYPE_CHECKING:
    from agentsym.network.network import Network
    from agentsym.network.parameters import Parameter

BESIDE = 44  # characters that the other columns of the table take


def show(
    agent: options.AgentName,
    as_mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart instead.")] = False,
) -> None:
    """Show what AGENT is made of."""
    from agentsym.cli.agents import find_agent
    from agentsym.network.mermaid import mermaid

    network = find_agent(agent).agent
    if as_mermaid:
        typer.echo(mermaid(network), nl=False)
        return
    console = screen()
    console.print(f"{network.name}  {network.version[:12]}", style="bold", soft_wrap=True)
    if network.description:
        console.print(network.description)
    fields = ", ".join(f"{field.name} ({field.type})" for field in network.inputs)
    console.print(f"takes {fields or 'nothing'}", soft_wrap=True)
    fields = ", ".join(f"{field.name} ({field.type})" for field in network.output_fields())
    console.print(f"gives {fields or 'nothing'}", soft_wrap=True)
    if network.tuned_with:
        console.print("tuned with " + ", ".join(f"{role} {model}" for role, model in network.tuned_with.items()))
    console.print(_nodes(network))
    for edge in network.edges:
        console.print(f"  {_edge(edge)}", soft_wrap=True)
    console.print(_parameters(network))


def _nodes(network: Network) -> Any:
    table = _table("node", "kind", "reads", "writes", "about")
    for node in network.nodes:
        tools = getattr(node, "tools", ())
        about = node.description or (f"may call {', '.join(tools)}" if tools else "")
        written = ", ".join(f"{field.name} ({field.type})" for field in node.output)
        table.add_row(node.id, node.kind, ", ".join(node.inputs), written, about)
    return table


def _parameters(network: Network) -> Any:
    table = _table("parameter", "learned", "size", "value")
    table.columns[0].no_wrap = table.columns[2].no_wrap = True
    parameters = network.parameters()
    room = screen().width - max(map(len, parameters)) - BESIDE
    for path, parameter in parameters.items():
        learned = "yes" if parameter.learnable else "no"
        table.add_row(path, learned, size_of(parameter), short(_value(parameter), max(12, room)))
    return table


def size_of(parameter: Parameter) -> str:
    """Say how much a parameter holds."""
    from agentsym.network.parameters import Choices, Code, Examples, Rules, Text

    match parameter:
        case Text():
            return count(len(parameter.value), "character")
        case Code():
            return count(len(parameter.value.splitlines()), "line")
        case Choices():
            defined = sum(bool(item.definition) for item in parameter.value)
            return f"{count(len(parameter.value), 'label')}, {defined} defined"
        case Rules():
            return count(len(parameter.value), "rule")
        case Examples():
            return count(len(parameter.value), "example")
        case _:
            return ""


def _value(parameter: Parameter) -> str:
    from agentsym.network.parameters import Choices, Code, Number, Option, Rules, Text

    match parameter:
        case Text() | Option() | Number():
            return str(parameter.value)
        case Choices():
            return ", ".join(parameter.labels)
        case Rules():
            return " ".join(rule.text for rule in parameter.value)
        case Code():
            return f"def {parameter.entry}(…), by {parameter.author}"
        case _:
            return ""


def _edge(edge: Any) -> str:
    from agentsym.network.mermaid import condition

    names = {"__start__": "START", "__end__": "END"}
    text = f"{names.get(edge.source, edge.source)} → {names.get(edge.target, edge.target)}"
    return f"{text} if {condition(edge.when)}" if edge.when else text


def _table(*columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
