"""What a row on a worker has in place of the driver's door and models.

Only a model that the worker makes itself is asked here, and under caps not before the driver's budget has room for it;
every other request goes to the driver's door, where cache, caps, account and all that was answered before are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agentsym.errors import ModelError
from agentsym.models.budget import Budget
from agentsym.models.door import Door
from agentsym.models.flights import OnText
from agentsym.models.ledger import Ledger
from agentsym.models.protocol import LanguageModel, Phase, Reply, Request
from agentsym.network.records import Usage
from agentsym.runtime.context import Context
from agentsym.runtime.executors.failures import error_of
from agentsym.runtime.executors.messages import Asked, Face, Job, Lease, Settled, Written

if TYPE_CHECKING:
    from agentsym.runtime.executors.worker import Worker


class FarModel:
    """A model that the driver asks; `key` is how a job names it."""

    def __init__(self, key: str, face: Face) -> None:
        self.key = key
        self.name = face.name
        self.remote = face.remote
        self.prompts = None if face.prompts is None else Path(face.prompts)

    async def complete(self, request: Request) -> Reply:
        """Refuse: only the door of a row knows the way to the driver."""
        raise ModelError(f"{self.name}: it is asked through the door, by a prompt node")


class FarDoor:
    """The door of one job.

    Attributes:
        ledger: what the calls of the worker's own models have used; the others stand in the driver's.
        telemetry: none; the driver makes the spans of rows and of the calls that it makes for them.
    """

    telemetry = None

    def __init__(self, worker: Worker, job: Job) -> None:
        self._worker = worker
        self._job = job
        budget = Budget() if job.caps is None else _LeasedBudget(worker, job)
        self._own = Door(budget=budget, telemetry=False)
        self.ledger: Ledger = self._own.ledger

    async def complete(
        self, model: LanguageModel, request: Request, *, phase: Phase, node: str = "", on_text: OnText | None = None
    ) -> Reply:
        """Ask a model, here or through the driver; raises as the door does."""
        if not isinstance(model, FarModel):
            return await self._own.complete(model, request, phase=phase, node=node, on_text=on_text)
        asked = Asked(self._job.id, 0, model.key, request.model_dump(), phase, node)
        answered = await self._worker.ask(asked)
        return Reply.model_validate(answered.reply)

    async def write(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Return what stands in for the result of code that writes; raises what the driver's stand-in raises."""
        return (await self._worker.ask(Written(self._job.id, 0, name, dict(arguments)))).reply

    def model(self, key: str) -> LanguageModel:
        """Return the student (under "") or the model that a node names.

        Raises:
            UsageError: nobody answers for the name.
        """
        face = self._job.faces.get(key) or Face(key)
        if face.failure is not None:
            raise error_of(face.failure)
        return self._worker.model(face.name) if face.here else FarModel(key, face)


@dataclass(frozen=True)
class FarContext(Context):
    """The context of a job: its models are those that the driver knows."""

    def model(self, name: str | None) -> LanguageModel:
        return self.student if name is None else cast(FarDoor, self.door).model(name)


class _LeasedBudget(Budget):
    """The driver's budget, seen from a worker: every call is reserved and settled there."""

    def __init__(self, worker: Worker, job: Job) -> None:
        super().__init__(*(job.caps or ()))
        self._worker = worker
        self._job = job.id
        self._leases = 0

    async def reserve(self, estimate: Usage) -> int:
        self._leases += 1
        number = self._leases
        await self._worker.ask(Lease(self._job, 0, number, estimate.model_dump()))
        return number

    def settle(self, number: int, used: Usage) -> None:
        self._worker.say(Settled(self._job, number, used.model_dump()))
