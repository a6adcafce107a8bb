"""Importing: from files of traces to traces that fit an agent, and from these to rows, or into the store.

What is written has gone through the policy's redaction before, whatever the traces held.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentsym.deploy.redaction import Redactor
from agentsym.deploy.traces.fitting import Fitting
from agentsym.deploy.traces.found import Format, ImportedTrace, Unusable
from agentsym.deploy.traces.gathering import traces
from agentsym.deploy.writer import redacted
from agentsym.errors import DataError
from agentsym.network.canonical import content_hash
from agentsym.network.network import Network
from agentsym.network.records import Trajectory, Usage
from agentsym.store.live.traces import Feedback, Trace
from agentsym.store.store import Store

LIKED = 1.0
"""The score from which on an answer counts as right."""
CHUNK = 200


def imported(
    paths: Sequence[Path], network: Network, *, format: Format | None = None, maps: Mapping[str, str] = {}
) -> Iterator[ImportedTrace | Unusable]:
    """Yield the traces of some files that fit an agent, and what cannot be used, each with its place.

    Args:
        paths: the files, gzipped or not.
        network: the agent.
        format: the format of all of them; None finds it out.
        maps: path in a trace → field of the agent.

    Raises:
        UsageError: a path leads to a field that the agent does not have.
        DataError: a file is not there, or cannot be opened.
    """
    fitting, known = Fitting(network, maps), set[int]()
    for found in traces(paths, format):
        if isinstance(found, Unusable):
            yield found
        elif hash(found.source) in known:
            yield Unusable(found.place, f"there was a trace {found.source} before")
        else:
            known.add(hash(found.source))
            trace, misfits = fitting.fit(found)
            yield from misfits
            yield trace


def row_of(trace: ImportedTrace, redactor: Redactor, *, liked: bool = False) -> dict[str, Any]:
    """Return a trace as a row for `agentsym optimize`: inputs, and what is known of the outputs.

    Args:
        trace: the trace.
        redactor: takes out what must not be kept.
        liked: whether an answer with the best score counts as right where nobody has said what would be.
    """
    expected = trace.expected or {}
    if liked and not expected and trace.error is None and trace.score is not None and trace.score >= LIKED:
        expected = trace.output
    values: dict[str, Any] = redactor.value({**trace.inputs, **expected})
    return {"id": trace.source, **values}


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as JSONL, and return how many; a file is made whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    part, count = path.with_name(f"{path.name}.part"), 0
    try:
        with part.open("w", encoding="utf-8", errors="backslashreplace") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
        if count:
            part.replace(path)
        return count
    except OSError as error:
        raise DataError(f"{path}: the rows cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)


class Keeper:
    """Writes imported traces and what was said of them into the store of a deployment.

    Args:
        store: the store.
        redactor: takes out what must not be kept.
        deployment: whose traces they are.
        version: the version of the agent that they count as answers of.
    """

    def __init__(self, store: Store, redactor: Redactor, deployment: str, version: str) -> None:
        self._store, self._redactor = store, redactor
        self._deployment, self._version = deployment, version
        self._waiting: list[ImportedTrace] = []
        self.written = 0
        self.known = 0

    def add(self, trace: ImportedTrace) -> None:
        """Take in a trace; many are written at once."""
        self._waiting.append(trace)
        if len(self._waiting) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what waits; what an earlier import has written is left as it is."""
        waiting, self._waiting = {self._id(trace): trace for trace in self._waiting}, []
        there = self._store.traces.known(waiting)
        new = {name: trace for name, trace in waiting.items() if name not in there}
        found = [redacted(self._trace(name, trace), self._redactor) for name, trace in new.items()]
        said = [redacted(item, self._redactor) for name, trace in new.items() for item in self._feedback(name, trace)]
        self._store.traces.add(found, said)
        self.written += len(new)
        self.known += len(there)

    def _id(self, trace: ImportedTrace) -> str:
        return f"imported-{content_hash([self._deployment, trace.source])[:24]}"

    def _trace(self, name: str, trace: ImportedTrace) -> Trace:
        usage = sum((step.usage for step in trace.steps), Usage())
        status = "ok" if trace.error is None else "error"
        trajectory = Trajectory(
            id=name,
            version=self._version,
            inputs=trace.inputs,
            steps=trace.steps,
            output=trace.output,
            status="ok" if trace.error is None else "error",
            error=trace.error,
            usage=usage,
            seconds=trace.seconds,
        )
        return Trace(
            id=name,
            deployment=self._deployment,
            version=self._version,
            thread=trace.thread or trace.source,
            at=trace.at or datetime.now(UTC).isoformat(timespec="milliseconds"),
            example_id="",
            status=status,
            error=trace.error,
            calls=usage.calls,
            tokens=usage.tokens,
            usd=usage.usd,
            seconds=trace.seconds,
            origin="imported",
            trajectory=trajectory,
        )

    def _feedback(self, name: str, trace: ImportedTrace) -> Iterator[Feedback]:
        for number, opinion in enumerate(trace.opinions):
            if opinion.score is None and opinion.label is None and not opinion.text:
                continue
            yield Feedback(
                id=f"{name}-{number}",
                trace_id=name,
                deployment=self._deployment,
                kind=opinion.kind if opinion.label is None or opinion.kind == "edit" else "label",
                score=opinion.score,
                text=opinion.text,
                label=opinion.label,
                author=opinion.author or "import",
                at=trace.at or datetime.now(UTC).isoformat(timespec="milliseconds"),
            )
