"""The three lessons by name."""

from __future__ import annotations

from collections.abc import Mapping

from evals.repair.dates import DATES
from evals.repair.lesson import Lesson
from evals.repair.names import NAMES
from evals.repair.prices import PRICES

LESSONS: Mapping[str, Lesson] = {lesson.name: lesson for lesson in (DATES, PRICES, NAMES)}
"""Name of the tool → the lesson."""
