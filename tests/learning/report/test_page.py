"""The page as a browser shows it: every figure is the store's, nothing is loaded, nothing of a row or model runs.

Chromium of the system is steered by playwright; where there is none, these tests are skipped. What needs no browser is
checked on the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agentsym.learning.gate import mean
from agentsym.learning.report.page import page, write
from agentsym.learning.report.reading import Report, read_report
from agentsym.learning.report.wording import dollars, number, span
from agentsym.learning.trainer import Trainer
from agentsym.store.store import Store
from evals.report.browser import CONTRAST, chromium, found
from evals.report.long_run import LongRun
from tests.learning.dying import killed
from tests.learning.report.conftest import XSS
from tests.learning.symbolic.world import TRAIN, VAL, WORLD, rows, trainer

needs_browser = pytest.mark.skipif(found() is None, reason="no Chromium is installed")
PHONE, DESKTOP = 390, 1280
TRIAGE = Path(__file__).parents[3] / "pipelines" / "support_triage"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    with chromium() as browser:
        yield browser


class Shown:
    """A report in a browser, with all that the browser complained of or asked for.

    Args:
        browser: the browser.
        file: the report.
        more: how the page is opened: its width, colours, with JavaScript or without.
    """

    def __init__(self, browser: Any, file: Path, *, width: int = DESKTOP, **more: Any) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, **more)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def text(self, selector: str) -> str:
        return " ".join(self.page.inner_text(selector).split())

    def background(self) -> str:
        return str(self.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    def overflow(self) -> int:
        """How many pixels the page can be scrolled sideways, with everything open."""
        self.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.fixture(scope="module")
def file(long: tuple[Store, Report], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 200 steps."""
    return write(long[1], tmp_path_factory.mktemp("page") / "deep" / "report.html")


def test_a_long_report_is_small_and_says_what_it_leaves_out(file: Path) -> None:
    text = file.read_text("utf-8")
    assert file.stat().st_size <= 2_000_000
    assert "120 of 200 steps are told in full" in text


def test_texts_of_rows_and_models_never_become_markup(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.count("<script") == 1 and "<img" not in text
    assert "&lt;script&gt;" in text


def test_nothing_is_named_that_a_browser_would_load(file: Path) -> None:
    text = file.read_text("utf-8")
    assert "http://" not in text and "https://" not in text and "url(" not in text and "@import" not in text


@needs_browser
def test_the_page_is_silent_and_asks_nobody(browser: Any, file: Path) -> None:
    shown = Shown(browser, file)
    assert shown.errors == [] and shown.requests == [file.as_uri()]
    shown.overflow()
    assert XSS[:20] in shown.page.inner_text("#steps")
    assert shown.page.title().startswith("tickets, run ")


@needs_browser
def test_the_policy_stops_what_would_have_got_in(browser: Any, file: Path, tmp_path: Path) -> None:
    smuggled = tmp_path / "smuggled.html"
    smuggled.write_text(file.read_text("utf-8").replace("<footer>", f"{XSS}<footer>"), "utf-8")
    shown = Shown(browser, smuggled)
    assert shown.page.title().startswith("tickets, run ") and shown.errors  # the browser tells of what it refused


@needs_browser
def test_every_figure_at_the_top_is_that_of_the_store(browser: Any, file: Path, long: tuple[Store, Report]) -> None:
    store, report = long
    info, shown = store.run(report.info.id), Shown(browser, file)
    assert info.test_before is not None and info.test_after is not None
    assert shown.text("#before") == f"{info.test_before:.3f}" and shown.text("#after") == f"{info.test_after:.3f}"
    assert shown.text("#figure-calls") == number(info.calls) and shown.text("#figure-tokens") == number(info.tokens)
    assert shown.text("#figure-usd") == dollars(info.usd) and shown.text("#figure-seconds") == span(info.seconds)
    assert (shown.text("#status"), shown.text("#figure-steps")) == (info.status, str(info.steps))
    last = store.last_event(info.id, "stop")
    assert last is not None and shown.text("#reason") == f"Stopped: {last.data['reason']}."


@needs_browser
def test_steps_versions_and_costs_are_those_of_the_store(browser: Any, file: Path, long: tuple[Store, Report]) -> None:
    store, report = long
    shown = Shown(browser, file)
    shown.overflow()
    gates = [event.data["value"]["decision"] for event in store.events(report.info.id, kind="gate")]
    heads = shown.page.eval_on_selector_all("#steps .step", "all => all.map(e => e.innerText)")
    assert len(heads) == 200 == len(gates)
    for head, decision in zip(heads, gates, strict=True):
        assert f"{decision['before']:.3f} → {decision['after']:.3f}: {decision['reason']}" in " ".join(head.split())
    best = shown.text("#versions li:has(.badge.best)")
    assert best.startswith(store.run(report.info.id).best_version[:8])  # type: ignore[index]
    calls: Counter[str] = Counter()
    for entry in store.last_event(report.info.id, "stop").data["ledger"]:  # type: ignore[union-attr]
        calls[entry["node"]] += entry["calls"]
    by_node = shown.page.locator("#costs [aria-label='Cost by node'] tbody tr")
    cells = [row.inner_text().split() for row in by_node.all()]
    assert {row[0]: row[1] for row in cells} == {node: number(count) for node, count in calls.items()}


@needs_browser
@pytest.mark.parametrize("javascript", [True, False])
def test_a_phone_scrolls_down_only(browser: Any, file: Path, javascript: bool) -> None:
    shown = Shown(browser, file, width=PHONE, java_script_enabled=javascript)
    if javascript:
        assert shown.overflow() == 0
    assert shown.page.is_visible("#after") and shown.page.is_visible("#scores .agentsym-chart")
    assert shown.page.is_visible("#theme") is javascript


@needs_browser
def test_without_javascript_steps_still_open(browser: Any, file: Path) -> None:
    shown = Shown(browser, file, java_script_enabled=False)
    group = shown.page.locator("#steps details.steps").last
    step = group.locator("details.step").last
    assert not step.locator(".body").is_visible()
    step.locator("summary").click()
    assert step.locator(".body").is_visible()


@needs_browser
def test_light_and_dark_follow_the_system_and_the_button(browser: Any, file: Path) -> None:
    light, dark = (Shown(browser, file, color_scheme=scheme) for scheme in ("light", "dark"))
    colours = (light.background(), dark.background())
    assert colours[0] != colours[1]
    for shown, other in ((light, colours[1]), (dark, colours[0])):
        shown.page.click("#theme")
        assert shown.background() == other


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(browser: Any, file: Path, scheme: str) -> None:
    shown = Shown(browser, file, color_scheme=scheme)
    shown.overflow()
    poor = shown.page.evaluate(CONTRAST)
    assert poor == []


@needs_browser
def test_headings_go_down_one_by_one_and_figures_are_named(browser: Any, file: Path) -> None:
    shown = Shown(browser, file)
    levels = shown.page.eval_on_selector_all("h1,h2,h3,h4", "all => all.map(e => +e.tagName[1])")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 or after == 4 for before, after in pairwise(levels))
    nameless = (
        "all => all.filter(e => !e.getAttribute('aria-label') && e.getAttribute('aria-hidden') !== 'true').length"
    )
    assert shown.page.eval_on_selector_all("svg, .scroll", nameless) == 0


