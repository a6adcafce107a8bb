"""Traces that agents of any framework have left elsewhere, as rows to learn from and as traces to replay.

One format a file; what they find is the same value for all of them, and `fitting` makes it fit an agent.
"""
