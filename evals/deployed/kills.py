"""`kill -9` for the server, again and again while it is asked and judged, and for whoever promotes a version then.

What a client was told of must be in the store afterwards, the live version must be whole, a promotion done or not
begun, and the audit log sound.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from agentsym.network.revive import revive
from agentsym.store.live.audit import Broken
from agentsym.store.store import Store
from evals.deployed import clients
from evals.deployed.editions import edition, held
from evals.deployed.figures import load
from evals.deployed.provider import STUDENT, provider
from evals.deployed.serving import Serving
from evals.deployed.workers import Worker

NAME = "counter"
_CALM_S = (0.3, 1.5)  # between a start of the server and the next promotion


def kills(times: int, seed: int = 0, concurrency: int = 32, latency: float = 0.01) -> dict[str, Any]:
    """Kill the server so many times, and return what was done and what was lost."""
    chance = random.Random(f"kills {seed}")
    with provider(latency) as url, tempfile.TemporaryDirectory(prefix="kills-") as place:
        environment = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"}
        serving = Serving(Path(place), student=STUDENT, environment=environment, served=edition(0))
        with Worker("evals.deployed.clients", environment) as many, Store.open(serving.store) as store, serving:
            serving.start()
            end, log = Path(place) / "enough", Path(place) / "log.jsonl"
            many.send(
                clients.Job(
                    serving.url, serving.token, 0, until=str(end), clients=concurrency, feedback=2, log=str(log)
                )._asdict()
            )
            killer = _Killer(serving, store, chance)
            told = _Told(log)
            for _ in range(times):
                killer.promote_and_kill()
                told.check(store)
                killer.check()
                serving.start()
                killer.check_answer()
            end.touch()
            many.result()
            told.check(store)
            return {
                "kills": times,
                "traces": told.traces,
                "feedback": told.feedback,
                "promotions": dict(killer.promotions),
                "load": load(),
                "wrong": {**told.lost, **killer.wrong},
            }


class _Killer:
    """Kills the server and the promoting process, and looks at what they leave behind."""

    def __init__(self, serving: Serving, store: Store, chance: random.Random) -> None:
        self._serving = serving
        self._store = store
        self._chance = chance
        self._edition = 0
        self._takes_s = 0.0  # a promotion that nobody kills
        self._before = ""
        self._wanted = ""
        self.promotions: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()

    def promote_and_kill(self) -> None:
        """Kill a promotion at some moment of its life, and the server at another one."""
        time.sleep(self._chance.uniform(*_CALM_S))
        store = self._store.releases
        self._before = self._live()
        waiting = store.releases(NAME, "held")
        if not waiting:
            self._edition += 1
            waiting = (held(self._store, self._edition),)
        self._wanted = waiting[0].version
        began = time.monotonic()
        promoting = self._serving.evolve("promote", self._wanted)
        if self._takes_s == 0.0:
            promoting.communicate()
            self._takes_s = time.monotonic() - began
        moments = sorted((self._chance.uniform(0.4, 1.1) * self._takes_s, who) for who in ("promotion", "server"))
        for moment, who in moments:
            time.sleep(max(0.0, began + moment - time.monotonic()))
            self._serving.kill() if who == "server" else promoting.kill()
        promoting.communicate()
        whole = "ended by itself" if promoting.returncode == 0 else "killed"
        self.promotions[f"{whole}, {'done' if self._live() == self._wanted else 'not begun'}"] += 1

    def check(self) -> None:
        """Look at the store as the two have left it."""
        releases, live = self._store.releases, self._live()
        states = {release.version: release.state for release in releases.releases(NAME)}
        promoted = live == self._wanted
        entry = self._store.audit.last("promoted", f"{NAME}@{self._wanted}")
        found = {
            "live is neither before nor after": live not in (self._before, self._wanted),
            "not one version is live": [v for v, state in states.items() if state == "live"] != [live],
            "the candidate's state": states[self._wanted] != ("live" if promoted else "held"),
            "the state of the version before": states[self._before] != ("superseded" if promoted else "live"),
            "promoted without an entry, or an entry without": (entry is not None) != promoted,
            "the live version is not what its name says": self._content(live) != live,
            "the audit log is broken": isinstance(self._store.audit.verify(), Broken),
        }
        self.wrong += Counter(what for what, is_so in found.items() if is_so)

    def check_answer(self) -> None:
        """Ask the server that has come back."""
        headers = {"authorization": f"Bearer {self._serving.token}", "content-type": "application/json"}
        body = json.dumps({"inputs": {"message": "My parcel is late."}}).encode()
        with urllib.request.urlopen(
            urllib.request.Request(f"{self._serving.url}/invoke", body, headers), timeout=60
        ) as response:
            if json.load(response)["version"] != self._live():
                self.wrong["another version answers than the live one"] += 1

    def _live(self) -> str:
        found = self._store.releases.deployment(NAME)
        assert found is not None
        return found.live

    def _content(self, version: str) -> str:
        return revive(edition(0), self._store.releases.content(NAME, version)).version


class _Told:
    """What the clients were told of, held against the store."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0
        self.traces = 0
        self.feedback = 0
        self.lost: Counter[str] = Counter()

    def check(self, store: Store) -> None:
        """Look for what the clients were told of since the last time."""
        with self._log.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        lines = [json.loads(line) for line in whole.splitlines()]
        traces = [line["trace_id"] for line in lines if "version" in line]
        judged = {line["id"]: line["trace_id"] for line in lines if "kind" in line}
        known = store.traces.known(traces)
        said = {item.id for items in store.traces.feedback_of(set(judged.values())).values() for item in items}
        self.traces += len(traces)
        self.feedback += len(judged)
        self.lost["traces lost"] += len(set(traces) - set(known))
        self.lost["feedback lost"] += len(set(judged) - said)
        self.lost = +self.lost
