"""agentsym: agents that learn. An agent is a symbolic network whose weights are text and code.

What stands here is imported at first use, so that `import agentsym` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentsym.agent import Agent
    from agentsym.network.fields import Choice, Described, Field
    from agentsym.network.network import END, START, Edge, When
    from agentsym.network.nodes import AgentNode, FunctionNode, PromptNode, ToolNode
    from agentsym.network.parameters import Choices, Code, Examples, Number, Option, Rules, Structure, Text
    from agentsym.network.tool import Tool, as_tool, load_tool
    from agentsym.runtime.mcp.tools import mcp_tools
    from agentsym.runtime.session import Session
    from agentsym.telemetry.telemetry import Telemetry

__version__ = "0.1.0"

_HOMES = {
    "agentsym.agent": ("Agent",),
    "agentsym.network.fields": ("Choice", "Described", "Field"),
    "agentsym.network.network": ("END", "START", "Edge", "When"),
    "agentsym.network.nodes": ("AgentNode", "FunctionNode", "PromptNode", "ToolNode"),
    "agentsym.network.parameters": ("Choices", "Code", "Examples", "Number", "Option", "Rules", "Structure", "Text"),
    "agentsym.network.tool": ("Tool", "as_tool", "load_tool"),
    "agentsym.runtime.mcp.tools": ("mcp_tools",),
    "agentsym.runtime.session": ("Session",),
    "agentsym.telemetry.telemetry": ("Telemetry",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "END",
    "START",
    "Agent",
    "AgentNode",
    "Choice",
    "Choices",
    "Code",
    "Described",
    "Edge",
    "Examples",
    "Field",
    "FunctionNode",
    "Number",
    "Option",
    "PromptNode",
    "Rules",
    "Session",
    "Structure",
    "Telemetry",
    "Text",
    "Tool",
    "ToolNode",
    "When",
    "__version__",
    "as_tool",
    "load_tool",
    "mcp_tools",
]


def __getattr__(name: str) -> Any:
    """Import a name of `__all__` from where it lives."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'agentsym' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    """List what can be imported from here."""
    return sorted({*globals(), *_HOME_OF})
