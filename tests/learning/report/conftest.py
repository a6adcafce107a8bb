"""A store of runs: a small one that is real, with doubles for its models, and a long one that is drawn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsym.learning.report.reading import Report, read_report
from agentsym.store.store import Store
from evals.report.long_run import LongRun
from tests.learning.symbolic.world import TRAIN, VAL, WORLD, trainer

XSS = "<script>document.title='stolen'</script><img src=x onerror=\"document.title='stolen'\">"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store.open(tmp_path / "store.db") as store:
        yield store


@pytest.fixture
def small(store: Store) -> Report:
    """A run of the combined algorithm that mends all there is to mend."""
    run = trainer(store, WORLD, TRAIN, val=VAL).fit()
    return read_report(store, run.id)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Report]]:
    """A run of 200 steps whose rows carry markup."""
    with Store.open(tmp_path_factory.mktemp("long") / "store.db") as store:
        yield store, read_report(store, LongRun(store, ticket=XSS).write())
