"""Deployed agents: they answer people over HTTP and MCP, keep traces, take feedback, and learn from both.

Only a version that has been shown to be better than the live one ever takes its place.
"""
