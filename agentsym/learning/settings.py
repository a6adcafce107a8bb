"""The numbers and switches of a training run, in one value that is written into the run's first event.

Everything here is plain JSON, so a run that was stopped goes on with exactly the settings it began with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from agentsym.errors import UsageError
from agentsym.learning.objectives import Prefer
from agentsym.network.canonical import Frozen


class Settings(Frozen):
    """How a run trains.

    Attributes:
        steps: most steps.
        batch: rows a step; None takes the recipe's (20), 4 in the paper's loop, or all rows with a teacher that reads
            them all at once.
        lr: learning rate in (0, 1]: the share of a list that one step may replace or drop, and in the paper's loop of a
            text that it may change; None takes 0.5, or 1 with a teacher that reads all rows at once.
        lr_decay: what a rejected step multiplies the learning rate by.
        lr_floor: the learning rate never decays below this.
        retries: how often an illegal answer of the teacher is sent back before it is dropped.
        patience: stop after so many steps without a better version (None: never).
        target: stop when the validation score (without validation the batch's) reaches this.
        seed: seeds batches and splits.
        samples: how often each row is scored for the gate; more than one for noisy students and judges.
        repeats: how often base and candidate are run at most before a change counts as undecided and is dropped; 1 for
            students that always answer alike, about 5 for those whose answers vary (a sign test then decides).
        rescore_base: score the base anew at each gate instead of remembering its scores.
        order: how back-propagation walks (`reverse`; the others are ablations).
        comments: who writes the text of a loss that a metric has scored, in the paper's loop: the teacher, or the
            metric at no call. The combined algorithm asks for blame instead.
        supervised: whether the teacher sees the labels; without, it learns from what it thinks of the outputs.
        prefer: which version is taken: the one with the best `score`, or of those within a margin of it the `cheapest`
            or the `fastest`; for these two, learnable options (of models, for example) are tried when learning is over.
        within: the margin, in score.
        memory: whether the teacher of the combined algorithm is told what helped and what did not in earlier runs of
            the same store; never where traffic is recorded or replayed, which must not depend on a store.
        failing_share: a batch with more failed runs than this is not learned from; three in a row end the run.
    """

    steps: int = Field(default=20, ge=0)
    batch: int | None = Field(default=None, ge=1)
    lr: float | None = Field(default=None, gt=0.0, le=1.0)
    lr_decay: float = Field(default=0.8, gt=0.0, le=1.0)
    lr_floor: float = Field(default=0.1, gt=0.0, le=1.0)
    retries: int = Field(default=3, ge=0)
    patience: int | None = Field(default=5, ge=1)
    target: float | None = Field(default=None, ge=0.0, le=1.0)
    seed: int = 0
    samples: int = Field(default=1, ge=1)
    repeats: int = Field(default=1, ge=1)
    rescore_base: bool = False
    order: Literal["reverse", "forward", "last"] = "reverse"
    comments: Literal["teacher", "metric"] = "teacher"
    supervised: bool = True
    prefer: Prefer = "score"
    within: float = Field(default=0.01, ge=0.0, le=1.0)
    memory: bool = True
    failing_share: float = Field(default=0.2, ge=0.0, le=1.0)

    @classmethod
    def checked(cls, **values: object) -> Settings:
        """Make settings from keyword arguments; raises UsageError that names each wrong one."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, each['loc']))} {_wrong(each)}" for each in error.errors())
            raise UsageError(f"these settings cannot be used: {wrong}") from error


def _wrong(error: Mapping[str, Any]) -> str:
    """Say what is wrong with one setting, bounds in the words that caps have."""
    said = str(error["msg"])
    for kind, bound in {"ge": "{} or more", "gt": "more than {}", "le": "at most {}"}.items():
        if kind in error.get("ctx", {}):
            said = f"it must be {bound.format(error['ctx'][kind])}"
    return f"is {error['input']!r}; {said}"
