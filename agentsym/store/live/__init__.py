"""What is remembered of deployed agents: their traces and feedback, their releases, and who changed what.

Traces and feedback are data that may be dropped again (retention); releases move by compare-and-swap; the audit log
only grows.
"""
