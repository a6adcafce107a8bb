"""Learning to optimize: what the lessons of earlier runs are worth to later ones on related tasks."""
