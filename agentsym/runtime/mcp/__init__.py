"""Tools of MCP servers as tools of an agent: connecting, listing what a server has, calling it."""
