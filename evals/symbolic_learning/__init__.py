"""What the tasks of agent symbolic learning (arXiv 2406.18532) have in common: rows, a run, a report, and doubles.

The tasks themselves are `evals.hotpotqa` and `evals.humaneval`.
"""
