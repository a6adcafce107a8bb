"""A visit of a page and what it is answered with, as plain values: pages know nothing of HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode

from agentsym.deploy.decisions import Decisions
from agentsym.errors import UsageError
from agentsym.store.live.sessions import Session
from agentsym.store.live.traces import Feedback, Kind
from agentsym.store.store import Store


class GiveFeedback(Protocol):
    """Records feedback, checked and redacted: `Service.feedback`."""

    def __call__(
        self,
        trace_id: str,
        kind: Kind,
        *,
        author: str,
        score: float | None = None,
        text: str = "",
        label: Mapping[str, Any] | None = None,
    ) -> Awaitable[Feedback]:
        """Record what somebody says of a trace; raises UsageError where it does not fit."""
        ...


class Desk(NamedTuple):
    """What the dashboard shows and what it can do."""

    store: Store
    deployment: str
    feedback: GiveFeedback


class Visit(NamedTuple):
    """Somebody who is signed in asks for a page, or sends a form.

    Attributes:
        desk: what there is to see.
        session: who asks.
        path: the parts of the path by name.
        query: what stands behind the question mark.
        form: the fields of the form.
    """

    desk: Desk
    session: Session
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]

    @property
    def decisions(self) -> Decisions:
        """What whoever asks may decide."""
        return Decisions(self.desk.store, self.desk.deployment, self.actor)

    @property
    def actor(self) -> str:
        """Whose name the audit log and feedback carry."""
        return self.session.token.name

    def number(self, name: str) -> int | None:
        """Return a place in the store that the query names; None where there is none."""
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

    def reason(self) -> str:
        """Return the form's reason.

        Raises:
            UsageError: there is none.
        """
        reason = self.form.get("reason", "").strip()
        if not reason:
            raise UsageError("a reason is needed: whoever reads the audit log later has nothing else to go by")
        return reason


class Page(NamedTuple):
    """A page: its template, what stands in it, and its HTTP status."""

    template: str
    values: Mapping[str, Any]
    status: int = 200


class Document(NamedTuple):
    """A page that is whole already, with the policy that it was made for."""

    html: str
    policy: str


class Redirect(NamedTuple):
    """Where the browser is sent after a form, relative to the dashboard."""

    to: str


Reply = Page | Document | Redirect
Handler = Callable[[Visit], Reply] | Callable[[Visit], Awaitable[Reply]]


def link(*path: str, **query: str | int | None) -> str:
    """Return an address relative to the dashboard; whatever stands in it, it leads nowhere else."""
    known = {name: value for name, value in query.items() if value not in (None, "")}
    return "/".join(quote(part, safe="") for part in path) + (f"?{urlencode(known)}" if known else "")
