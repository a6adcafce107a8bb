"""Recordings of model traffic: a folder that a run writes into, and the model that answers from it.

A replay needs no key and costs nothing, and since the prompt files that the requests were made with lie in the folder
too, it goes on answering after ours have changed.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from agentsym.errors import DataError, Unavailable, UsageError
from agentsym.models.protocol import LanguageModel, Phase, Reply, Request
from agentsym.models.secrets import scrub
from agentsym.network.canonical import Frozen, content_hash
from agentsym.network.records import Message, Usage
from agentsym.network.yaml_text import read_yaml, write_yaml

F = TypeVar("F", bound=Frozen)

TRAFFIC, PROMPTS, ABOUT = "traffic.jsonl", "prompts", "about.yaml"
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


class About(Frozen):
    """What `about.yaml` says of a recording.

    Attributes:
        how: how the answers came about, in words.
        agentsym: the version that it was begun with.
        begun: the day (UTC).
        models: who was asked, in the order of their first answers.
    """

    how: str = ""
    agentsym: str
    begun: str
    models: tuple[str, ...] = ()


class Exchange(Frozen):
    """One line of a recording: a request and its reply, who answered, and what was asked for whom."""

    model: str = ""
    phase: Phase | None = None
    node: str = ""
    request: Request
    reply: Reply


class Recorder:
    """Writes a recording: give it to a door as its `recorder`.

    Of equal requests the first answer is kept, whoever gave it. A line is written whole, before `record` returns; what
    looks like a key is replaced by a placeholder in all that is written.

    Args:
        folder: the recording: made where it is missing, added to where it was made with the same prompt files.
        prompts: the prompt files that the requests are made with; the folder gets copies.
        how: how the answers come about, in words; what stands there already is kept.

    Raises:
        UsageError: the folder holds something else or a recording that was made with other prompt files, or it cannot
            be written.
        DataError: the traffic that is there cannot be read.
    """

    def __init__(self, folder: Path | str, *, prompts: Iterable[Path], how: str = "") -> None:
        self.folder = Path(folder).expanduser()
        self._traffic = self.folder / TRAFFIC
        own, how = {path.name: path.read_bytes() for path in prompts}, scrub(how.strip())
        try:
            if (self.folder / ABOUT).is_file():
                self._about = self._continued(own, how)
            else:
                self._about = self._begun(own, how)
            self._known = {_key(exchange.request) for exchange in read_traffic(self._traffic)}
        except OSError as error:
            raise UsageError(
                f"{self.folder}: no recording can be written there ({error.strerror}); name another folder"
            ) from error

    def record(self, model: str, request: Request, reply: Reply, *, phase: Phase, node: str) -> None:
        """Write one answer, unless an equal request stands there already.

        Raises:
            Unavailable: it cannot be written; a recording with gaps is of no use, so the run ends.
        """
        if (asked := _key(request)) in self._known:
            return
        exchange = _scrubbed(Exchange(model=model, phase=phase, node=node, request=request, reply=reply))
        if (key := _key(exchange.request)) not in self._known:
            try:
                self._append(exchange)
            except OSError as error:
                raise Unavailable(
                    f"{self._traffic} cannot be written ({error.strerror}); make room and resume, or do not record"
                ) from error
        self._known |= {asked, key}

    def _begun(self, prompts: Mapping[str, bytes], how: str) -> About:
        if self.folder.exists() and any(self.folder.iterdir()):
            raise UsageError(f"{self.folder} is not empty and no recording (it has no {ABOUT}); name a new folder")
        (self.folder / PROMPTS).mkdir(parents=True, exist_ok=True)
        for name, content in prompts.items():
            (self.folder / PROMPTS / name).write_bytes(content)
        self._traffic.touch()
        about = About(how=how, agentsym=version("agentsym"), begun=datetime.now(UTC).date().isoformat())
        self._write_about(about)
        return about

    def _continued(self, prompts: Mapping[str, bytes], how: str) -> About:
        recorded = {path.name: path.read_bytes() for path in (self.folder / PROMPTS).iterdir()}
        if others := sorted(name for name in {*prompts, *recorded} if prompts.get(name) != recorded.get(name)):
            raise UsageError(
                f"{self.folder} was recorded with other prompts ({', '.join(others)}), and a replay reads them from "
                "there; record into a new folder"
            )
        self._drop_cut_off_line()
        about = read_about(self.folder)
        if how and how not in about.how:
            about = about.model_copy(update={"how": "; ".join(filter(None, (about.how, how)))})
            self._write_about(about)
        return about

    def _drop_cut_off_line(self) -> None:
        with self._traffic.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)

    def _append(self, exchange: Exchange) -> None:
        if exchange.model not in self._about.models:
            self._about = self._about.model_copy(update={"models": (*self._about.models, exchange.model)})
            self._write_about(self._about)
        text = json.dumps(exchange.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)
        line = _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode() + b"\n"
        with self._traffic.open("ab", buffering=0) as file:
            end = file.tell()
            if file.write(line) < len(line):
                file.truncate(end)  # or the next line would be joined to this piece
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _write_about(self, about: About) -> None:
        file = self.folder / ABOUT
        part = file.with_suffix(".part")
        part.write_text(write_yaml(about.model_dump(mode="json")), encoding="utf-8")
        part.replace(file)


class RecordedModel:
    """Answers from a recording: an equal request gets its reply, any other ends the run.

    Equal are requests with the same messages, schema, tools, temperature and rollout, once keys are replaced. The
    longest reply is not compared: the door sets it where there are caps, and a replay may have others. It is a remote
    model to the door, so calls, cached ones and tokens are counted as when it was recorded; dollars are none.

    Args:
        path: a recording's folder, or a file like its `traffic.jsonl` alone.

    Attributes:
        prompts: the folder of the prompt files that it must be asked with; None where it has none (a file alone).

    Raises:
        DataError: when it cannot be read.
    """

    remote = True

    def __init__(self, path: Path | str) -> None:
        place = Path(path).expanduser()
        self.prompts = place / PROMPTS if (place / PROMPTS).is_dir() else None
        self._recorded: dict[str, Exchange] = {}
        for exchange in read_traffic(place / TRAFFIC if place.is_dir() else place):
            self._recorded.setdefault(_key(exchange.request), exchange)
        # What it holds stands in its name, so that no cache answers for a recording that was there before.
        held = [(key, exchange.reply.text) for key, exchange in self._recorded.items()]
        self.name = f"recorded:{path} at {content_hash(held)[:8]}"

    async def complete(self, request: Request) -> Reply:
        """Return the recorded reply.

        Raises:
            Unavailable: when the request was not recorded; names the most similar one that was.
        """
        found = self._recorded.get(_key(request)) or self._found(clean := _scrubbed(request))
        if found is None:
            raise Unavailable(
                f"{self.name} holds no such request, so this is not the run that was recorded; record it anew. "
                f"{self._nearest(clean)}"
            )
        used = found.reply.usage
        usage = Usage(
            calls=1,
            prompt_tokens=used.prompt_tokens,
            completion_tokens=used.completion_tokens,
            estimated=used.estimated,
        )
        return found.reply.model_copy(update={"usage": usage})

    def _found(self, request: Request) -> Exchange | None:
        """Look a request up; where it quotes an error that names this model, the recorded one names who answered."""
        names = dict.fromkeys((self.name, *(exchange.model for exchange in self._recorded.values())))
        alike = (self._recorded.get(_key(_renamed(request, self.name, name))) for name in names)
        return next(filter(None, alike), None)

    def _nearest(self, request: Request) -> str:
        if not self._recorded:
            return "The recording is empty."
        asked = _words(request)
        candidates = [exchange.request for exchange in self._recorded.values()]
        alike = [len(asked & words) / max(1, len(asked | words)) for words in map(_words, candidates)]
        place = alike.index(max(alike))
        return f"The nearest is number {place + 1} of {len(candidates)}: {_difference(candidates[place], request)}"


def prompts_of(model: LanguageModel) -> Path | None:
    """Return the folder of the prompt files that a model must be asked with; None, for most, where ours will do."""
    prompts: Path | None = getattr(model, "prompts", None)
    return prompts


def read_about(folder: Path) -> About:
    """Return what a recording's `about.yaml` says.

    Raises:
        DataError: when it cannot be read.
    """
    try:
        return About.model_validate(read_yaml(folder / ABOUT))
    except (OSError, UsageError, ValidationError) as error:
        raise DataError(f"{folder / ABOUT}: it cannot be read as what a recording says of itself ({error})") from error


def read_traffic(file: Path) -> list[Exchange]:
    """Return the lines of a recording in their order; a last line that was cut off does not count.

    Raises:
        DataError: when the file cannot be read; names file and line.
    """
    try:
        *lines, _ = file.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(
            f"{file}: no recording can be read there ({error.strerror}); make one with --record FOLDER"
        ) from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(Exchange.model_validate(json.loads(line)))
        except ValueError as error:
            raise DataError(f"{file}, line {number}: no recorded request and reply ({error})") from error
    return found


def _key(request: Request) -> str:
    return request.model_copy(update={"max_tokens": None}).key("")


def _renamed(request: Request, old: str, new: str) -> Request:
    messages = (item.model_copy(update={"content": item.content.replace(old, new)}) for item in request.messages)
    return request.model_copy(update={"messages": tuple(messages)})


def _scrubbed(value: F) -> F:
    """Return a value with a placeholder for each key in its texts."""
    return type(value).model_validate(_without_keys(value.model_dump(mode="json")))


def _without_keys(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, list):
        return [_without_keys(item) for item in value]
    if isinstance(value, dict):
        return {scrub(name): _named(name, item) for name, item in value.items()}
    return value


def _named(name: str, value: Any) -> Any:
    """Scrub a value of a mapping; a text whose name says that it is a key is one."""
    if not isinstance(value, str):
        return _without_keys(value)
    together, head = scrub(f"{name}={value}"), f"{name}="
    return together.removeprefix(head) if together.startswith(head) else scrub(value)


def _words(request: Request) -> set[str]:
    return {word for message in request.messages for word in re.findall(r"\w+", message.content.lower())}


def _difference(recorded: Request, asked: Request) -> str:
    """Say where two requests first differ, with the text around."""
    for name in ("schema_", "tools", "temperature", "rollout"):
        if getattr(recorded, name) != getattr(asked, name):
            return f"its {name.rstrip('_')} is {getattr(recorded, name)!r}, not {getattr(asked, name)!r}"
    for number, (old, new) in enumerate(zip(recorded.messages, asked.messages, strict=False), 1):
        where = f"its message {number} ({old.role})"
        if old.role != new.role:
            return f"{where} is the {new.role}'s here"
        if old.content != new.content:
            pairs = zip(old.content, new.content, strict=False)
            shorter = min(len(old.content), len(new.content))
            same = next((at for at, (a, b) in enumerate(pairs) if a != b), shorter)
            piece = slice(max(0, same - 20), same + 40)
            return f"{where} has {old.content[piece]!r}, not {new.content[piece]!r}"
        if _calls(old) != _calls(new):
            return f"{where} calls {_calls(old)}, not {_calls(new)}"
    return f"it has {len(recorded.messages)} messages, not {len(asked.messages)}"


def _calls(message: Message) -> list[dict[str, Any]]:
    return [call.model_dump(exclude={"seconds"}, exclude_defaults=True) for call in message.tool_calls]
