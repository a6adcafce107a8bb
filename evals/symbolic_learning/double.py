"""The scripted model: doubles of student and teacher behind a real server, for runs that nobody pays for.

They answer from the request alone. The teacher blames every node alike and draws one of a few sentences, of which some
help, by the hash of its request; so a run shows that everything works, and nothing about language models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from evals.openai_server import Server
from evals.peers.forms import Given, Schema, asks_for, fill, offered
from evals.repair.brain import Brain
from evals.repair.edits import new_rule
from evals.repair.reading import failures, paths_to_edit
from evals.symbolic_learning.task import Task

SCRIPTED = "scripted"
STUDENT, TEACHER = "openai/student", "openai/teacher"
NOTE = "scripted model: proves the plumbing, says nothing about quality"


def server(task: Task) -> Server:
    """Return the server that answers for both."""
    return Server(Brain({"student": task.student}, partial(teacher, task.rules)))


def teacher(rules: Mapping[str, Sequence[str]], schema: Schema, text: str, draw: str) -> Any:
    """Fill a form of the teacher's.

    Args:
        rules: node → what may be told to it.
        schema: the form.
        text: all that the request says.
        draw: tells apart independent answers to the same request; not looked at, so that a resumed run, whose server
            has forgotten what it was asked, gets the same answers.
    """
    shown = failures(text)
    if asks_for(schema, "op"):
        made = [_told(rules, schema, text, path) for path in paths_to_edit(schema, text)] if shown else []
        return {"analysis": "It may be this.", "edits": [found for found in made if found]}
    return fill(schema, _judged(rules, schema, text))


def _judged(rules: Mapping[str, Sequence[str]], schema: Schema, text: str) -> Given:
    """Blame every node alike for what a request shows."""
    if not failures(text):
        return Given("Nothing is wrong.", {"satisfied": True, "requirement_for_last": "", "score": 10})
    reason = "The output is not what was wanted."
    values = {"satisfied": False, "score": 0, "requirement_for_last": reason, "requirement_for_previous": reason}
    paths = [path for path in offered(schema, "parameter") if path.endswith("/rules")]
    advice = [Given(reason, {"parameter": path, "severity": 2}) for path in paths]
    blamed = {node: Given(reason, {"node": node, "blame": 1.0}) for node in rules}
    return Given(reason, values, blamed, advice)


def _told(rules: Mapping[str, Sequence[str]], schema: Schema, text: str, path: str) -> dict[str, Any] | None:
    """Return an edit that adds a sentence which the request does not show; None where there is none left."""
    node, _, component = path.partition("/")
    return new_rule(schema, text, path, rules.get(node, ()), draw="") if component == "rules" else None