@needs_browser
def test_a_real_run_of_a_shipped_agent_shows_its_figures_and_its_mistakes(
    browser: Any, store: Store, tmp_path: Path
) -> None:
    from agentsym.cli.agents import find_agent

    agent, data = find_agent(str(TRIAGE)).agent, TRIAGE / "data"
    run = Trainer(agent, data / "train.jsonl", test=data / "test.jsonl", store=store, steps=1, seed=1).fit()
    shown = Shown(browser, write(read_report(store, run.id), tmp_path / "report.html"), width=PHONE)
    assert run.tested is not None and shown.errors == [] and shown.overflow() == 0
    assert shown.text("#after") == f"{mean(run.tested.after):.3f}"
    gain = run.tested.gain
    assert f"{gain.mean:+.3f} on 182 test rows, 95 % interval {gain.low:+.3f} to {gain.high:+.3f}" in shown.text(
        "#change"
    )
    for field, counts in run.tested.confusion_after.items():
        right = sum(row.get(label, 0) for label, row in counts.items())
        assert f"→ {right} of 182 right" in shown.text(f"#mistakes h3:has-text('{field}')")
        hits = shown.page.eval_on_selector_all(
            f"#mistakes [aria-label='{field}, after'] td.hit", "all => all.map(e => +e.innerText)"
        )
        assert sum(hits) == right
    assert {node.id for node in agent.nodes} <= set(shown.page.inner_text("#learned").split()) | set(
        shown.page.eval_on_selector_all("#learned svg text", "all => all.map(e => e.textContent)")
    )


def test_a_run_without_any_accepted_edit_says_so(store: Store) -> None:
    run = trainer(store, WORLD, rows(["free"]), steps=2).fit()
    text = page(read_report(store, run.id))
    assert "No edit was accepted in the end" in text and "Nothing: the best version is the first one" in text


def test_a_run_without_any_step_or_held_out_rows_has_a_page(store: Store) -> None:
    run = trainer(store, WORLD, rows(["a"]), steps=0).fit()
    text = page(read_report(store, run.id))
    assert "No step was finished" in text and "No score was reached" in text


def test_outputs_that_are_no_choice_have_no_table_of_mistakes(small: Report) -> None:
    assert 'id="mistakes"' not in page(small)


@pytest.mark.parametrize("life", [3, 5, 9])
def test_a_run_that_was_killed_has_a_page_that_says_so(tmp_path: Path, life: int) -> None:
    with killed(tmp_path, life, lambda dying: trainer(dying, WORLD, TRAIN, val=VAL).fit()) as store:
        text = page(read_report(store, store.run("last").id))
    assert "The run is under way, or was killed" in text and ">running<" in text


def test_a_run_in_another_script_stays_small(store: Store, tmp_path: Path) -> None:
    run = LongRun(store, 100, ticket="語" * 3000).write(end=False)
    assert write(read_report(store, run), tmp_path / "report.html").stat().st_size <= 2_000_000


def test_names_of_variables_in_texts_are_left_as_they_are(store: Store) -> None:
    run = LongRun(store, 2, ticket="{{script}} {{style}}").write()
    assert "{{script}} {{style}}" in page(read_report(store, run))


def test_where_cost_counts_the_front_and_what_a_run_costs_are_told(store: Store) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL, test=rows(["a", "b"], "x"), prefer="cheapest", within=0.1).fit()
    text = page(read_report(store, run.id))
    assert run.field and run.tested is not None and run.tested.worth_after is not None
    assert 'id="objectives"' in text and ">taken<" in text
    assert f"<td>{number(run.tested.worth_after.tokens)}</td>" in text
    assert dict(run.course.best_val) == dict.fromkeys([row.id for row in VAL], 1.0)
