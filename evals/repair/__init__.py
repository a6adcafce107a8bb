"""Learning code: three agents, each with a tool that is wrong for three in ten of its inputs.

The agents, rows and doubles live here so that tests and the command use the very same ones.
"""
