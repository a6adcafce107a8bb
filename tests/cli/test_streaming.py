"""Rows go through a command in their order, and whatever ends them early takes nothing of what was done."""

import atexit
import signal
from collections.abc import Iterator

import pytest

from agentsym.cli.signals import _ignore
from agentsym.cli.streaming import Enough, stream
from agentsym.errors import BudgetExceeded, DataError, RunStopped
from agentsym.learning.protocols import Row
from agentsym.runtime.executors.local import LocalExecutor


def rows(count: int, read: list[int] | None = None) -> Iterator[Row]:
    for number in range(count):
        if read is not None:
            read.append(number)
        yield Row(id=str(number), inputs={})


@pytest.fixture
def signals() -> Iterator[None]:
    """Put the handlers of signals back, which a command that was stopped leaves as they are."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    atexit.unregister(_ignore)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_results_come_in_the_order_of_the_rows() -> None:
    async def work(row: Row) -> str:
        return row.id * 2

    done: list[str] = []
    assert stream(rows(5), work, lambda row, result: done.append(result), LocalExecutor(), 3) is None
    assert done == ["00", "11", "22", "33", "44"]


def test_rows_are_read_as_they_are_needed_and_no_more_once_somebody_has_enough() -> None:
    read: list[int] = []
    done: list[str] = []

    async def work(row: Row) -> str:
        return row.id

    def take(row: Row, result: str) -> None:
        done.append(result)
        if result == "3":
            raise Enough

    assert stream(rows(1000, read), work, take, LocalExecutor(), 2) is None
    assert done == ["0", "1", "2", "3"]
    assert len(read) < 50


def test_an_error_ends_the_stream_and_the_rows_done_are_kept() -> None:
    async def work(row: Row) -> str:
        if int(row.id) >= 5:
            raise BudgetExceeded("spent")
        return row.id

    done: list[str] = []
    read: list[int] = []
    ended = stream(rows(1000, read), work, lambda row, result: done.append(result), LocalExecutor(), 2)
    assert isinstance(ended, BudgetExceeded)
    assert done == ["0", "1", "2", "3", "4"]
    assert len(read) < 50


def test_rows_before_one_that_cannot_be_read_are_done() -> None:
    async def work(row: Row) -> str:
        return row.id

    def broken() -> Iterator[Row]:
        yield from rows(3)
        raise DataError("line 4")

    done: list[str] = []
    assert isinstance(stream(broken(), work, lambda row, result: done.append(result), LocalExecutor(), 8), DataError)
    assert done == ["0", "1", "2"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_stream_and_one_that_follows_at_once_changes_nothing(
    signals: None, number: signal.Signals
) -> None:
    async def work(row: Row) -> str:
        if row.id == "3":
            signal.raise_signal(number)
            signal.raise_signal(signal.SIGINT)
        return row.id

    done: list[str] = []
    ended = stream(rows(1000), work, lambda row, result: done.append(result), LocalExecutor(), 1)
    assert isinstance(ended, RunStopped)
    assert done == ["0", "1", "2", "3"], "a row is done when its work is, whoever had not asked for it yet"
