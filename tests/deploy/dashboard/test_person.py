"""The dashboard as a person uses it: in a real browser, on a real server, with the store as the judge."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agentsym.store.live.audit import Entry
from agentsym.store.live.traces import Trace
from tests.deploy.conftest import eventually
from tests.deploy.dashboard.conftest import NAME, Person, Serve, needs_browser

pytestmark = needs_browser


def newest(person: Person) -> Entry:
    """Return the newest entry of the audit log."""
    return person.served.history.store.audit.entries(most=1)[0]


def test_the_first_page_says_what_is_live_and_what_waits(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    history = person.served.history
    assert person.text("#live-version") == history.live[:12]
    assert person.text("#open") == f"{history.held.version[:12]} held"
    assert person.text("#canary") == "none" and person.text("#learning") == "on" and person.text("#requests") == "120"
    cells = person.page.eval_on_selector_all(
        "[aria-labelledby=versions] tbody tr", "all => all.map(row => [...row.children].map(e => e.innerText))"
    )
    totals, worth = history.store.traces.totals(NAME), history.store.figures.worth(NAME)
    for version, row in zip((history.live, history.first), cells, strict=True):
        assert row[0].split() == [version[:12], "live" if version == history.live else "superseded"]
        assert row[1:4] == [str(totals[version]["requests"]), "6", f"{totals[version]['tokens']:,}"]
        assert row[-2:] == [str(worth[version].scored), f"{worth[version].score:.3f}"]
    assert person.page.locator(".agentsym-chart .change.promoted").count() == 2  # a line and its number
    assert person.text(".marks li").startswith(f"promoted: {NAME}@{history.live[:12]}, ")
    assert person.errors == [] and person.elsewhere() == []


def test_a_held_candidate_is_approved_and_is_live(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    history = person.served.history
    person.page.click("#open a")
    assert person.text("#state") == "held" and person.text("#gain") == "+0.125"
    assert "Choose the team by what is broken, lost or charged." in person.text(".diff .plus")
    person.page.fill("#approve-reason", "looks right to me")
    person.page.click("#approve")
    assert person.text("#notice").startswith("Approved") and person.text("#state") == "live"
    person.open()
    assert person.text("#live-version") == history.held.version[:12] and person.text("#open") == "none"
    entry = newest(person)
    assert (entry.actor, entry.event) == ("ana", "promoted") and "looks right to me" in entry.details
    release = history.store.releases.release(NAME, history.held.version)
    assert release.details["from"] == history.live, "the monitor knows what to go back to"


def test_a_candidate_is_rejected_with_a_reason_only(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    history = person.served.history
    person.open(f"candidates/{history.held.version}")
    person.page.click("#reject")  # the browser asks for the reason
    assert history.store.releases.release(NAME, history.held.version).state == "held"
    person.page.fill("#reject-reason", "too wordy")
    person.page.click("#reject")
    assert person.text("#state") == "rejected" and person.text("#reason") == "too wordy"
    assert person.page.locator("#approve, #reject").count() == 0


def test_one_goes_back_to_the_version_before(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    history = person.served.history
    person.page.fill("#roll-back-reason", "complaints")
    person.page.click("#roll-back")
    assert person.text("#live-version") == history.first[:12]
    assert history.store.releases.release(NAME, history.live).state == "rolled_back"
    assert person.page.locator(".agentsym-chart .change.turned").count() == 2


def test_learning_is_frozen_and_let_go_on(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    for frozen in ("frozen", "on"):
        person.page.click("#freeze")
        assert person.text("#learning") == frozen
        deployment = person.served.history.store.releases.deployment(NAME)
        assert deployment is not None and deployment.frozen is (frozen == "frozen")


def test_what_changed_meanwhile_is_told_and_nothing_is_done(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    history = person.served.history
    person.open(f"candidates/{history.held.version}")
    history.store.releases.roll_back(NAME, expected=history.live, to=history.first, actor="bob", reason="on fire")
    with person.page.expect_navigation() as navigation:
        person.page.click("#approve")
    assert navigation.value.status == 409
    assert "is not live any more" in person.text("#problem") and "Nothing was done" in person.text("main")
    row = person.text("main tbody tr")
    assert "bob rolled back" in row.replace("_", " ") and "on fire" in row
    assert history.store.releases.release(NAME, history.held.version).state == "held"


def test_traces_are_paged_there_and_back(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    person.open("traces")
    pages = [listed(person)]
    while person.page.locator("#older").count():
        person.page.click("#older")
        pages.append(listed(person))
    assert [len(page) for page in pages] == [50, 50, 20]
    assert [trace for page in pages for trace in page] == [f"t{number}" for number in reversed(range(120))]
    for page in reversed(pages[:-1]):
        person.page.click("#newer")
        assert listed(person) == page
    assert person.page.locator("#newer").count() == 0


def listed(person: Person) -> list[str]:
    """Return the ids of the traces in the list."""
    links = person.page.eval_on_selector_all("#found th a", "all => all.map(a => a.getAttribute('href'))")
    return [link.rpartition("/")[2] for link in links]


@pytest.mark.parametrize(
    ("field", "value", "holds"),
    [
        ("#status", "error", lambda trace, judged: trace.status == "error"),
        ("#judged", "yes", lambda trace, judged: trace.id in judged),
        ("#judged", "no", lambda trace, judged: trace.id not in judged),
        ("#thread", "customer 3", lambda trace, judged: trace.thread == "customer 3"),
    ],
)
def test_traces_are_filtered(browser: Any, serve: Serve, field: str, value: str, holds: Any) -> None:
    person = Person(browser, serve(traces=60))
    person.open("traces")
    choose(person, field, value)
    person.page.click("#filter")
    traces = person.served.history.store.traces
    everything: tuple[Trace, ...] = traces.recent(NAME, most=1000)
    judged = traces.feedback_of(trace.id for trace in everything)
    assert listed(person) == [trace.id for trace in everything if holds(trace, judged)][:50]


def choose(person: Person, field: str, value: str) -> None:
    """Fill a field or choose in it."""
    if person.page.locator(f"select{field}").count():
        person.page.select_option(field, value)
    else:
        person.page.fill(field, value)


def test_a_trace_shows_what_happened_in_it(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    person.open("traces/t8")
    person.page.click("details.step summary")
    shown = person.text("main")
    for said in ("customer 3", "My parcel 8 has not", "Choose the team.", "track", '"parcel": "8"', '"at": "depot"'):
        assert said in shown
    person.open("traces/t9")
    assert person.text("#error") == "the answer did not fit" and person.page.is_visible("details.step .body")


def test_a_person_says_what_they_think_of_an_answer(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    person.open("traces/t4")
    person.page.check("[name=kind][value=down]")
    person.page.fill("#text", "wrong team")
    person.page.click("#judge")
    assert re.match(r"thumb 0\.00 by ana, .* wrong team$", person.text("#opinions li"))
    person.page.check("[name=kind][value=label]")
    person.page.select_option("[name='output.team']", "repair")
    person.page.select_option("[name='output.urgent']", "false")
    person.page.fill("[name='output.note']", "")
    person.page.click("#judge")
    thumb, label = person.served.history.store.traces.feedback_of(["t4"])["t4"]
    assert (thumb.kind, thumb.score, thumb.text, thumb.author) == ("thumb", 0.0, "wrong team", "ana")
    assert (label.kind, label.label) == ("label", {"team": "repair", "urgent": False})


def test_what_a_person_writes_is_redacted_like_all_feedback(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    person.open("traces/t4")
    person.page.check("[name=kind][value=up]")
    person.page.fill("#text", "ask joe@example.com")
    person.page.click("#judge")
    assert person.text("#opinions li").endswith("ask [email]")


def test_the_audit_log_is_paged_and_verified(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    store = person.served.history.store
    for number in range(60):
        store.audit.write("test", "noted", f"thing {number}")
    person.open("audit")
    assert person.page.locator("main tbody tr").count() == 50
    assert person.text("#head") == store.audit.entries(most=1)[0].hash
    person.page.click("#older")
    assert person.text("main tbody th").isdigit() and person.page.locator("#newest").count() == 1
    person.page.click("#verify")
    assert person.text("#verified").startswith(f"All {newest(person).seq} entries fit together")


def test_a_log_that_somebody_has_changed_is_found_out(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    with person.served.history.store._writer.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_refuse_update")
        connection.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE seq = 3")
    person.open("audit?verify=1")
    assert person.text("#verified").startswith("Entry 3 is wrong")


def test_the_report_of_the_run_that_learned_a_candidate_can_be_read(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    history = person.served.history
    person.open(f"candidates/{history.held.version}")
    person.page.click(f"text={history.run}")
    assert history.run in person.text("header") and person.page.is_visible("#after")
    person.page.click("#theme")
    assert person.errors == [] and person.elsewhere() == []


def test_a_token_is_revoked_and_its_session_ends(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    other = person.served.history.store.tokens.create("phone app", ("invoke",), actor="test").token
    person.open("tokens")
    person.page.click(f"[aria-label='Revoke phone app, {other.id}']")
    assert person.served.history.store.tokens.good(other.id) is None
    person.page.click("[aria-label^='Revoke ana']")
    assert person.page.url.partition("?")[0].endswith("/dashboard/login")


def test_signing_out_ends_the_session_for_good(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    (cookie,) = person.page.context.cookies()
    person.page.click("#logout")
    assert person.page.url.endswith("/dashboard/login")
    person.page.context.add_cookies([cookie])
    person.open("traces")
    assert person.page.url.partition("?")[0].endswith("/dashboard/login")


def test_after_signing_in_one_is_where_one_wanted_to_be(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve(), signed_in=False)
    person.open("traces?status=error")
    person.page.fill("#token", person.served.history.secret)
    person.page.keyboard.press("Enter")
    person.page.wait_for_url("**/dashboard/traces?status=error")


def test_a_wrong_token_is_refused(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve(), signed_in=False)
    person.open("login")
    person.page.fill("#token", person.served.history.secret[:-1] + "_")
    with person.page.expect_navigation() as navigation:
        person.page.click("#sign-in")
    assert navigation.value.status == 401 and "That is no token" in person.text("#problem")
    assert person.page.context.cookies() == []


def test_figures_become_fresh_by_themselves(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve())
    history = person.served.history
    history.store.releases.roll_back(NAME, expected=history.live, to=history.first, actor="bob", reason="on fire")
    person.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    eventually(lambda: person.text("#live-version") == history.first[:12])
    assert history.first[:12] in person.page.inner_text("#announced")
    person.page.click("text=Pause updates")
    assert person.page.is_visible("text=Go on updating") and person.errors == []


def test_everything_works_without_javascript(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve(), java_script_enabled=False)
    person.page.click("#open a")
    person.page.click("#approve")
    assert person.text("#state") == "live"
    person.page.click("nav a:has-text('Overview')")
    assert person.text("#live-version") == person.served.history.held.version[:12]
    person.page.click("text=Refresh")
    assert person.page.is_visible(".agentsym-chart")


def test_the_keyboard_is_enough(browser: Any, serve: Serve) -> None:
    person = Person(browser, serve(), signed_in=False)
    person.open("login")
    keys = person.page.keyboard
    keys.type(person.served.history.secret)  # the field has the focus
    keys.press("Enter")
    person.page.wait_for_selector("#live-version")
    walk(person, "#open a")
    keys.press("Enter")
    person.page.wait_for_selector("#approve")
    walk(person, "#approve")
    outline = person.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "who uses the keyboard sees where they are"
    keys.press("Enter")
    person.page.wait_for_selector("#notice")
    assert person.text("#state") == "live"


def walk(person: Person, selector: str, most: int = 60) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(most):
        person.page.keyboard.press("Tab")
        if person.page.evaluate("s => document.activeElement === document.querySelector(s)", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")
