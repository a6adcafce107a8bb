"""The brain of the server: a student or the teacher by the model's name.

Asked the very same thing again, the teacher draws anew, as a language model does that samples.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evals.openai_server.reader import schema_of
from evals.openai_server.several import each

Teach = Callable[[Mapping[str, Any], str, str], Any]
Learn = Callable[[Sequence[Mapping[str, Any]], Sequence[str]], Mapping[str, Any]]


class Brain:
    """Answers as a student or as the teacher.

    Args:
        students: model → messages and the fields of the answer → the answer; every other model is the teacher.
        teacher: form, the request's text and the draw → what fills the form; of a request about several runs it gets a
            request about each.
    """

    def __init__(self, students: Mapping[str, Learn], teacher: Teach) -> None:
        self._students, self._teacher = students, teacher
        self._asked: Counter[str] = Counter()

    def __call__(self, body: Mapping[str, Any]) -> str:
        """Answer one request.

        Raises:
            ValueError: the request has no form, or the double cannot answer it.
        """
        schema, messages = schema_of(body), body["messages"]
        if schema is None:
            raise ValueError(f"{body['model']} answers requests with a form only")
        if student := self._students.get(body["model"]):
            answer: Any = student(messages, list(schema["properties"]))
        else:
            text = "\n".join(str(message["content"]) for message in messages)
            draw = f"{self._asked[text]}"
            self._asked[text] += 1
            answer = each(schema, text, lambda form, request: self._teacher(form, request, draw))
        return json.dumps(answer, ensure_ascii=False)
