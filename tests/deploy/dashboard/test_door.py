"""Who gets in and whose forms count, asked over HTTP as no browser would."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from agentsym.deploy.dashboard.app import LOGIN_S
from agentsym.deploy.dashboard.entrance import FAILURES, WITHIN_S, Attempts, same_site
from agentsym.deploy.dashboard.pages.login import within
from tests.deploy.dashboard.conftest import NAME, Serve, Served, served

PAGES = ("", "candidates", "traces", "traces/t1", "audit", "tokens", "runs/x")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A deployment that nobody changes here."""
    with ExitStack() as stack:
        yield served(stack, tmp_path_factory.mktemp("door"), traces=24)


def visitor(place: Served, **headers: str) -> httpx.Client:
    """Return a client that sends what a browser sends with the forms of this site."""
    return httpx.Client(base_url=place.url, headers={"origin": place.running.url, **headers}, timeout=20)


@contextmanager
def signed_in(place: Served) -> Iterator[httpx.Client]:
    """Open a client with a session."""
    with visitor(place) as client:
        assert client.post("login", data={"token": place.history.secret}).status_code == 303
        yield client


def key(client: httpx.Client) -> str:
    """Return the key of the client's session, as it stands in the forms."""
    found = re.search(r'name="key" value="([0-9a-f]{64})"', client.get("tokens").text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("page", PAGES)
def test_without_a_session_there_is_only_the_form(place: Served, page: str) -> None:
    with visitor(place) as client:
        answer = client.get(page)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/dashboard/login")
        assert client.get(page, headers={"authorization": f"Bearer {place.history.secret}"}).status_code == 303


def test_the_cookie_is_for_this_site_only(serve: Serve) -> None:
    place = serve(traces=1)
    with visitor(place) as client:
        plain = client.post("login", data={"token": place.history.secret}).headers["set-cookie"]
    with visitor(place, **{"x-forwarded-proto": "https"}) as client:
        secure = client.post("login", data={"token": place.history.secret}).headers["set-cookie"]
    for cookie in (plain, secure):
        for said in ("HttpOnly", "SameSite=strict", "Max-Age=43200", "Path=/dashboard"):
            assert said in cookie
    assert "Secure" in secure and "Secure" not in plain
    secret = re.search("agentsym_session=([^;]+)", plain)
    assert secret is not None
    found = place.history.store.sessions.find(secret[1])
    assert found is not None and secret[1] not in found.model_dump_json()


def test_every_token_that_may_not_get_in_is_answered_alike(serve: Serve) -> None:
    place = serve(traces=1)
    store, good = place.history.store, place.history.secret
    revoked = store.tokens.create("gone", ("admin",), actor="test")
    store.tokens.revoke(revoked.token.id, actor="test")
    kinds = {
        "no token at all": "x",
        "an unknown id": f"agentsym_0123456789ab_{'x' * 43}",
        "a wrong secret": good[:-2] + "__",
        "another scope": store.tokens.create("app", ("invoke", "feedback"), actor="test").secret,
        "revoked": revoked.secret,
        "expired": store.tokens.create("old", ("admin",), actor="test", days=1e-9).secret,
    }
    answers, times = set(), []
    with visitor(place) as client:
        for secret in kinds.values():
            began = time.perf_counter()
            answer = client.post("login", data={"token": secret})
            times.append(time.perf_counter() - began)
            answers.add((answer.status_code, answer.text, answer.headers.get("set-cookie")))
        began = time.perf_counter()
        assert client.post("login", data={"token": good}).status_code == 303
        times.append(time.perf_counter() - began)
    assert len(answers) == 1 and answers.pop()[0] == 401
    assert min(times) >= LOGIN_S, "what is left after the longest check says nothing"


def test_wrong_tokens_are_taken_so_many_times_only(serve: Serve) -> None:
    place = serve(traces=1)
    with visitor(place) as client:
        seen = [client.post("login", data={"token": "wrong"}).status_code for _ in range(FAILURES + 1)]
        assert seen == [401] * FAILURES + [429]
        late = client.post("login", data={"token": place.history.secret})
        assert late.status_code == 429 and 0 < int(late.headers["retry-after"]) <= WITHIN_S + 1


def test_attempts_are_forgotten_after_a_while_and_by_a_right_token() -> None:
    now = 0.0
    attempts = Attempts(clock=lambda: now)
    for _ in range(FAILURES):
        assert attempts.wait("a") == 0
        attempts.begin("a")
    assert attempts.wait("a") == pytest.approx(WITHIN_S) and attempts.wait("b") == 0
    now = WITHIN_S
    assert attempts.wait("a") == 0
    for _ in range(FAILURES):
        attempts.begin("b")
    attempts.right("b")
    assert attempts.wait("b") == 0


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"origin": "http://here:1", "host": "here:1"}, True),
        ({"origin": "https://here", "host": "here"}, True),
        ({"origin": "http://here:2", "host": "here:1"}, False),
        ({"origin": "null", "host": "here"}, False),
        ({"host": "here"}, False),
        ({"sec-fetch-site": "same-origin", "host": "here"}, True),
        ({"sec-fetch-site": "same-site", "origin": "http://here", "host": "here"}, False),
        ({"sec-fetch-site": "none", "host": "here"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "http://evil", "host": "here"}, False),
    ],
)
def test_browsers_tell_where_a_form_comes_from(headers: dict[str, str], ours: bool) -> None:
    assert same_site(headers) is ours


