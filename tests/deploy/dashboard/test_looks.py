"""The pages can be read: by those who see little, in the dark, on a phone, and by those who hear them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest

from evals.report.browser import CONTRAST
from tests.deploy.dashboard.conftest import Person, Served, needs_browser, served

pytestmark = needs_browser
PATHS = ("", "candidates", "candidates/{held}", "traces", "traces/t9", "audit?verify=1", "tokens", "nothing")
LONG = " " + "Donaudampfschifffahrtsgesellschaftskapitän" * 6


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A deployment whose texts are long and hard to break."""
    with ExitStack() as stack:
        yield served(stack, tmp_path_factory.mktemp("looks"), traces=60, evil=LONG, names=LONG)


def visited(person: Person) -> Iterator[str]:
    """Go through all pages, with everything open."""
    for path in PATHS:
        person.open(path.format(held=person.served.history.held.version))
        person.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        yield path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(browser: Any, place: Served, scheme: str) -> None:
    person = Person(browser, place, color_scheme=scheme)
    assert [(path, poor) for path in visited(person) if (poor := person.page.evaluate(CONTRAST))] == []
    person.page.context.clear_cookies()
    person.open("login")
    assert person.page.evaluate(CONTRAST) == []


def test_a_phone_scrolls_down_only(browser: Any, place: Served) -> None:
    person = Person(browser, place, width=390)
    wide = "document.documentElement.scrollWidth - innerWidth"
    assert {path: person.page.evaluate(wide) for path in visited(person)} == dict.fromkeys(PATHS, 0)


def test_headings_go_down_one_by_one_and_everything_has_a_name(browser: Any, place: Served) -> None:
    person = Person(browser, place)
    for path in visited(person):
        levels = person.page.eval_on_selector_all("h1,h2,h3,h4", "all => all.map(e => +e.tagName[1])")
        assert levels[0] == 1 and levels.count(1) == 1, path
        assert all(after <= before + 1 for before, after in pairwise(levels)), (path, levels)
        assert person.page.evaluate(NAMELESS) == [], path
        assert person.page.locator("html[lang=en] main").count() == 1
    person.open()
    described = person.page.get_attribute(".agentsym-chart", "aria-describedby")
    assert "The mean score of" in person.page.inner_html(f"#{described}")
    person.page.click("#figures summary")
    assert person.page.is_visible("[aria-label='Score over requests'] tbody tr")


NAMELESS = """() => [...document.querySelectorAll('input, select, textarea, button, a, svg, .scroll, table')]
  .filter(e => e.type !== 'hidden' && !e.hidden)
  .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() && !e.matches('svg') || e.labels?.length))
  .map(e => e.outerHTML.slice(0, 80))"""


def test_light_and_dark_can_be_chosen(browser: Any, place: Served) -> None:
    person = Person(browser, place, color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = person.page.evaluate(background)
    person.page.click("#theme")
    dark = person.page.evaluate(background)
    person.open("traces")
    assert light != dark == person.page.evaluate(background), "and it stays so"
