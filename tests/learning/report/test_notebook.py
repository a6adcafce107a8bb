"""In a notebook a run shows its result, its curve and what it learned."""

from agentsym.learning.report.notebook import LINES
from agentsym.learning.report.reading import Report
from agentsym.learning.run import Run
from agentsym.store.store import Store
from tests.learning.report.conftest import XSS
from tests.learning.symbolic.world import TRAIN, VAL, WORLD, Tracing, mind, trainer


def test_a_run_that_was_trained_and_one_that_was_read_look_alike(store: Store) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL).fit()
    shown = run._repr_html_()
    assert shown == Run.read(store, run.id)._repr_html_()
    assert "0.250 → 1.000" in shown and 'class="agentsym-chart"' in shown and mind("a") in shown
    assert f"{run.ledger.total().calls} calls" in shown


def test_what_a_model_wrote_is_text(store: Store) -> None:
    evil = Tracing(WORLD, extra={"a": (XSS,)})
    run = trainer(store, WORLD, TRAIN, val=VAL, teacher=evil, optimizer="textgrad").fit()
    shown = run._repr_html_()
    assert "<script" not in shown and "<img" not in shown


def test_a_long_run_stays_compact(long: tuple[Store, Report]) -> None:
    shown = long[1].run._repr_html_()
    assert len(shown) < 40_000 and LINES < 10
