"""The HTTP server of a deployed agent: `create_app` makes the FastAPI app, `serve` runs it until it is stopped.

Nothing is decided here that `Service` could decide; here is what HTTP adds: tokens, limits, and the forms of answers.
"""
