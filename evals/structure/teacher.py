"""The teacher's double: it blames by the values that a request shows, tells nodes what does not help, and draws moves.

A move is about the node that the critiques in the request blame, and drawn by the request's hash; a request without
failing runs gets none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from evals.peers.forms import Schema, asks_for, fill
from evals.repair.critic import Finding, criticism
from evals.repair.edits import edit, new_rule
from evals.repair.reading import Failure, failures, paths_to_edit
from evals.repair.rewrites import drawn
from evals.repair.student import SAYINGS
from evals.structure import subjects
from evals.structure.moves import Move, Pipeline, moves

_PIPELINE = re.compile(r'^<data name="pipeline">\n(.*?)\n</data>$', re.MULTILINE | re.DOTALL)
_CRITIQUES = re.compile(r'^<data name="critiques">\n(.*?)\n</data>$', re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^- (\w+): ", re.MULTILINE)


def answer(schema: Schema, text: str, draw: str = "") -> Any:
    """Fill a form of the teacher's.

    Args:
        schema: the form: for a move, for edits of a node, for the blame of a run, for a gradient, or for a judgement.
        text: all that the request says.
        draw: tells apart independent answers to the same request.
    """
    if asks_for(schema, "op"):
        is_move = _PIPELINE.search(text) is not None
        edits = _move(schema, text, draw) if is_move else _advice(schema, text, draw)
        return {"analysis": "The failures have a cause in common.", "edits": edits}
    shown = failures(text)
    return fill(schema, criticism(_fault(shown[0]) if shown else None, schema, text))


def known(text: str) -> list[Move]:
    """Return the moves that a request calls to mind: none without failing runs and somebody to blame."""
    shown, blamed = failures(text), _blamed(text)
    found = _PIPELINE.search(text)
    if not shown or not blamed or found is None:
        return []
    pipeline = Pipeline.from_json(json.loads(found[1]))
    return moves(pipeline, blamed, common(shown)) if blamed in pipeline.nodes else []


def common(shown: Sequence[Failure]) -> dict[str, Any]:
    """Return the fields that have one value in all failing runs, if there are several runs."""
    first, *others = [item.values for item in shown]
    return {name: value for name, value in first.items() if others and all(o.get(name) == value for o in others)}


def _blamed(text: str) -> str:
    critiques = _CRITIQUES.search(text)
    named = _NAMED.findall(critiques[1]) if critiques else []
    return max(dict.fromkeys(named), key=named.count, default="")


def _move(schema: Schema, text: str, draw: str) -> list[dict[str, Any]]:
    """Return one move, of those that the form can express."""
    written = [[edit(schema, (op["op"],), {**op, "why": "It may be this."}) for op in move] for move in known(text)]
    legal = [[made for made in move if made is not None] for move in written if None not in move]
    return drawn(legal, text + draw) if legal else []


def _advice(schema: Schema, text: str, draw: str) -> list[dict[str, Any]]:
    """Return a rule for the node that is to be mended, or none."""
    paths = [path for path in paths_to_edit(schema, text) if path.endswith("/rules")]
    made = new_rule(schema, text, paths[0], SAYINGS, draw) if failures(text) and paths else None
    return [made] if made else []


def _fault(shown: Failure) -> Finding | None:
    """Return the node that went wrong first, as far as the values of a run show it, and what is wrong."""
    order, message = (str(shown.values.get(name, "")) for name in ("order", "message"))
    if order and str(subjects.total(order)) != str(shown.values.get("figure")):
        return Finding("work", "The sum does not fit the order; nobody checks it.")
    if order and "reply" in shown.values:
        return Finding("say", "The sentence does not give the sum alone.")
    if message.startswith(subjects.QUOTE):
        return Finding("answer", "A quotation was handed on as if it could be changed.")
    if message:
        return Finding("polish", "The text is not as it is to be sent.")
    return None
