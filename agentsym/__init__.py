"""agentsym: agents that learn. An agent is a symbolic network whose weights are text and code."""

__version__ = "0.1.0"
