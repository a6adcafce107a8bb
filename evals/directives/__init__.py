"""Symbolic learning with a real language model: a two-node agent finds the directives that a hidden task needs.

A transformer of 155,000 parameters, trained once, follows at most two directives a prompt, so a task of four is out of
reach of any single node. What is measured is the loop (forward through the compiled graph, loss, back-propagation,
edits, gate) around a real, greedily decoded model; the critique itself is written by a rule program.
"""
