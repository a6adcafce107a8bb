"""The sections of a report, one a file; each takes what was read of the run and returns markup."""
