"""The teacher's double: it answers the requests of `agentsym optimize` from their text, under every optimizer.

It tells them apart by the form that is asked for, reads what was wrong and what was wanted, and gives edits that quote
the failing inputs under the wanted label: no language model, but what it writes depends on the prompt and helps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evals.openai_server import edits, judging, quotes
from evals.openai_server.reader import schema_of
from evals.openai_server.several import each


def tutor(body: Mapping[str, Any]) -> str:
    """Answer one request of the teacher; a move of the pipeline is none of its ideas, so there it changes nothing.

    Raises:
        ValueError: the request asks for none of the teacher's forms.
    """
    schema = schema_of(body) or {}
    names, text = set(schema.get("properties", ())), quotes.asked(body)
    if "comments" in names:
        answer = judging.loss(text, scored="score" in names)
    elif names & {"nodes", "runs"}:
        answer = each(schema, text, lambda _, request: judging.blame(request))
    elif "edits" in names:
        made = [*edits.of_one_component(schema, text), *edits.of_a_node(schema, text)]
        answer = {"analysis": "The inputs below were taken for something else.", "edits": made}
    elif "analysis" in names:
        answer = judging.gradient(schema, text)
    else:
        raise ValueError(f"the tutor answers the teacher's requests only, not one for {sorted(names) or 'prose'}")
    return json.dumps(answer, ensure_ascii=False)
