"""Learning the pipeline: agents of two nodes that no better prompt makes right, only a node more or another way.

The agents, rows and doubles live here so that tests and the command use the very same ones.
"""
