"""`relay:DIR`: each request becomes a file, and whoever writes the answer's file has answered.

Behind it can be a model that no network reaches, a batch service, another language model's session, or a person.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentsym.errors import BadReply, UsageError
from agentsym.models.chat_protocol import estimated
from agentsym.models.protocol import Reply, Request
from agentsym.network.canonical import Frozen
from agentsym.network.records import ToolCall
from agentsym.network.yaml_text import read_yaml, write_yaml

POLL = 0.25  # seconds between two looks at an answer that is waited for
_README = Path(__file__).with_name("relay.md")
_KEY_LENGTH = 16
_READ = "read"


class _Call(Frozen):
    tool: str
    arguments: dict[str, Any] = {}


class _Answer(Frozen):
    """What stands in an answer's YAML file."""

    text: str = ""
    tool_calls: tuple[_Call, ...] = ()


class RelayModel:
    """Asks through files in a folder; any number of requests may be open at once, and nothing times out.

    A request is named by its content, so a run that is resumed finds the answers that came while it was down. An answer
    that was read is kept in the folder `read`, and counts from then on, whatever becomes of its file.

    Args:
        folder: where the files are put; made where it is missing.
        poll: seconds between two looks.

    Raises:
        UsageError: when the folder cannot be written.
    """

    remote = True

    def __init__(self, folder: Path | str, *, poll: float = POLL) -> None:
        self.name = f"relay:{folder}"
        self.folder = Path(folder).expanduser()
        self._poll = poll
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(self.folder / "README.md", _README.read_bytes())
        except OSError as error:
            raise UsageError(
                f"{self.name}: nothing can be written there ({error.strerror}); name another folder"
            ) from error

    async def complete(self, request: Request) -> Reply:
        """Write the request's file, and wait for the answer's.

        Raises:
            BadReply: when the answer's YAML file cannot be read as one.
            UsageError: when the request cannot be written.
        """
        key = request.key("relay")[:_KEY_LENGTH]
        answers = [f"{key}.answer.{suffix}" for suffix in ("txt", "yaml")]
        kept = [path for name in answers if (path := self.folder / _READ / name).exists()]
        answer = _read(kept[0]) if kept else await self._asked(key, request, [self.folder / name for name in answers])
        calls = tuple(
            ToolCall(tool=call.tool, arguments=call.arguments, id=f"call_{number}")
            for number, call in enumerate(answer.tool_calls)
        )
        return Reply(
            text=answer.text,
            tool_calls=calls,
            usage=estimated(request, answer.text, [call.model_dump() for call in answer.tool_calls]),
        )

    async def _asked(self, key: str, request: Request, answers: Sequence[Path]) -> _Answer:
        """Write the request's file, wait for an answer's, and keep what it says."""
        asked = self.folder / f"{key}.request.yaml"
        try:
            if not asked.exists() and not any(path.exists() for path in answers):
                _write_whole(asked, _request_text(key, request).encode())
            path = await self._written(answers)
            kept = self.folder / _READ / path.name
            kept.parent.mkdir(exist_ok=True)
            _write_whole(kept, path.read_bytes())
        except OSError as error:
            raise UsageError(f"{self.name} cannot be used ({error.strerror}); make room and go on") from error
        try:
            return _read(kept)
        except BadReply:
            kept.unlink()  # so that it can be mended
            raise

    async def _written(self, answers: Sequence[Path]) -> Path:
        """Wait until one of the files is there and did not change between two looks."""
        before: dict[Path, tuple[int, int]] = {}
        while True:
            now = {path: state for path in answers if (state := _state(path)) is not None}
            for path, state in now.items():
                if before.get(path) == state:
                    return path
            before = now
            await asyncio.sleep(self._poll)


def _request_text(key: str, request: Request) -> str:
    """Render a request for whoever answers it; what is not asked for is left out."""
    asked: dict[str, Any] = {
        "answer_into": f"{key}.answer.txt",
        "schema": request.schema_,
        "tools": list(request.tools),
        "temperature": request.temperature,
        "longest_answer_in_tokens": request.max_tokens,
        "sample": request.rollout,
        "messages": [
            message.model_dump(mode="json", exclude_defaults=True, exclude={"tool_calls": {"__all__": {"seconds"}}})
            for message in request.messages
        ],
    }
    return write_yaml({name: value for name, value in asked.items() if value not in (None, [], 0)})


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is never seen half-written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


def _state(path: Path) -> tuple[int, int] | None:
    """Return size and time of a file; None where it is not there, or empty."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_size, found.st_mtime_ns) if found.st_size else None


def _read(path: Path) -> _Answer:
    try:
        if path.suffix == ".txt":
            return _Answer(text=path.read_text("utf-8").strip())
        return _Answer.model_validate(read_yaml(path))
    except (OSError, UnicodeError, UsageError, ValidationError) as error:
        raise BadReply(
            f"{path.name}: no answer can be read there ({error}); the folder's README.md says how"
        ) from error
