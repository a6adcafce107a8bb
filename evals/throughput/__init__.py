"""What agentsym's forward pass costs beside a bare langgraph loop of the same calls, and whether memory stays flat."""
