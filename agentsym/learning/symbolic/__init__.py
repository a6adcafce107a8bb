"""The combined algorithm: failures in groups, blame for each run as a whole, edits with credit, gates that repair."""
