"""The virtual loop: hours pass in no time, threads get theirs, and a deadlock is told."""

import asyncio
import time

import pytest

from tests import virtual_time
from tests.virtual_time import run_virtual


def test_an_hour_of_sleep_takes_no_time() -> None:
    async def main() -> list[str]:
        done: list[str] = []

        async def after(seconds: float, name: str) -> None:
            await asyncio.sleep(seconds)
            done.append(name)

        await asyncio.gather(after(3600, "hour"), after(60, "minute"), after(0.001, "blink"))
        return done

    started = time.monotonic()
    result, seconds = run_virtual(main())
    assert result == ["blink", "minute", "hour"]
    assert seconds == pytest.approx(3600)
    assert time.monotonic() - started < 1


def test_a_timeout_strikes_at_its_virtual_time() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(100), 30)

    assert run_virtual(main()).seconds == pytest.approx(30)


def test_the_clock_stands_still_while_a_thread_works() -> None:
    async def main() -> str:
        return await asyncio.wait_for(asyncio.to_thread(lambda: time.sleep(0.05) or "done"), 3600)

    result, seconds = run_virtual(main())
    assert result == "done"
    assert seconds == 0


def test_a_deadlock_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "STUCK_AFTER", 0.01)

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="stuck"):
        run_virtual(main())
