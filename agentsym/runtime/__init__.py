"""Running a network: it is compiled to a langgraph graph, run, and every step is recorded.

Import from the modules themselves (`runtime.forward`, `runtime.session`, …): nothing is loaded here, since langgraph
costs seconds.
"""
