"""A tool whose code is learned: one file, of the standard library only."""

import os


def whose(of: str) -> int:
    """Say in whose process it runs."""
    return os.getpid()
