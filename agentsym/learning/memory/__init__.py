"""Learning to optimize: what became of the edits of earlier runs, and which of them a teacher is told of."""
