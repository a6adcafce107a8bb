"""What the teacher's double writes into components: words of failing inputs as rules, the inputs as examples.

The two forms of edits, those of one component and those of a whole node, differ in words only, so both say the same.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evals.openai_server import quotes
from evals.openai_server.quotes import Visit

_PATH = re.compile(r"^# The component to edit\n\n`([^`]+)`", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]{3,}")
_WORDS = 5  # in one rule or definition
_EXAMPLES = 6  # of one answer
_DEFINITION = 200  # characters


class _Sign(NamedTuple):
    """Words that stand for a label of a field, the most telling first."""

    field: str
    label: str
    words: list[str]


def of_one_component(schema: Mapping[str, Any], text: str) -> Iterator[dict[str, Any]]:
    """Yield the edits that a request for those of one component asks for; none for any other request."""
    if not (found := _PATH.search(text)):
        return
    path, failed = found[1], [visit for visit in quotes.visits(text) if visit.wrong]
    value, signs = quotes.blocks(text).get(path, ""), _signs(failed, "")
    if path.endswith("/examples"):
        outputs = schema["$defs"]["ExampleOutput"]["properties"]
        yield from ({"op": "add", **example} for example in _examples(outputs, value, failed))
    elif path.endswith("/rules"):
        yield from ({"op": "add", **rule} for rule in _rules(value, signs))
    elif "/choices/" in path:
        yield from ({"op": "define", **definition} for definition in _definitions(path, value, signs))


def of_a_node(schema: Mapping[str, Any], text: str) -> Iterator[dict[str, Any]]:
    """Yield the edits that a request for those of a whole node asks for; none for any other request.

    What holds for more inputs comes first, since of edits that do the same the first one stays.
    """
    failed, found = [visit for visit in quotes.visits(text) if visit.wrong], quotes.blocks(text)
    signs = _signs(failed, found.get("right", ""))
    offered = [form["properties"] for form in schema["$defs"].values() if "path" in form.get("properties", {})]
    for op in ("add_rule", "define_label", "add_example"):
        for form in (form for form in offered if op in _one_of(form["op"])):
            for path in _one_of(form["path"]):
                value = found.get(path, "")
                if op == "add_rule":
                    edits = _rules(value, signs)
                elif op == "define_label":
                    edits = _definitions(path, value, signs)
                else:
                    output = form["output"]["$ref"].rpartition("/")[2]
                    edits = _examples(schema["$defs"][output]["properties"], value, failed)
                yield from ({"op": op, "path": path, **edit} for edit in edits)


def _rules(value: str, signs: Iterable[_Sign]) -> Iterator[dict[str, Any]]:
    for sign in signs:
        rule = f"Take `{sign.label}` for {', '.join(sign.words)}."
        if rule not in value:
            yield {"text": rule, "why": f"{sign.field} was missed."}


def _definitions(path: str, value: str, signs: Iterable[_Sign]) -> Iterator[dict[str, Any]]:
    defined = quotes.fields(value)
    for sign in signs:
        if path.endswith(f"/{sign.field}"):
            known = str(quotes.read(defined.get(sign.label, '""')))
            more = [word for word in sign.words if word not in known]
            definition = ", ".join([*([known] if known else []), *more])
            if more and len(definition) <= _DEFINITION:
                yield {"label": sign.label, "definition": definition, "why": "These words were missed."}


def _examples(outputs: Mapping[str, Any], value: str, failed: Iterable[Visit]) -> Iterator[dict[str, Any]]:
    """Yield an example for every failing input that is not shown yet, up to a number for each wanted answer."""
    shown = Counter(line.rpartition(" => ")[2] for line in value.split("\n"))
    for visit in failed:
        right = {**visit.gave, **visit.wanted}
        given = {name: quotes.read(content) for name, content in visit.given.items()}
        if not set(outputs) <= set(right) or json.dumps(given, ensure_ascii=False) in value:
            continue
        output = {name: _typed(right[name], outputs[name]) for name in outputs}
        wanted = json.dumps(output, ensure_ascii=False)
        if shown[wanted] < _EXAMPLES:
            shown[wanted] += 1
            yield {"input": given, "output": output, "why": "This input was taken for something else."}


def _signs(failed: Sequence[Visit], right: str) -> list[_Sign]:
    """Return the words that several inputs of a label have, or its only input, and no input of another label.

    Args:
        failed: visits that went wrong.
        right: visits that did not, as they are quoted; what they have tells nothing of a failure either.
    """
    texts: dict[tuple[str, str], list[set[str]]] = {}
    for visit in failed:
        for name, label in visit.wrong.items():
            texts.setdefault((name, label), []).append(_words(visit.text))
    found = []
    for (name, label), own in texts.items():
        others = _words(right).union(
            *(words for key, group in texts.items() if key != (name, label) for words in group)
        )
        counts = Counter(word for words in own for word in words - others)
        often = min(2, len(own))
        words = sorted((word for word, count in counts.items() if count >= often), key=lambda w: (-counts[w], w))
        if words:
            found.append(_Sign(name, label, words[:_WORDS]))
    return found


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _one_of(schema: Mapping[str, Any]) -> list[str]:
    """Return the values that a field of a form may have, where it names them."""
    return list(schema.get("enum", [schema["const"]] if "const" in schema else []))


def _typed(value: str, schema: Mapping[str, Any]) -> Any:
    return value if schema.get("type") == "string" or "enum" in schema else quotes.read(value)
