"""A run of learning reads the same wherever its rows are run, and goes on somewhere else when it is resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentsym.errors import UsageError
from agentsym.learning.trainer import Trainer
from agentsym.network.network import Network
from agentsym.store.comparable import comparable
from agentsym.store.store import Store
from tests.cli.conftest import rows
from tests.runtime.executors.near import NearExecutor


def things() -> Network:
    from agentsym.network.fields import Choice
    from agentsym.network.nodes import PromptNode

    kinds = Choice(["fruit", "tool", "animal"])
    return Network("things", [PromptNode("sort", "Say what it is.", inputs=["text"], output={"kind": kinds})])


def trainer(store: Store, **changes: Any) -> Trainer[Network]:
    sets = {"train": rows(0, 2, 4), "val": rows(1), "test": rows(3)}
    return Trainer(things(), **sets, store=store, **{"steps": 4, "seed": 7, **changes})


def journal(store: Store, run_id: str) -> str:
    return json.dumps(list(comparable(store.events(run_id))))


async def test_journals_are_equal_and_rows_were_run_elsewhere(tmp_path: Path) -> None:
    with Store.open(tmp_path / "here.db") as here, Store.open(tmp_path / "there.db") as there:
        local = await trainer(here).afit()
        executor = NearExecutor()
        far = await trainer(there, executor=executor).afit()
        assert far.best.version == local.best.version != things().version
        assert journal(there, far.id) == journal(here, local.id)
        assert there.run(far.id).calls == here.run(local.id).calls
    assert sum(len(link.said) for link in executor.links.links) > 100


async def test_a_run_that_a_cap_has_stopped_goes_on_with_another_executor(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        whole = await trainer(store).afit()
        half = await trainer(store, executor=NearExecutor(), max_calls=150).afit()
        assert half.status == "budget"
        resumed = await trainer(store).afit(half.id)
        assert (resumed.status, journal(store, half.id)) == ("done", journal(store, whole.id))


def test_an_executor_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store, pytest.raises(UsageError, match="no executor 'dask'; there are"):
        trainer(store, executor="dask")
