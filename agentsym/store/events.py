"""One event, and how what it says becomes JSON whose long texts are stored once, by their hash.

The messages of a trajectory and the content of a version go to the table `texts`; the event keeps the hashes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from typing import Any

from pydantic import BaseModel, ValidationError

from agentsym.errors import StoreError
from agentsym.network.canonical import Frozen
from agentsym.network.records import Trajectory

AFTERWARDS = ("forget", "withdrawn")
"""Kinds of event that may follow when a run is over: it is to teach nothing, or its best version did not hold."""
WITHOUT_TEXTS = {"steps": {"__all__": {"messages": {"__all__": {"content"}}}}}


class Event(Frozen):
    """Something that happened in a run.

    Attributes:
        run_id: the run.
        seq: its place in the run: 1, 2, 3 … without gaps.
        kind: what happened.
        at: when it was stored, UTC, ISO 8601; the only thing in it that depends on time.
        data: what there is to say, as plain JSON; long texts are hashes (`Store.trajectory` and
            `Store.version_content` put them back).
    """

    run_id: str
    seq: int
    kind: str
    at: str
    data: dict[str, Any]


class Texts:
    """The texts of one write, each hashed once however often it occurs."""

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}

    def hash(self, text: str) -> str | None:
        """Return a text's SHA-256 and keep both; None if UTF-8 cannot hold it (a lone surrogate)."""
        known = self._hashes.get(text)
        if known is None:
            try:
                known = hashlib.sha256(text.encode()).hexdigest()
            except UnicodeEncodeError:
                return None
            self._hashes[text] = known
        return known

    def rows(self) -> list[dict[str, str]]:
        """Return the rows for the table `texts`, in the order that all writers keep (`insert_new`)."""
        return [{"hash": known, "text": text} for known, text in sorted((h, t) for t, h in self._hashes.items())]


def encode(kind: str, data: Mapping[str, Any], texts: Texts) -> str:
    """Return the JSON of an event's data, its long texts moved to `texts`.

    Keys keep their order, since what a resumed run reads back may be shown to a model. Models may stand in it as they
    are; a value that JSON does not know is written as its `repr`, a float that is not finite as a string, so that
    storing never fails a run that was paid for.

    Raises:
        StoreError: the data lacks what its kind must have.
    """
    pack = PACKERS.get(kind)
    try:
        return as_json(pack(data, texts) if pack else data)
    except KeyError as error:
        raise StoreError(f"an event {kind!r} needs {error.args[0]!r} in its data") from error
    except ValidationError as error:
        raise StoreError(f"an event {kind!r} cannot hold this: {error}") from error


def as_stored(value: Any) -> Any:
    """Return a value as it is read back from an event: plain JSON."""
    return json.loads(as_json(value))


def pack_trajectory(data: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    """Replace the content of every message of `data["trajectory"]` by its hash, under the key `text`."""
    trajectory = data["trajectory"]
    if not isinstance(trajectory, Trajectory):
        trajectory = Trajectory.model_validate(trajectory)
    packed = trajectory.model_dump(exclude=WITHOUT_TEXTS, exclude_defaults=True)
    for step, dumped in zip(trajectory.steps, packed.get("steps", ()), strict=True):
        for message, slot in zip(step.messages, dumped.get("messages", ()), strict=True):
            known = texts.hash(message.content)
            slot.update({"text": known} if known else {"content": message.content})
    return {**data, "trajectory": packed}


def unpack_trajectory(packed: Mapping[str, Any], texts: Mapping[str, str]) -> Trajectory:
    """Undo `pack_trajectory`, given the texts that `hashes_of` names."""
    steps = [
        {
            **step,
            "messages": [
                {
                    **{key: value for key, value in slot.items() if key != "text"},
                    "content": texts[slot["text"]],
                }
                if "text" in slot
                else slot
                for slot in step.get("messages", ())
            ],
        }
        for step in packed.get("steps", ())
    ]
    return Trajectory.model_validate({**packed, "steps": steps})


def hashes_of(packed: Mapping[str, Any]) -> set[str]:
    """Return the hashes of the texts that a packed trajectory needs."""
    return {slot["text"] for step in packed.get("steps", ()) for slot in step.get("messages", ()) if "text" in slot}


def pack_version(data: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    """Replace `data["content"]` (a network, or its plain JSON) by the hash of its JSON."""
    return {**data, "content": texts.hash(as_json(data["content"]))}


PACKERS: Mapping[str, Callable[[Mapping[str, Any], Texts], dict[str, Any]]] = {
    "trajectory": pack_trajectory,
    "version": pack_version,
}


def as_json(value: Any) -> str:
    """Return a value as JSON that can be stored, whatever is in it (`encode` says how)."""
    plain = value
    try:
        text = _dump(plain)
    except (ValueError, TypeError):  # a number that is not finite, a key that is no string
        plain = _finite(value)
        text = _dump(plain)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: only its escape can be stored
        text = _dump(plain, ensure_ascii=True)
    return text


def _dump(value: Any, *, ensure_ascii: bool = False) -> str:
    return json.dumps(
        value,
        separators=(",", ":"),
        ensure_ascii=ensure_ascii,
        allow_nan=False,
        default=_plain,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return list(value)
    return repr(value)


def _finite(value: Any) -> Any:
    """Return a copy in which every float that is not finite, and every key, is a string."""
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return _finite(_plain(value))