FORMS = ("freeze", "roll_back", "candidates/{held}/approve", "candidates/{held}/reject", "traces/t1", "logout")


@pytest.mark.parametrize("form", FORMS)
def test_forms_from_elsewhere_are_refused(place: Served, form: str) -> None:
    path = form.format(held=place.history.held.version)
    with signed_in(place) as client:
        data = {"key": key(client), "frozen": "yes", "reason": "r", "kind": "up"}
        before = place.history.store.audit.entries(most=1), place.history.store.traces.feedback_of(["t1"])
        for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
            assert client.post(path, data=data, headers=headers).status_code == 403
        for wrong in ("", "0" * 64, "é"):
            assert client.post(path, data={**data, "key": wrong}).status_code == 403
        with signed_in(place) as other:
            after = place.history.store.audit.entries(most=1)
            assert client.post(path, data={**data, "key": key(other)}).status_code == 403
        assert after[0].event == "signed in" and after == place.history.store.audit.entries(most=1)
        assert before[1] == place.history.store.traces.feedback_of(["t1"])
        assert client.get("tokens").status_code == 200, "the session goes on"


@pytest.mark.parametrize("form", FORMS)
def test_forms_take_a_session(place: Served, form: str) -> None:
    with visitor(place) as client:
        answer = client.post(form.format(held=place.history.held.version), data={"frozen": "yes"})
        assert answer.status_code == 401 and "sign in again" in answer.text


def test_the_form_for_signing_in_is_this_site_s_too(place: Served) -> None:
    with visitor(place, origin="http://evil.example") as client:
        answer = client.post("login", data={"token": place.history.secret})
        assert answer.status_code == 403 and "set-cookie" not in answer.headers


def test_a_session_ends_with_its_token(serve: Serve) -> None:
    place = serve(traces=1)
    with signed_in(place) as client:
        assert client.get("traces").status_code == 200
        place.history.store.tokens.revoke("ana", actor="test")
        assert client.get("traces").status_code == 303


@pytest.mark.parametrize("page", [*PAGES[:-1], "nothing", "login"])
def test_every_page_says_what_browsers_may_do(place: Served, page: str) -> None:
    with signed_in(place) as client:
        headers = client.get(page).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';") and "unsafe" not in policy
    for said in ("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert said in policy
    assert headers["x-frame-options"] == "DENY" and headers["cache-control"] == "no-store"
    assert headers.get_list("referrer-policy") == ["same-origin"], "else forms would not say where they come from"


def test_styles_and_scripts_are_there_for_everybody_and_nothing_else_is(place: Served) -> None:
    with visitor(place) as client:
        for name in ("page.css", "chart.css", "dashboard.css", "page.js", "dashboard.js"):
            assert client.get(f"static/{name}").status_code == 200
        for name in ("app.py", "../app.py", "..%2Fapp.py", "nothing.css"):
            assert client.get(f"static/{name}").status_code in (303, 404)


def test_a_form_that_is_too_large_or_unreadable_is_refused(place: Served) -> None:
    with signed_in(place) as client:
        assert client.post("freeze", content=b"x" * 1_000_001).status_code == 413
        assert client.post("freeze", content=b"&".join([b"a=b"] * 1000)).status_code == 413
        assert client.post("freeze", content=b"\xff\xfe=\xff").status_code == 403


def test_what_is_not_there_is_said_to_be_not_there(place: Served) -> None:
    with signed_in(place) as client:
        for path in ("candidates/000000000000", "candidates/x", "traces/none", "runs/none", "?window=7"):
            answer = client.get(path)
            assert answer.status_code == 404 and 'role="alert"' in answer.text
        assert client.get("freeze").status_code == 405
        assert client.post("traces/none", data={"key": key(client), "kind": "up"}).status_code == 422


def test_a_store_that_does_not_answer_is_told(serve: Serve) -> None:
    place = serve(traces=1)
    with signed_in(place) as client, place.history.store._writer.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE releases RENAME TO elsewhere")
        connection.commit()
        answer = client.get("candidates")
        assert answer.status_code == 503 and "The store does not answer" in answer.text


def test_the_path_without_a_slash_leads_in(place: Served) -> None:
    answer = httpx.get(f"{place.running.url}/dashboard")
    assert answer.status_code == 308 and answer.headers["location"] == "/dashboard/"


@pytest.mark.parametrize("after", ["//evil.example", "/x", "http://evil.example", "a/../../x", "javascript:x", "é"])
def test_signing_in_leads_nowhere_else(after: str) -> None:
    assert within(after) == ""


def test_one_deployment_s_dashboard_shows_no_trace_of_another(serve: Serve) -> None:
    place = serve(traces=2)
    trace = place.history.store.traces.recent(NAME, most=1)[0]
    place.history.store.traces.add([trace.model_copy(update={"id": "foreign", "deployment": "other"})])
    with signed_in(place) as client:
        assert client.get("traces/foreign").status_code == 404 and "foreign" not in client.get("traces").text
