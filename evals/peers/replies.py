"""The dress in which a library without a JSON form wants its answer: tags, XML, field markers, or a fence.

It is seen from the request alone, as a language model would see it.
"""

from __future__ import annotations

import re

_FIELD = re.compile(r"starting with the field `?\[\[ ## (\w+) ## \]\]")


def dressed(request: str, text: str, *, fenced: bool) -> str:
    """Return an answer as the request wants it.

    Args:
        request: all that the request says.
        text: the answer.
        fenced: whether an answer without any other form stands in a fence (a rewritten prompt does).
    """
    if marker := _FIELD.search(request):
        return f"[[ ## {marker[1]} ## ]]\n{text}\n\n[[ ## completed ## ]]"
    if not fenced:
        return text
    if "<IMPROVED_VARIABLE>" in request:
        return f"<IMPROVED_VARIABLE>{text}</IMPROVED_VARIABLE>"
    if "<proposed_variable>" in request:
        reasons = "<reasoning>Some tickets fail.</reasoning>\n<method>Add a rule.</method>"
        return f"<response>\n{reasons}\n<proposed_variable>{text}</proposed_variable>\n</response>"
    return f"```\n{text}\n```"
