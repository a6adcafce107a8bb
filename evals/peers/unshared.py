"""A model each of whose answers is paid for: the ablation of the door's cache and of its single flight.

The door keeps and shares only what a remote model says, so a remote model that calls itself a local one is asked anew
every time; the library needs no switch for what no user wants.
"""

from __future__ import annotations

from agentsym.models.protocol import LanguageModel, Reply, Request


class Unshared:
    """Asks another model, every time.

    Args:
        model: who answers.
    """

    remote = False

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.name = model.name

    async def complete(self, request: Request) -> Reply:
        """Answer one request, as the other model does."""
        return await self._model.complete(request)
