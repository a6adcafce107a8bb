"""Arithmetic in words, learned by an agent whose rules are plain English that a program can read."""
