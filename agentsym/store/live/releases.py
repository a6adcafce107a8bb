"""Releases: the versions of a deployed agent, and the one that is live.

Every change is a compare-and-swap in one transaction with its entry in the audit log: of two who change the same
thing, one wins and the other is told; a process that dies leaves all of a change or nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from agentsym.errors import ConflictError, StoreError, UsageError
from agentsym.network.network import Network
from agentsym.store.database import explained
from agentsym.store.events import Texts, encode
from agentsym.store.inserting import insert_new
from agentsym.store.live.audit import append
from agentsym.store.live.lifecycle import BLOCKED, LEGAL, OPEN, Deployment, Release, State
from agentsym.store.live.schema import deployments, releases
from agentsym.store.locks import queue
from agentsym.store.schema import texts


class Releases:
    """The deployments of a store and their releases.

    All methods raise StoreError where the store cannot be read or written; those that change something name the actor,
    and raise ConflictError when another one was faster. With `unless_frozen`, which is for who is no person, they raise
    it too where the deployment is frozen.
    """

    def __init__(self, path: Any, writer: Engine, reader: Engine) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader

    def deployment(self, name: str) -> Deployment | None:
        """Return a deployment; None if there is none of that name."""
        found = self._rows(select(deployments).where(deployments.c.name == name))
        return Deployment.model_validate(dict(found[0]._mapping)) if found else None

    def deployments(self) -> tuple[Deployment, ...]:
        """Return all deployments by name."""
        found = self._rows(select(deployments).order_by(deployments.c.name))
        return tuple(Deployment.model_validate(dict(row._mapping)) for row in found)

    def release(self, name: str, version: str) -> Release:
        """Return a release by its version or the beginning of it (at least 6 digits).

        Raises:
            UsageError: there is none, or there are several.
        """
        is_it = releases.c.version.startswith(version, autoescape=True)
        found = self._rows(_releases(name).where(is_it)) if len(version) >= 6 else []
        if len(found) != 1:
            reason = "several begin with" if found else "there is none that begins with"
            raise UsageError(f"deployment {name!r}: of its versions, {reason} {version!r} (at least 6 digits)")
        return _release(found[0])

    def releases(self, name: str, *states: State) -> tuple[Release, ...]:
        """Return the releases of a deployment, the newest first, only those in some states if these are named."""
        query = _releases(name).order_by(releases.c.created.desc(), releases.c.version)
        return tuple(map(_release, self._rows(query.where(releases.c.state.in_(states)) if states else query)))

    def content(self, name: str, version: str) -> dict[str, Any]:
        """Return the network of a release as plain JSON."""
        query = select(texts.c.text).join(releases, releases.c.content == texts.c.hash)
        found = self._rows(query.where(releases.c.deployment == name, releases.c.version == version))
        if not found:
            raise StoreError(f"deployment {name!r} has no version {version[:12]}")
        content: dict[str, Any] = json.loads(found[0].text)
        return content

    def begin(self, name: str, network: Network, *, actor: str) -> Deployment:
        """Deploy an agent for the first time; where that is done already, return the deployment as it stands."""
        at = _now()
        with self._changing(name) as connection:
            known = connection.execute(select(deployments.c.name).where(deployments.c.name == name)).first()
            if known is None:
                self._add(connection, name, network, None, "live", "the first version", {})
                fields = {"live": network.version, "source": network.version, "changed": at}
                connection.execute(
                    deployments.insert().values(name=name, share=0.0, frozen=False, generation=1, **fields)
                )
                append(connection, actor, "deployed", _object(name, network.version))
        found = self.deployment(name)
        assert found is not None
        return found

    def take(self, name: str, network: Network, *, expected: str, actor: str) -> None:
        """Make the agent's own files, which people have changed, the live version.

        Raises:
            UsageError: they are a version that was rolled back or rejected.
            ConflictError: `expected` is not live any more.
        """
        with self._changing(name) as connection:
            state = self._state(connection, name, network.version)
            if state in BLOCKED:
                raise UsageError(
                    f"{name}: the agent's files are version {network.version[:12]}, which is {state} and cannot come "
                    "again; change them, or go on with what is live"
                )
            came = {} if expected == network.version else {"from": expected}
            if state is None:
                self._add(connection, name, network, None, "live", "people changed the agent", came)
            else:
                kept = {**self.release(name, network.version).details, **came}
                _set(connection, name, network.version, None, "live", "people went back to it", kept)
            if expected != network.version:
                _set(connection, name, expected, "live", "superseded", f"{network.version[:12]} took its place")
            _point(connection, name, expected, live=network.version, source=network.version, canary=None, share=0.0)
            append(connection, actor, "taken over", _object(name, network.version), {"from": expected})

    def propose(
        self,
        name: str,
        network: Network,
        *,
        parent: str,
        actor: str,
        details: Mapping[str, Any] | None = None,
        unless_frozen: bool = False,
    ) -> Release:
        """Write down a new candidate, as a draft.

        Raises:
            ConflictError: the parent has an open candidate, or is not live any more, or the version is known: refused
                before, rolled back, or in use.
        """
        with self._changing(name, unless_frozen=unless_frozen) as connection:
            live = connection.execute(select(deployments.c.live).where(deployments.c.name == name)).scalar()
            if live != parent:
                raise ConflictError(f"{name}: {parent[:12]} is not live any more, so nothing is built on it")
            found = connection.execute(_releases(name).where(releases.c.state.in_(OPEN))).first()
            if found is not None:
                raise ConflictError(f"{name}: there is an open candidate already ({found.version[:12]}, {found.state})")
            state = self._state(connection, name, network.version)
            if state is not None:
                raise ConflictError(
                    f"{name}: version {network.version[:12]} is known and {state}; it cannot come again"
                )
            self._add(connection, name, network, parent, "draft", "learned", details or {})
            append(connection, actor, "proposed", _object(name, network.version), {"parent": parent, **(details or {})})
        return self.release(name, network.version)

    def move(
        self,
        release: Release,
        to: State,
        *,
        actor: str,
        reason: str,
        details: Mapping[str, Any] | None = None,
        share: float = 0.0,
        unless_frozen: bool = False,
    ) -> Release:
        """Move an open candidate on, but not to `live` (that is `promote`).

        Args:
            release: the candidate as it was read.
            to: the next state.
            actor: who decides.
            reason: why.
            details: what is to be remembered with it, added to what is there.
            share: for `canary`: the share of the threads that it answers.
            unless_frozen: only where the deployment is not frozen.

        Raises:
            UsageError: that state cannot follow.
            ConflictError: another one has moved it meanwhile.
        """
        if to == "live" or release.state not in OPEN or to not in LEGAL[release.state]:
            raise UsageError(f"{release.version[:12]} is {release.state}; it cannot become {to}")
        name, version = release.deployment, release.version
        with self._changing(name, unless_frozen=unless_frozen) as connection:
            _set(connection, name, version, release.state, to, reason, {**release.details, **(details or {})})
            if to == "canary":
                _point(connection, name, None, canary=version, share=share)
            elif release.state == "canary":
                _point(connection, name, None, canary=None, share=0.0)
            append(
                connection,
                actor,
                to,
                _object(name, version),
                {"from": release.state, "reason": reason, **(details or {})},
            )
        return self.release(name, version)

    def promote(
        self,
        release: Release,
        *,
        expected: str,
        actor: str,
        reason: str,
        details: Mapping[str, Any] | None = None,
        unless_frozen: bool = False,
    ) -> Deployment:
        """Make a candidate the live version by compare-and-swap.

        Its details then hold `from`: the version whose place it took.

        Raises:
            UsageError: it cannot go live from its state.
            ConflictError: `expected` is not live any more, or another one has moved the candidate.
        """
        if release.state not in OPEN or "live" not in LEGAL[release.state]:
            back = "; one goes back to it with `agentsym evolve rollback --to`" if release.state == "superseded" else ""
            raise UsageError(f"{release.version[:12]} is {release.state}; it cannot become live{back}")
        name, version = release.deployment, release.version
        kept = {**release.details, **(details or {}), "from": expected}
        with self._changing(name, unless_frozen=unless_frozen) as connection:
            _point(connection, name, expected, live=version, canary=None, share=0.0)
            _set(connection, name, version, release.state, "live", reason, kept)
            _set(connection, name, expected, "live", "superseded", f"{version[:12]} took its place")
            append(
                connection,
                actor,
                "promoted",
                _object(name, version),
                {"from": expected, "reason": reason, **(details or {})},
            )
        return self._found(name)

    def roll_back(
        self, name: str, *, expected: str, to: str, actor: str, reason: str, details: Mapping[str, Any] | None = None
    ) -> Deployment:
        """Go back from the live version to an earlier one; the live one is block-listed with the reason.

        Raises:
            UsageError: the version to go back to has never been live.
            ConflictError: `expected` is not live any more.
        """
        target = self.release(name, to)
        if target.state != "superseded":
            raise UsageError(
                f"{target.version[:12]} is {target.state}; one goes back to a version that was live before"
            )
        with self._changing(name) as connection:
            _point(connection, name, expected, live=target.version, canary=None, share=0.0)
            _set(connection, name, expected, "live", "rolled_back", reason)
            back = {key: value for key, value in target.details.items() if key != "from"}  # it took nobody's place
            _set(connection, name, target.version, "superseded", "live", f"{expected[:12]} was rolled back", back)
            about = {"to": target.version, "reason": reason, **(details or {})}
            append(connection, actor, "rolled_back", _object(name, expected), about)
        return self._found(name)

    def freeze(self, name: str, frozen: bool, *, actor: str, reason: str = "") -> Deployment:
        """Stop learning, or let it go on; serving goes on in either case."""
        with self._changing(name) as connection:
            _point(connection, name, None, frozen=frozen)
            append(connection, actor, "frozen" if frozen else "unfrozen", name, {"reason": reason})
        return self._found(name)

    @contextmanager
    def _changing(self, name: str, *, unless_frozen: bool = False) -> Iterator[Connection]:
        """Open the one transaction that changes a deployment at a time."""
        with explained(self.path), self._writer.begin() as connection:
            queue(connection, f"deployment {name}")
            if unless_frozen and connection.scalar(select(deployments.c.frozen).where(deployments.c.name == name)):
                raise ConflictError(f"{name}: learning was frozen meanwhile; `agentsym evolve unfreeze` lets it go on")
            yield connection

    def _found(self, name: str) -> Deployment:
        found = self.deployment(name)
        if found is None:
            raise UsageError(f"there is no deployment {name!r}; `agentsym serve AGENT` makes one")
        return found

    def _add(
        self,
        connection: Connection,
        name: str,
        network: Network,
        parent: str | None,
        state: State,
        reason: str,
        details: Mapping[str, Any],
    ) -> None:
        held, at = Texts(), _now()
        plain = network.model_dump(mode="json", exclude_defaults=True)
        content = json.loads(encode("version", {"content": plain}, held))["content"]
        connection.execute(insert_new(connection, texts), held.rows())
        made = {"deployment": name, "version": network.version, "parent": parent, "state": state, "reason": reason}
        connection.execute(
            releases.insert().values(**made, content=content, created=at, changed=at, details=_json(details))
        )

    def _state(self, connection: Connection, name: str, version: str) -> State | None:
        found = connection.execute(_releases(name).where(releases.c.version == version)).first()
        return None if found is None else found.state

    def _rows(self, query: Any) -> list[Row[Any]]:
        with explained(self.path), self._reader.begin() as connection:
            return list(connection.execute(query))


def _releases(name: str) -> Any:
    return select(releases).where(releases.c.deployment == name)


def _release(row: Row[Any]) -> Release:
    plain = {key: value for key, value in row._mapping.items() if key != "content"}
    return Release.model_validate({**plain, "details": json.loads(row.details)})


def _point(connection: Connection, name: str, expected: str | None, **values: Any) -> None:
    """Change the deployment's row, if `expected` is live; it counts the change."""
    statement = deployments.update().where(deployments.c.name == name)
    if expected is not None:
        statement = statement.where(deployments.c.live == expected)
    made = statement.values(**values, generation=deployments.c.generation + 1, changed=_now())
    if connection.execute(made).rowcount != 1:
        what = "there is no such deployment" if expected is None else f"{expected[:12]} is not live any more"
        raise ConflictError(f"{name}: {what}; look again with `agentsym evolve status`")


def _set(
    connection: Connection,
    name: str,
    version: str,
    expected: State | None,
    state: State,
    reason: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Change a release's state, if it is in the one that is expected (None: whichever)."""
    statement = releases.update().where(releases.c.deployment == name, releases.c.version == version)
    if expected is not None:
        statement = statement.where(releases.c.state == expected)
    values = {"state": state, "reason": reason, "changed": _now()}
    made = statement.values(**values, **({} if details is None else {"details": _json(details)}))
    if connection.execute(made).rowcount != 1:
        raise ConflictError(
            f"{name}: {version[:12]} is not {expected} any more; look again with `agentsym evolve status`"
        )


def _object(name: str, version: str) -> str:
    return f"{name}@{version}"


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, default=str)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
