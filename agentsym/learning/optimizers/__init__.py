"""Optimizers: how the gradients of a batch become edits of prompts, tools and structure."""
