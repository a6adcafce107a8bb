"""What the two sides say to each other: frames, a header in JSON and a body of bytes each, after their lengths.

Both sides import this file, so it needs nothing that only one system or one side has.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any

CONFINED = b"!"  # the first byte of an answer: the call's process had given up its rights before it ran anything

LENGTHS = struct.Struct("!II")  # what a frame begins with: the lengths of its header and its body


def head(header: Mapping[str, Any], body: int) -> bytes:
    """Return a frame up to its body, which has that many bytes."""
    text = json.dumps(header).encode()
    return LENGTHS.pack(len(text), body) + text


def unpack(came: bytearray) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Take all whole frames off the front of what has come."""
    while len(came) >= LENGTHS.size:
        text, body = LENGTHS.unpack_from(came)
        start, end = LENGTHS.size + text, LENGTHS.size + text + body
        if len(came) < end:
            return
        frame = json.loads(came[LENGTHS.size : start]), bytes(came[start:end])
        del came[:end]
        yield frame
