"""Whatever people and models write is text in every page: nothing of it runs, loads or turns a line around."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from agentsym.store.live.traces import Feedback, Trace
from tests.deploy.dashboard.conftest import NAME, Person, Served, needs_browser, served

pytestmark = needs_browser
EVIL = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>"
    '</textarea></title></style><a href="javascript:alert(4)">here</a>{{ 7*7 }}{% raw %}'
    "<link rel=stylesheet href=//evil.example/x.css>\u202e"
)
ODD = f"odd/../{EVIL}?#%2e"  # an id that another program has made


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A deployment in which everything that can be written holds markup."""
    with ExitStack() as stack:
        made = served(stack, tmp_path_factory.mktemp("poisoned"), evil=EVIL, names=EVIL)
        store = made.history.store
        at = store.traces.recent(NAME, most=1)[0].at
        odd = Trace(id=ODD, deployment=NAME, version=EVIL, thread=EVIL, at=at, example_id=EVIL, status=EVIL, error=EVIL)
        said = Feedback(
            id="odd",
            trace_id=ODD,
            deployment=NAME,
            kind="edit",
            label={EVIL: [EVIL]},
            text=EVIL,
            author=EVIL,
            at=EVIL,
        )
        store.traces.add([odd], [said])
        store.audit.write(EVIL, EVIL, f"{NAME}@{EVIL}", {EVIL: EVIL})
        yield made


PATHS = (
    "",
    "candidates",
    "candidates/{held}",
    "candidates/{live}",
    "candidates/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "traces",
    "traces?thread=%3Cscript%3Ealert(1)%3C/script%3E&version=%22%3E%3Cimg%20src=x%3E",
    "traces/t8",
    "traces/t9",
    "audit?verify=1",
    "tokens",
    "runs/{run}",
    "login?after=javascript:alert(1)",
    "?done=%3Cscript%3E",
    "nothing/%3Cscript%3Ealert(1)%3C/script%3E",
)


@pytest.fixture(scope="module")
def person(browser: Any, poisoned: Served) -> Person:
    """Somebody who has signed in."""
    return Person(browser, poisoned)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_of_it_runs_or_loads(person: Person, path: str) -> None:
    history = person.served.history
    person.errors.clear()
    answer = person.open(path.format(held=history.held.version, live=history.live, run=history.run))
    assert [error for error in person.errors if "404" not in error] == [] and person.elsewhere() == []
    if not path.startswith("runs"):
        assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
        foreign = (
            "script:not([src*='/dashboard/static/']), [onload], [onerror], main img, main svg svg, main a[href^=java]"
        )
        assert person.page.locator(foreign).count() == 0
        assert "\u202e" not in person.page.content()


def test_it_is_shown_as_it_was_written(person: Person) -> None:
    person.open("traces/t8")
    assert person.text("#happened ~ details .said").startswith("team: repair")
    shown = person.page.inner_text("main")
    assert EVIL[:-1] in shown and "{{ 7*7 }}" in shown, "neither a browser nor a template has read it"
    assert person.page.input_value("[name='output.note']") == f"parcel 8{EVIL[:-1]}\ufffd"


def test_a_trace_with_an_odd_id_is_found_and_judged(person: Person) -> None:
    person.open("traces")
    person.page.locator("#found th a").first.click()
    assert EVIL[:20] in person.text("#opinions")
    person.errors.clear()
    person.page.check("[name=kind][value=up]")
    person.page.click("#judge")
    assert person.errors == [] and len(person.served.history.store.traces.feedback_of([ODD])[ODD]) == 2


def test_the_policy_stops_what_would_have_got_in(browser: Any, poisoned: Served) -> None:
    person = Person(browser, poisoned)
    person.errors.clear()
    person.page.evaluate(
        "h => { document.querySelector('main').innerHTML = h }", "<img src=x onerror=alert(1)><b style='color:red'>b"
    )
    person.page.wait_for_timeout(200)
    assert any("Content Security Policy" in error for error in person.errors) and "1" not in person.errors
