"""The sandbox: where learned code runs, since it never runs in this process.

Import from the modules themselves: `protocol` says what a sandbox does, `find` returns the best one of this machine.
"""
