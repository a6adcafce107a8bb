"""A deployed agent with a history, its server with the dashboard, and a browser in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agentsym import Agent, Choice, PromptNode
from agentsym.deploy.dashboard.part import dashboard_part
from agentsym.deploy.server.app import create_app
from agentsym.deploy.server.settings import Settings
from agentsym.deploy.service import Service
from agentsym.network.records import Message, Step, ToolCall, Trajectory, Usage
from agentsym.store.live.lifecycle import Release
from agentsym.store.live.traces import Feedback, Trace
from agentsym.store.store import Store
from evals.report.browser import chromium, found
from evals.report.long_run import LongRun
from tests.deploy.conftest import Running, running

needs_browser = pytest.mark.skipif(found() is None, reason="no Chromium is installed")
TEAMS = {"billing": "money, invoices, refunds", "delivery": "parcels, couriers", "repair": "broken appliances"}
NAME = "support"
LABELS = tuple(TEAMS)


def support(rule: str = "Decide which team takes care of the message.") -> Agent:
    """Return the agent, with its instructions as they are in one version."""
    node = PromptNode("triage", rule, inputs=["message"], output={"team": Choice(TEAMS), "urgent": bool, "note": str})
    return Agent(NAME, nodes=[node])


class History(NamedTuple):
    """A store with a deployment that has been through something.

    Attributes:
        store: the store.
        first: the version that people wrote; it was live first.
        live: the version that took its place.
        held: a candidate that waits for a person.
        run: the run that learned it.
        secret: a token's secret text with the scope admin.
    """

    store: Store
    first: str
    live: str
    held: Release
    run: str
    secret: str


def history(store: Store, *, traces: int = 120, evil: str = "", names: str = "") -> History:
    """Write a history through the store: two versions that were live, a candidate that is held, traces, feedback.

    Args:
        store: where.
        traces: how many requests there were.
        evil: a text that stands in everything that people or models write.
        names: a text that stands in names: of threads, authors, tokens, of who acted.
    """
    releases, actor = store.releases, f"evolution{names}"
    one, two, three = (
        support(),
        support(f"Choose the team; urgent is what cannot wait.{evil}"),
        support(f"Choose the team by what is broken, lost or charged.{evil}"),
    )
    store.releases.begin(NAME, one, actor=f"ana{names}")
    began = datetime.now(UTC)
    store.traces.add(*_requests(one.version, 0, traces // 2, began, evil, names))
    _walked(store, two, one.version, actor, "validated", "shadow")
    second = releases.release(NAME, two.version)
    releases.promote(second, expected=one.version, actor=actor, reason=f"better on 64 rows{evil}")
    store.traces.add(*_requests(two.version, traces // 2, traces, datetime.now(UTC), evil, names))
    run = LongRun(store, 4, ticket=evil).write()
    _walked(store, three, two.version, actor, "validated", "shadow", run=run)
    held = releases.move(
        releases.release(NAME, three.version),
        "held",
        actor=actor,
        reason=f"only 24 of 30 rows: a person decides{evil}",
        details={
            "shadow": {
                "n": 24,
                "base": 0.75,
                "candidate": 0.875,
                "gain": {"mean": 0.125, "low": -0.01, "high": 0.26},
                "regressions": [f"row 7{evil}"],
                "cost_ratio": 1.04,
                "latency_ratio": 0.98,
                "reasons": [f"24 rows are fewer than 30{evil}"],
                "verdict": "hold",
            }
        },
    )
    secret = store.tokens.create(f"ana{names}".rstrip("\u202e"), ("admin",), actor="test").secret
    return History(store, one.version, two.version, held, run, secret)


def _walked(store: Store, network: Agent, parent: str, actor: str, *states: Any, run: str | None = None) -> None:
    details = {} if run is None else {"run": run}
    release = store.releases.propose(NAME, network, parent=parent, actor=actor, details=details)
    for state in states:
        release = store.releases.move(release, state, actor=actor, reason=f"{state} is due")


def _requests(
    version: str, first: int, end: int, at: datetime, evil: str, names: str
) -> tuple[list[Trace], list[Feedback]]:
    """Return requests number `first` to `end`: each tenth failed, each third was judged, later ones do better."""
    traces, said = [], []
    for number in range(first, end):
        when = (at + timedelta(microseconds=number)).isoformat(timespec="microseconds")
        trace = _request(number, version, when, evil, names)
        traces.append(trace)
        if number % 3 == 0:
            score = 1.0 if number % 2 or number > end * 0.7 else 0.0
            about = {"trace_id": trace.id, "deployment": NAME, "author": f"app{names}", "at": when}
            said.append(Feedback(id=f"f{number}", kind="thumb", score=score, text=f"thanks{evil}", **about))
        if number % 12 == 0:
            said.append(Feedback(id=f"l{number}", kind="label", label={"note": f"call back{evil}"}, **about))
    return traces, said


def _request(number: int, version: str, at: str, evil: str, names: str) -> Trace:
    failed = number % 10 == 9
    inputs = {"message": f"My parcel {number} has not arrived, who can tell me where it is?{evil}"}
    output = {} if failed else {"team": LABELS[number % 3], "urgent": number % 2 == 0, "note": f"parcel {number}{evil}"}
    usage = Usage(calls=1, prompt_tokens=210 + number % 7, completion_tokens=18, usd=0.0004)
    step = Step(
        index=0,
        node="triage",
        inputs=inputs,
        messages=(
            Message(role="system", content=f"Choose the team.{evil}"),
            Message(role="user", content=inputs["message"]),
        ),
        tool_calls=(ToolCall(tool="track", arguments={"parcel": f"{number}{evil}"}, result={"at": f"depot{evil}"}),),
        raw=f'{{"team": "{LABELS[number % 3]}"}}{evil}',
        output=output,
        usage=usage,
        seconds=0.42,
        error=f"the answer did not fit{evil}" if failed else None,
    )
    status = "error" if failed else "ok"
    trajectory = Trajectory(
        id=f"t{number}", version=version, inputs=inputs, steps=(step,), output=output, status=status, error=step.error
    )
    return Trace(
        id=f"t{number}",
        deployment=NAME,
        version=version,
        thread=f"customer {number % 5}{names}",
        at=at,
        example_id=f"e{number}",
        status=status,
        error=step.error,
        calls=1,
        tokens=usage.tokens,
        usd=usage.usd,
        seconds=0.45,
        trajectory=trajectory,
    )


class Served(NamedTuple):
    """A history that is served."""

    history: History
    running: Running

    @property
    def url(self) -> str:
        """Where the dashboard is."""
        return f"{self.running.url}/dashboard/"


Serve = Callable[..., Served]


def served(stack: ExitStack, folder: Path, **how: Any) -> Served:
    """Write a history into a folder and serve it until the stack ends."""
    made = history(stack.enter_context(Store.open(folder / "agentsym.db")), **how)
    service = Service(made.store, NAME, support())
    app = create_app(service, Settings(grace=2.0), parts=[dashboard_part])
    return Served(made, stack.enter_context(running(app, service)))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve a history that may be changed."""
    with ExitStack() as stack:
        yield lambda **how: served(stack, tmp_path, **how)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    with chromium() as browser:
        yield browser


class Person:
    """Somebody in front of a browser, with all that the browser complained of or asked for.

    Args:
        browser: the browser.
        served: what is looked at.
        signed_in: whether the person has signed in already.
        width: of the window, in pixels.
        more: how the window is opened: its colours, with JavaScript or without.
    """

    def __init__(self, browser: Any, served: Served, *, signed_in: bool = True, width: int = 1280, **more: Any) -> None:
        self.served = served
        self.page = browser.new_page(viewport={"width": width, "height": 900}, **more)
        self.page.set_default_timeout(10_000)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        if signed_in:
            self.open("login")
            self.page.fill("#token", served.history.secret)
            self.page.click("#sign-in")
            self.page.wait_for_selector("#live-version")

    def open(self, path: str = "") -> Any:
        """Go to a page of the dashboard and return the response."""
        return self.page.goto(self.served.url + path)

    def text(self, selector: str) -> str:
        """Return what stands there, on one line."""
        return " ".join(self.page.inner_text(selector).split())

    def elsewhere(self) -> list[str]:
        """Return the addresses of other hosts that were asked for."""
        return [url for url in self.requests if not url.startswith((self.served.running.url, "data:"))]
