"""The brains by name: functions of a request's body that stand in for a paid model.

Each one reads the prompt that it is given and nothing else, so what a run measures is the prompt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from evals.openai_server.reader import Reader
from evals.openai_server.tutor import tutor


def classroom() -> Callable[[dict[str, Any]], Awaitable[str]]:
    """Return a brain that answers as the reader to models with `student` in their name, as the tutor to all others."""
    reader = Reader()

    async def answer(body: dict[str, Any]) -> str:
        return await reader(body) if "student" in body["model"] else tutor(body)

    return answer


BRAINS: Mapping[str, Callable[[], Callable[[dict[str, Any]], Any]]] = {
    "reader": Reader,
    "tutor": lambda: tutor,
    "classroom": classroom,
}
"""Name → what makes the brain."""
