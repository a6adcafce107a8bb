"""What a run shows while it learns: a panel that is drawn anew on a terminal, plain lines anywhere else.

It only listens to the trainer's `watch`, so nothing that is shown can change what is learned.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agentsym.cli.screen import aside
from agentsym.learning.report.wording import count, span, spent

if TYPE_CHECKING:
    from rich.console import RenderableType

BARS = "▁▂▃▄▅▆▇█"
CURVE = 40  # newest scores in the curve
QUIET = 15.0  # seconds after which plain output says how far a phase is
PHASES = {"forward": "running the batch", "gate": "trying the new version", "test": "final test"}


class Progress:
    """Shows one run. Call it as `watch`, use it as a context manager.

    Attributes:
        run_id: the run, once it has begun.
    """

    def __init__(self, steps: int) -> None:
        self.run_id: str | None = None
        self._steps = steps
        self._begun = time.monotonic()
        self._said = self._stepping = self._begun
        self._console = aside()
        self._scores: list[float] = []
        self._accepted = self._rejected = self._step = self._first_step = 0
        self._batch: float | None = None
        self._usage: Any = None
        self._rows: tuple[str, int, int] = ("", 0, 0)
        self._verdict = ""
        self._live: Any = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            from rich.live import Live

            self._live = Live(console=self._console, get_renderable=self._panel, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take in what happened."""
        listener = getattr(self, f"_on_{kind}", None)
        if listener is not None:
            listener(data)

    def _on_notice(self, data: Mapping[str, Any]) -> None:
        self._line(f"note: {data['text']}")

    def _on_warning(self, data: Mapping[str, Any]) -> None:
        self._line(f"warning: {data['text']}", "yellow")

    def _on_run(self, data: Mapping[str, Any]) -> None:
        self.run_id = data["id"]
        self._line(f"run {self.run_id} {'goes on' if data.get('resumed') else 'begins'}")

    def _on_rows(self, data: Mapping[str, Any]) -> None:
        self._rows = (data["phase"], data["done"], data["total"])
        now = time.monotonic()
        if self._live is None and now - self._said > QUIET:
            self._line(f"  {self._phase()}: {data['done']} of {count(data['total'], 'row')}")

    def _on_batch(self, data: Mapping[str, Any]) -> None:
        self._step, self._batch = data["step"], data["score"]

    def _on_gate(self, data: Mapping[str, Any]) -> None:
        decision = data["decision"]
        self._accepted += decision.accept
        self._rejected += not decision.accept
        verdict = "accepted" if decision.accept else "rejected"
        self._verdict = (
            f"{verdict} {count(data['edits'], 'edit')}: {decision.reason}, {decision.before:.3f} → {decision.after:.3f}"
        )

    def _on_validation(self, data: Mapping[str, Any]) -> None:
        decision = data["decision"]
        verdict = "validation holds" if decision.accept else "validation says no"
        self._verdict = "; ".join([*filter(None, [self._verdict]), f"{verdict}: {decision.reason}"])

    def _on_checkpoint(self, data: Mapping[str, Any]) -> None:
        state, self._usage = data["state"], data["usage"]
        self._step = state.step
        validation = f"validation {state.best_score:.3f}; " if state.val else ""
        if not self._scores:
            self._first_step, self._stepping = state.step, time.monotonic()
        if state.over:
            said = self._verdict or f"{count(len(state.field), 'version')} measured"
            self._line(f"choosing: {said}; {validation}{self._spent()}")
        elif not state.step:
            self._line(f"before: {validation}{self._spent()}")
        else:
            self._line(f"step {state.step}: {self._verdict or 'nothing proposed'}; {validation}{self._spent()}")
        self._verdict = ""
        self._scores.append(state.best_score if state.val or self._batch is None else self._batch)

    def _on_offer(self, data: Mapping[str, Any]) -> None:
        offer = data["offer"]
        said = f"{'taken' if offer.accept else 'not taken'} ({offer.reason})"
        self._verdict = f"{offer.path} {offer.value} {said}"

    def _on_stop(self, data: Mapping[str, Any]) -> None:
        if data["status"] in ("done", "budget"):  # the command itself tells what ended the others
            self._line(f"stopped: {data['reason']}")

    def _line(self, text: str, style: str = "") -> None:
        """Write a line that stays; above the panel, where there is one."""
        self._said = time.monotonic()
        self._console.print(text, style=style or None, soft_wrap=True)

    def _phase(self) -> str:
        phase = self._rows[0]
        return "scoring the first version" if phase == "gate" and not self._scores else PHASES.get(phase, phase)

    def _panel(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        _, done, total = self._rows
        head = Text.assemble(
            (f"step {min(self._step + 1, self._steps)} of at most {self._steps}  ", "bold"),
            (curve(self._scores), "cyan"),
            f" {self._scores[-1]:.3f}" if self._scores else "",
            (f"  {self._accepted} accepted", "green"),
            (f"  {self._rejected} rejected", "yellow"),
        )
        bar = Table.grid(padding=(0, 1))
        if total:
            bar.add_row(
                self._phase(), ProgressBar(total=total, completed=done, width=30), f"{done} of {count(total, 'row')}"
            )
        return Group(head, bar, Text(self._spent(), style="dim"))

    def _spent(self) -> str:
        now = time.monotonic()
        parts = [span(now - self._begun)]
        if self._usage is not None:
            usage = self._usage
            parts = [spent(usage.calls, usage.tokens, usage.usd), *parts]
        done = self._step - self._first_step
        if done > 0 and self._step < self._steps:
            parts.append(f"at most {span((now - self._stepping) / done * (self._steps - self._step))} to go")
        return ", ".join(parts)


def curve(scores: list[float]) -> str:
    """Draw the newest scores as a line of bars between their lowest and their highest."""
    newest = scores[-CURVE:]
    if not newest:
        return ""
    low, high = min(newest), max(newest)
    width = (high - low) or 1.0
    return "".join(BARS[round((score - low) / width * (len(BARS) - 1))] for score in newest)
