"""Agents and tools as tools of an MCP server, over stdio and HTTP."""
