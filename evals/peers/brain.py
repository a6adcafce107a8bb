"""The brain of the server: it tells the roles apart by the model's name, answers, and keeps books by role.

Tokens in its books are a quarter of the characters of all message contents and of the reply, as for every library; a
form costs nothing in them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from math import ceil
from typing import Any

from evals.openai_server.protocol import CHARS_PER_TOKEN
from evals.openai_server.reader import schema_of
from evals.openai_server.several import each
from evals.peers import critic, editor, student, teacher
from evals.peers.forms import Given, fill
from evals.peers.reading import contents, shown, target
from evals.peers.replies import asks_for_a_field, dressed, suggested, variables
from evals.peers.world import World

ROLES = ("student", "backward", "optimizer")


@dataclass
class Tally:
    """What one role answered: calls, and tokens of requests and replies."""

    calls: int = 0
    tokens: int = 0


class Brain:
    """Answers as student, critic or optimizer.

    Args:
        world: the configuration; replace it (`configure`) to change it.

    Attributes:
        books: role → what it answered; `loss` is the teacher's when it judges.
    """

    def __init__(self, world: World) -> None:
        self.configure(world)

    def configure(self, world: World) -> None:
        """Take another configuration, and open new books."""
        self.world = world
        self.books: dict[str, Tally] = {}
        self._asked: Counter[str] = Counter()

    def __call__(self, body: Mapping[str, Any]) -> str:
        """Answer one request.

        Raises:
            ValueError: the model's name has no role in it, or the request lacks what the role reads.
        """
        schema = schema_of(body)
        role = self._role(str(body["model"]), schema)
        text = "\n".join(contents(body))
        if role == "student":
            answer = self._student(body, schema, text)
        elif schema is not None:
            filled = each(schema, text, lambda form, request: teacher.answer(role, form, request, self.world))
            answer = json.dumps(filled, ensure_ascii=False)
        elif role == "optimizer":
            answer = self._optimizer(text)
        else:
            answer = dressed(text, critic.said(critic.findings(text, self.world), self.world), fenced=False)
        chars = sum(map(len, contents(body)))
        tally = self.books.setdefault(role, Tally())
        tally.calls += 1
        tally.tokens += ceil(chars / CHARS_PER_TOKEN) + ceil(len(answer) / CHARS_PER_TOKEN)
        return answer

    def to_json(self) -> dict[str, Any]:
        """Return the books as a JSON value."""
        return {role: asdict(tally) for role, tally in sorted(self.books.items())}

    def _role(self, model: str, schema: Mapping[str, Any] | None) -> str:
        if found := next((role for role in ROLES if role in model), None):
            return found
        if "teacher" in model and schema is not None:
            return teacher.role(schema)
        raise ValueError(
            f"the model {model!r} has no role: name it student, backward, optimizer, or teacher with a form"
        )

    def _student(self, body: Mapping[str, Any], schema: Mapping[str, Any] | None, text: str) -> str:
        """Answer as the student; how often the same request came before is the number of the rollout."""
        digest = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        answer = student.answer(body, self.world, self._asked[digest])
        self._asked[digest] += 1
        if schema is not None:
            return json.dumps(fill(schema, Given(answer)), ensure_ascii=False)
        return dressed(text, answer, fenced=False)

    def _optimizer(self, text: str) -> str:
        """Answer with the prompt of the node that a request is about, or with all that it names as variables.

        Some libraries also ask for remarks on data, which show no prompt.
        """
        prompts = shown(text, self.world)
        if not prompts and asks_for_a_field(text):
            return dressed(text, "These are tickets, and each has a label.", fenced=False)

        def rewritten(node: str) -> str:
            prompt = prompts[node]
            return editor.rewritten(prompt.text, editor.changes(node, prompt, text, self.world))

        if named := variables(text):
            return suggested({name: rewritten(node) for name, node in named.items()})
        return dressed(text, rewritten(target(text, prompts)), fenced=True)
