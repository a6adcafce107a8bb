"""Choosing models: an agent of three nodes, one of which needs the dear model, and two models behind a real server.

The agent, its rows and the doubles live here so that tests and the command use the very same ones.
"""
