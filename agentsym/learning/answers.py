"""The log of a run's model calls, by which a run that was killed pays for nothing twice and forgets no cost.

The journal knows which phases are done; this knows the calls of the one that is not.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable
from typing import cast

from agentsym.models.answers import NO_CALL
from agentsym.models.ledger import Ledger
from agentsym.models.protocol import Phase, Reply
from agentsym.network.records import Usage
from agentsym.store.store import Store


class RunAnswers:
    """An `AnswerLog` in the store.

    Args:
        store: where calls are kept.
        run_id: the run.
        last_event: returns the number of the run's last event.
    """

    def __init__(self, store: Store, run_id: str, last_event: Callable[[], int]) -> None:
        self._table = store.answers
        self._run_id = run_id
        self._last_event = last_event
        self._unused: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self._known: dict[str, Reply] = {}

    def reopen(self, since: int) -> None:
        """Offer what was answered since the last checkpoint; calls that were under way count as all they could use.

        Args:
            since: the number of the last event that ended a phase. Answers from before it were used in a phase that is
                done, and whoever asks the same after it finds them as one finds an answer in the cache.
        """
        self._table.settle_all(self._run_id, self._last_event())
        for call in self._table.calls(self._run_id):
            if call.reply is not None and call.seq is not None:
                reply = self._known[call.key] = Reply.model_validate(json.loads(call.reply))
                if call.seq >= since:
                    self._unused[call.key].append(reply)

    def take(self, key: str) -> Reply | None:
        """Return the next answer to a request; where all are given out, the last one again, as from a cache."""
        if unused := self._unused.get(key):
            return unused.popleft()
        known = self._known.get(key)
        return None if known is None else known.model_copy(update={"usage": NO_CALL})

    def sent(self, key: str, phase: Phase, node: str, most: Usage) -> int:
        return self._table.sent(self._run_id, key, phase, node, most)

    def settled(self, number: int, usage: Usage, reply: Reply | None) -> None:
        # json's escapes hold also what UTF-8 cannot, a lone surrogate: no answer is lost for its sake.
        text = None if reply is None else json.dumps(reply.model_dump(exclude_defaults=True))
        self._table.settled(number, self._last_event(), usage, text)

    def drop(self) -> None:
        """Drop the answers up to the last event, which has counted them and is where a resumed run would begin."""
        self._table.drop(self._run_id, self._last_event())
        self._unused.clear()
        self._known.clear()


def spent(store: Store, run_id: str) -> Ledger:
    """Return what a run has cost: the account that its events wrote down last, and every call since."""
    told = (store.last_event(run_id, kind) for kind in ("checkpoint", "resume", "stop"))
    counted = (event for event in told if event is not None and "ledger" in event.data)
    last = max(counted, key=lambda event: event.seq, default=None)
    ledger = Ledger() if last is None else Ledger.from_json(last.data["ledger"])
    for call in store.answers.calls(run_id):
        if last is None or call.seq is None or call.seq >= last.seq:
            ledger.add(cast(Phase, call.phase), call.node, call.usage)
    return ledger
