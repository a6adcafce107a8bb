"""The experiment: three ways to learn with a choice of models, and what each result costs by the server's bill.

The trainer is used as a user uses it, with the direct client and a price list; what a version costs is read from the
books of the server and not from the run's own account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from agentsym import Agent
from agentsym.learning import Trainer
from agentsym.learning.node_models import with_models
from agentsym.learning.run import Run
from agentsym.models.cache import ResponseCache
from agentsym.store.store import Store
from evals.clients.world import KEY, environment
from evals.model_choice import mails
from evals.model_choice.student import LARGE, SMALL, answer
from evals.model_choice.teacher import answer as teacher
from evals.openai_server import Price, Server
from evals.repair.brain import Brain
from evals.repair.run import TEST, TRAIN, VAL

DEAR, CHEAP, TEACHER = "openai/large", "openai/small", "openai/teacher"
PRICES = {"large": Price(2.50, 10.00), "small": Price(0.15, 0.60), "teacher": Price(2.50, 10.00)}
WITHIN = 0.01
NODES = ("read", "reckon", "reply")
MUST_PASS = 4
RUNS = 1000


class Part(NamedTuple):
    """One way to learn.

    Attributes:
        begins: the model of every node at first.
        prefer: which version is taken.
        must_pass: whether there are must-pass rows: mails that correct their order twice.
        ends: node → the model that it needs.
    """

    begins: str
    prefer: str
    must_pass: bool
    ends: Mapping[str, str]


PARTS: Mapping[str, Part] = {
    "cheapest": Part(DEAR, "cheapest", False, {"read": CHEAP, "reckon": DEAR, "reply": CHEAP}),
    "from small": Part(CHEAP, "score", False, {"read": CHEAP, "reckon": DEAR, "reply": CHEAP}),
    "must pass": Part(DEAR, "cheapest", True, {"read": DEAR, "reckon": DEAR, "reply": CHEAP}),
}
"""Name → the way to learn."""


def measure(part: str, seed: int) -> dict[str, Any]:
    """Learn in one way, and return what came of it: scores, models and cost, and those of choices without thinking.

    Raises:
        RuntimeError: a double could not answer a request, or the run's account is not the server's.
    """
    way, test = PARTS[part], mails.rows("test", seed, TEST)
    students = {"large": partial(answer, LARGE), "small": partial(answer, SMALL)}
    with Server(Brain(students, teacher), key=KEY, prices=PRICES) as server, environment(server.base_url, PRICES) as at:
        run = _learn(at, way, seed)
        learning = {"calls": server.stats.requests, "tokens": server.stats.tokens, "usd": round(server.stats.usd, 6)}
        used = run.ledger.total()  # of a call that a lost race has cancelled nobody but the server knows the tokens
        if used.calls != learning["calls"] or used.tokens > learning["tokens"]:
            raise RuntimeError(f"the run counts {used.calls} calls and {used.tokens} tokens, the server {learning}")
        versions = {
            "before": run.first,
            "after": run.best,
            "all large": _everywhere(run.best, DEAR),
            "all small": _everywhere(run.best, CHEAP),
        }
        billed = {name: _billed(server, agent, test) for name, agent in versions.items()}
        if server.stats.errors:
            raise RuntimeError(f"the doubles could not answer every request: {server.stats.errors[0]}")
    tested = run.tested
    assert tested is not None and tested.worth_before is not None and tested.worth_after is not None
    own = [None if worth.usd is None else RUNS * worth.usd for worth in (tested.worth_before, tested.worth_after)]
    return {
        "part": part,
        "seed": seed,
        "stopped": run.reason,
        "learning": learning,
        "models": models(run.best),
        "as needed": models(run.best) == dict(way.ends),
        "offers": [{"path": o.path, "value": o.value, "accept": o.accept, "reason": o.reason} for o in run.offers],
        **billed,
        "own account": {"before": own[0], "after": own[1]},
    }


def models(agent: Agent) -> dict[str, str]:
    """Return node → the model that it asks."""
    return {node: agent.parameter(f"{node}/model").value for node in NODES}


def _learn(folder: Path, way: Part, seed: int) -> Run[Agent]:
    """Learn with a store and a cache of its own."""
    agent = with_models(mails.agent(), way.begins, [DEAR, CHEAP])
    with Store.open(folder / "store.db") as store:
        trainer = Trainer(
            agent,
            mails.rows("train", seed, TRAIN),
            val=mails.rows("val", seed, VAL),
            test=mails.rows("test", seed, TEST),
            must_pass=mails.twice_corrected(seed, MUST_PASS) if way.must_pass else None,
            metric=mails.metric,
            student=way.begins,
            teacher=TEACHER,
            cache=False,
            store=store,
            seed=seed,
            prefer=way.prefer,
            within=WITHIN,
            steps=40,
            patience=None,
        )
        with ResponseCache(folder / "cache.db") as trainer.parts.door.cache:  # not the user's
            return trainer.fit()


def _everywhere(agent: Agent, model: str) -> Agent:
    """Return an agent that asks one model at every node."""
    for node in NODES:
        path = f"{node}/model"
        agent = agent.with_parameter(path, agent.parameter(path).with_value(model))
    return agent


def _billed(server: Server, agent: Agent, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Run an agent on rows, and return its score and what 1,000 runs cost by the server's bill.

    One row after the other and without a cache, so that no two runs share an answer.
    """
    server.reset()
    outputs = agent.batch([{"mail": row["mail"]} for row in rows], student=DEAR, concurrency=1)
    score = sum(mails.metric(row, output)[0] for row, output in zip(rows, outputs, strict=True)) / len(rows)
    return {"score": round(score, 4), "usd": round(RUNS * server.stats.usd / len(rows), 6)}
