"""The brain of the server: the student's engine to models with `student` in their name, the teacher to all others.

Both get the body of a request as a provider gets it, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evals.openai_server.reader import schema_of
from evals.openai_server.several import each
from evals.peers.forms import Given, fill
from evals.peers.reading import contents
from evals.plain_english.student import answer
from evals.plain_english.teacher import teacher


def brain(body: Mapping[str, Any]) -> str:
    """Answer one request.

    Raises:
        ValueError: the student's request shows no problem, or the teacher's asks for no form.
    """
    schema = schema_of(body)
    if "student" in body["model"]:
        said = answer(body)
        if schema is None:
            return said
        values = {name: _typed(said, inner) for name, inner in schema["properties"].items()}
        return json.dumps(fill(schema, Given(said, values)), ensure_ascii=False)
    if schema is None:
        raise ValueError("the teacher fills forms, and this request asks for none")
    return json.dumps(each(schema, "\n".join(contents(body)), teacher), ensure_ascii=False)


def _typed(said: str, schema: Mapping[str, Any]) -> str | int:
    return int(said) if schema.get("type") == "integer" else said
