"""Answers with a form: a model's text is parsed, and what does not parse is asked for again with the reason.

Strict on purpose: JSON is never fished out of prose, and the error that a model is shown is the one that a
person would see.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from agentsym.errors import OutputError, UsageError
from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel, Phase, Reply, Request
from agentsym.models.recording import prompts_of
from agentsym.network.records import Message, Usage
from agentsym.network.template import render

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

RETRY_PROMPT = Path(__file__).with_name("retry.md")
_CUT_OFF = "the answer was cut off at its longest length; answer in fewer words"
_FENCED = re.compile(r"\A```(?:json)?[ \t]*\n(.*?)\n?```\Z", re.DOTALL | re.IGNORECASE)
_KNOWN = {
    *("type", "enum", "properties", "required", "additionalProperties", "items"),  # checked
    *("title", "description", "default"),  # said
}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


class Answer(NamedTuple, Generic[T]):
    """A parsed answer: the value, the reply it was read from, the calls it took and their usage together."""

    value: T
    reply: Reply
    attempts: int
    usage: Usage


async def ask(
    door: Door,
    model: LanguageModel,
    request: Request,
    parse: Callable[[str], T],
    *,
    phase: Phase,
    node: str = "",
    retries: int = 3,
) -> Answer[T]:
    """Ask until the answer parses, at most `1 + retries` times.

    Args:
        parse: turns the answer's text into a value; raises ValueError with a text that the model is shown.

    Raises:
        OutputError: when the last answer does not parse either; the message holds the last reason.
        ModelError: when the model has no answer; that is not retried here.
        BudgetExceeded: when a call would not fit a cap.
    """
    usage: Usage | None = None
    attempt = 0
    while True:
        attempt += 1
        reply = await door.complete(model, request, phase=phase, node=node)
        usage = reply.usage if usage is None else usage + reply.usage
        try:
            return Answer(parse(reply.text), reply, attempt, usage)
        except ValueError as error:
            why = f"{_CUT_OFF}\n{error}" if reply.truncated else str(error)
            if attempt > retries:
                whom = f" for {node!r}" if node else ""
                raise OutputError(
                    f"{model.name} gave no usable answer{whom} in {attempt} attempts; the last one: {why}"
                ) from error
            request = _again(request, reply.text, why, prompts_of(model))


def parse_json(text: str, schema: Mapping[str, Any]) -> Any:
    """Read an answer that is one JSON value, bare or as one fenced block, and check it.

    Args:
        schema: a JSON schema of type, enum, properties, required, additionalProperties and items.

    Raises:
        ValueError: when it is no JSON or does not fit; lists every reason.
        UsageError: when the schema asks for something that is not checked here.
    """
    value = _load(text)
    if problems := _problems(value, schema, ""):
        raise ValueError("\n".join(problems))
    return value


def parse_model(kind: type[M]) -> Callable[[str], M]:
    """Return a parser that reads an answer as a pydantic model, with the strictness of `parse_json`."""

    def parse(text: str) -> M:
        value = _load(text)
        try:
            return kind.model_validate_json(json.dumps(value))
        except ValidationError as error:
            places = (".".join(map(str, item["loc"])) or "the answer" for item in error.errors())
            reasons = (f"`{place}`: {item['msg']}" for place, item in zip(places, error.errors(), strict=True))
            raise ValueError("\n".join(reasons)) from error

    return parse


def _again(request: Request, answer: str, error: str, prompts: Path | None) -> Request:
    """Return the request with the refused answer and the retry prompt, which comes from `prompts` where that has it."""
    own = RETRY_PROMPT if prompts is None else prompts / RETRY_PROMPT.name
    template = (own if own.is_file() else RETRY_PROMPT).read_text(encoding="utf-8").strip()
    complaint = Message(role="user", content=render(template, {"error": error}))
    bad = Message(role="assistant", content=answer or "(no text)")  # some providers refuse an empty message
    return request.model_copy(update={"messages": (*request.messages, bad, complaint)})


def _load(text: str) -> Any:
    text = text.strip()
    fenced = _FENCED.match(text) if text.startswith("`") else None
    try:
        value = _JSON.decode(fenced[1] if fenced else text)
        if "\\u" in text or not text.isascii():  # half of a surrogate pair could not be stored
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"the answer must be one JSON value and nothing else; {error}") from error
    except RecursionError as error:
        raise ValueError("the answer's JSON is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("the answer's JSON holds half of a surrogate pair (\\ud800 to \\udfff)") from error
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = {name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1}
        raise ValueError(f"the answer's JSON names {', '.join(sorted(twice))} more than once in one object")
    return made


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


_JSON = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_refuse, parse_float=_finite)


def _problems(value: Any, schema: Mapping[str, Any], path: str) -> list[str]:
    """Return every way in which a value does not fit a schema."""
    if not schema.keys() <= _KNOWN:
        keywords = ", ".join(sorted(schema.keys() - _KNOWN))
        raise UsageError(f"parse_json checks no schema with {keywords}; use parse_model with a pydantic model")
    where = f"`{path}`" if path else "the answer"
    kind = schema.get("type")
    if kind is not None and not _has_type(value, kind):
        return [f"{where} must be of type {kind}, it is {_shown(value)}"]
    if "enum" in schema and not any(type(item) is type(value) and item == value for item in schema["enum"]):
        return [f"{where} must be one of {', '.join(map(_shown, schema['enum']))}; it is {_shown(value)}"]
    found: list[str] = []
    if isinstance(value, dict):
        fields, extra = schema.get("properties", {}), schema.get("additionalProperties", True)
        missing = (name for name in schema.get("required", ()) if name not in value)
        found += [f"{where} lacks the field `{name}`" for name in missing]
        for name, item in value.items():
            inner = fields.get(name, {} if extra is True else extra)
            if inner is False:
                found.append(f"{where} has a field `{name}` that was not asked for")
            else:
                found += _problems(item, inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            found += _problems(item, schema.get("items", {}), f"{path}[{at}]")
    return found


def _has_type(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and not (isinstance(value, bool) and kind != "boolean")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"
