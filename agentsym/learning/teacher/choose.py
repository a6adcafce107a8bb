"""Which teacher a run gets: the one that was given, or the one that a model string stands for.

The default is the embedded one, so that a key in the environment never spends money by itself.
"""

from __future__ import annotations

import os
from typing import cast

from agentsym.errors import UsageError
from agentsym.learning.protocols import Teacher, TraceTeacher
from agentsym.learning.teacher.contrastive import ContrastiveTeacher
from agentsym.learning.teacher.llm import LLMTeacher
from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel
from agentsym.models.resolve import resolve

EMBEDDED = "embedded"


def choose_teacher(
    teacher: str | LanguageModel | Teacher | None,
    door: Door,
    *,
    judge: str = "",
    scores: bool = False,
    student: str = "",
) -> Teacher:
    """Return the teacher; None is `AGENTSYM_TEACHER`, else the embedded one.

    Args:
        teacher: a model string, a model, or a `Teacher` or `TraceTeacher`, which is returned as it is; with a metric
            the combined algorithm needs no more than the latter.
        door: the door that a language model is asked through.
        judge: what a language model looks for when it scores.
        scores: whether the teacher must score, since there is no metric.
        student: name of the model that the prompts are written for.

    Raises:
        UsageError: the embedded teacher cannot judge.
    """
    if teacher is None:
        teacher = os.environ.get("AGENTSYM_TEACHER") or EMBEDDED
    if teacher == EMBEDDED:
        if judge or scores:
            raise UsageError(
                "the embedded teacher compares with labels and cannot judge; name a language model as --teacher, "
                "or a --metric"
            )
        return ContrastiveTeacher()
    if isinstance(teacher, str):
        teacher = resolve(teacher)
    if hasattr(teacher, "propose") or isinstance(teacher, TraceTeacher):
        return cast(Teacher, teacher)
    return LLMTeacher(teacher, door, judge=judge, student=student)
