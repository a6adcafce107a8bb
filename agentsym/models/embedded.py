"""The embedded model: the student that needs no key, no network and no download.

It gets the messages and the JSON schema like any other model, reads the prompt back from them, and fills each
field: a choice or a yes/no by the lexical reader, a text or a number by copying. It is no language model and
says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, get_args

from agentsym.errors import CannotAnswer, ModelError
from agentsym.models import spans
from agentsym.models.protocol import Reply, Request
from agentsym.network.prompt import ReadPrompt, read_inputs, read_system
from agentsym.network.records import Usage

# Prompts and readers that are kept: a reader of 77 labels takes megabytes, and a run asks few versions at once.
_KEPT = 16
_ONE_CALL = Usage(calls=1)


class EmbeddedModel:
    """Answers by what the prompt says, deterministically; improves as the prompt improves.

    A choice compares the inputs' values, one a line, with the choices, rules and examples of the prompt; field
    names are left out, since they stand beside every value and tell nothing apart. Where the instructions show
    all inputs themselves (`{{field}}`), the whole task is read as the input.
    """

    remote = False

    def __init__(self, name: str = "embedded") -> None:
        from agentsym.models.lexical import Grams, LexicalReader, Reading

        grams = Grams()

        def choices_of(system: str, field: str, schema: str) -> tuple[Reading, dict[str, Any]]:
            return _reading(self._prompt(system), field, json.loads(schema))

        def copier_of(system: str, field: str, kind: spans.Kind) -> spans.Copier | None:
            examples = self._prompt(system).examples
            return spans.learn(
                field, kind, [(each.input, each.output[field]) for each in examples if field in each.output]
            )

        def reader_of(reading: Reading) -> LexicalReader:
            return LexicalReader(reading, grams)

        self.name = name
        self._prompt = lru_cache(_KEPT)(read_system)
        self._choices = lru_cache(4 * _KEPT)(choices_of)
        self._copier = lru_cache(4 * _KEPT)(copier_of)
        self._reader = lru_cache(_KEPT)(reader_of)

    async def complete(self, request: Request) -> Reply:
        """Fill the fields of the schema.

        Raises:
            CannotAnswer: when prose is wanted, or a field that can be neither chosen nor copied.
            ModelError: when a number is wanted and the input holds none.
        """
        fields = (request.schema_ or {}).get("properties")
        if not fields:
            raise _no_writer("prose" if request.schema_ is None else "an answer without named fields")
        # The first message of each role: what follows are tool results and complaints about answers.
        system = next((message.content for message in request.messages if message.role == "system"), "")
        user = next((message.content for message in request.messages if message.role == "user"), "")
        inputs = read_inputs(user) or {"": self._prompt(system).task or user}
        answer = {name: self._fill(system, name, field, inputs) for name, field in fields.items()}
        return Reply(text=json.dumps(answer, ensure_ascii=False), usage=_ONE_CALL)

    def _fill(self, system: str, name: str, field: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
        kind = field.get("type")
        if "enum" in field or kind == "boolean":
            reading, values = self._choices(system, name, json.dumps(field))
            text = "\n".join(spans.as_texts(inputs).values())
            return values[self._reader(reading).answers([text])[0]]
        if kind not in get_args(spans.Kind):
            raise _no_writer(f"the field `{name}` of type {kind or 'any'}")
        copier = self._copier(system, name, kind)
        if copier is None:
            raise _no_writer(
                f"the field `{name}`",
                "Give the node some examples whose answer stands in the input, word for word, or name",
            )
        found = copier.copy(inputs)
        if found is None and kind != "string":
            raise ModelError(f"{self.name}: the input holds no {kind} for the field `{name}`")
        return "" if found is None else found


def _reading(prompt: ReadPrompt, field: str, schema: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return what a prompt says about a choice or a yes/no, and label → value (ties go to the first: to no)."""
    from agentsym.models.lexical import Reading

    values = {_label(value): value for value in schema.get("enum", (False, True))}
    definitions = dict(prompt.choices.get(field, ()))
    if "enum" not in schema:
        definitions = {"true": schema.get("description", "")}
    examples = tuple(
        ("\n".join(spans.as_texts(example.input).values()), _label(example.output[field]))
        for example in prompt.examples
        if field in example.output
    )
    choices = tuple((label, definitions.get(label, "")) for label in values)
    return Reading(choices, prompt.rules, examples), values


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _no_writer(what: str, remedy: str = "Name") -> CannotAnswer:
    return CannotAnswer(
        f"the embedded reader cannot write {what}: it chooses among labels and copies from the input, it is no "
        f"language model. {remedy} a model that writes with --student provider/model (in Python: student=); "
        "offline there is only `embedded`"
    )
