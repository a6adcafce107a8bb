"""From a model string to the model that answers.

Every string that a user may write for a student or a teacher is understood here and nowhere else.
"""

from __future__ import annotations

from agentsym.errors import UsageError
from agentsym.models.protocol import LanguageModel

_KINDS = ("embedded",)


def resolve(name: str | LanguageModel) -> LanguageModel:
    """Return the model that a string names; a model is returned as it is.

    Every call makes a new model: keep it for as long as a session lasts, so that what it remembers is used.

    Raises:
        UsageError: when nobody answers for the string.
    """
    if not isinstance(name, str):
        if not callable(getattr(name, "complete", None)):
            raise UsageError(f"{name!r} is no model string and no model (an object with `name`, `remote`, `complete`)")
        return name
    if name == "embedded":
        from agentsym.models.embedded import EmbeddedModel

        return EmbeddedModel()
    raise UsageError(
        f"nobody answers for the model {name!r} in this installation yet; there is: {', '.join(_KINDS)} "
        "(in Python any object with `name`, `remote` and `complete` will do)"
    )
