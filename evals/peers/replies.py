"""The dress in which a library without a JSON form wants its answer: tags, XML, field markers, or a fence.

It is seen from the request alone, as a language model would see it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_MARKED = re.compile(r"starting with the field ((?:(?:, then )?`?\[\[ ## \w+ ## \]\]`?)+)")
_OBJECT = re.compile(r"JSON object in the following order of fields: ((?:(?:, then )?`\w+`)+)")
_VARIABLE = re.compile(r"^\(str\) (\w+)=\[\[node:(\w+)\]\].*?\[\[end\]\]", re.MULTILINE | re.DOTALL)


def variables(request: str) -> dict[str, str]:
    """Return variable → its node, where a request wants a suggestion for each of its variables; else nothing."""
    return dict(_VARIABLE.findall(request)) if '"suggestion"' in request else {}


def suggested(values: Mapping[str, str]) -> str:
    """Return new values of variables as the request wants them."""
    answer = {"reasoning": "Some tickets fail.", "answer": "", "suggestion": values}
    return json.dumps(answer, ensure_ascii=False)


def asks_for_a_field(request: str) -> bool:
    """Say whether a request wants its answer in named fields, so that it may want something else than a prompt."""
    return bool(_MARKED.search(request) or _OBJECT.search(request))


def dressed(request: str, text: str, *, fenced: bool) -> str:
    """Return an answer as the request wants it.

    Args:
        request: all that the request says.
        text: the answer.
        fenced: whether an answer without any other form stands in a fence (a rewritten prompt does).
    """
    if asked := _MARKED.search(request):
        values = _values(re.findall(r"\w+(?= ##)", asked[1]), text)
        return "\n\n".join([*(f"[[ ## {name} ## ]]\n{said}" for name, said in values.items()), "[[ ## completed ## ]]"])
    if asked := _OBJECT.search(request):
        return json.dumps(_values(re.findall(r"`(\w+)`", asked[1]), text), ensure_ascii=False)
    if not fenced:
        return text
    if "<IMPROVED_VARIABLE>" in request:
        return f"<IMPROVED_VARIABLE>{text}</IMPROVED_VARIABLE>"
    if "<proposed_variable>" in request:
        reasons = "<reasoning>Some tickets fail.</reasoning>\n<method>Add a rule.</method>"
        return f"<response>\n{reasons}\n<proposed_variable>{text}</proposed_variable>\n</response>"
    return f"```\n{text}\n```"


def _values(fields: list[str], text: str) -> dict[str, str]:
    """Return what to write into fields: the last one holds the answer, and those before it reasons."""
    return {**dict.fromkeys(fields, "Some tickets fail."), fields[-1]: text}
