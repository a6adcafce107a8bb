"""The teacher's double: it answers the loss, gradient and update requests of `agentsym optimize` from their text.

It tells them apart by the form that is asked for, reads what was wrong and what was wanted, and gives edits that quote
the failing inputs under the wanted label: no language model, but what it writes depends on the prompt and helps.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from evals.openai_server import quotes
from evals.openai_server.quotes import Visit
from evals.openai_server.reader import schema_of

_PATH = re.compile(r"^# The component to edit\n\n`([^`]+)`", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]{3,}")
_ADVICE = {
    "rules": "Say which words stand for `{label}`.",
    "examples": "Show an input whose {field} is `{label}`.",
    "choices": "Name the words that belong to `{label}`.",
}
_WORDS = 5  # in one rule or definition
_EXAMPLES = 6  # of one answer


def tutor(body: Mapping[str, Any]) -> str:
    """Answer one request of the teacher.

    Raises:
        ValueError: the request asks for none of the teacher's forms.
    """
    schema = schema_of(body) or {}
    names, text = set(schema.get("properties", ())), quotes.asked(body)
    if "comments" in names:
        answer = _loss(text, scored="score" in names)
    elif "edits" in names:
        answer = {"analysis": "The inputs below were taken for something else.", "edits": list(_edits(schema, text))}
    elif "analysis" in names:
        answer = _gradient(schema, text)
    else:
        raise ValueError(f"the tutor answers the teacher's requests only, not one for {sorted(names) or 'prose'}")
    return json.dumps(answer, ensure_ascii=False)


def _loss(text: str, *, scored: bool) -> dict[str, Any]:
    found = quotes.blocks(text)
    gave, wanted = (quotes.fields(found.get(name, "")) for name in ("result", "expected output"))
    wrong = {name: value for name, value in wanted.items() if gave.get(name) != value}
    said = [f"`{name}` is {gave.get(name, 'missing')}, wanted was {value}." for name, value in wrong.items()]
    needed = [f"`{name}`: give {value} for inputs like this one." for name, value in wrong.items()]
    answer = {
        "comments": " ".join(said) or "Everything is as it was wanted.",
        "requirement_for_last": " ".join(needed),
        "satisfied": not wrong,
    }
    return answer | ({"score": round(10 * (1 - len(wrong) / max(1, len(wanted))))} if scored else {})


def _gradient(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Suggest a change of every component that could have told the label, and pass nothing back."""
    wrong = quotes.visit(quotes.blocks(text).get("step", "")).wrong
    properties = schema["properties"]
    paths = _paths(schema) if "suggestions" in properties else []
    suggestions = [
        {"parameter": path, "advice": advice.format(field=name, label=label), "severity": 3}
        for path in paths
        for name, label in wrong.items()
        for kind, advice in _ADVICE.items()
        if path.endswith((f"/{kind}", f"/{kind}/{name}"))
    ]
    wants = ", ".join(f"{name} {label}" for name, label in wrong.items())
    answer: dict[str, Any] = {
        "analysis": f"This step should have given {wants}." if wrong else "This step did its part.",
        "satisfied": not suggestions,
    }
    if "suggestions" in properties:
        answer["suggestions"] = suggestions
    if "requirement_for_previous" in properties:
        answer["requirement_for_previous"] = dict.fromkeys(_resolved(schema, "requirement_for_previous")["properties"])
    return answer


def _edits(schema: Mapping[str, Any], text: str) -> Iterator[dict[str, Any]]:
    """Yield the edits of one component."""
    found = _PATH.search(text)
    path = found.group(1) if found else ""
    value = quotes.blocks(text).get(path, "")
    failed = [visit for visit in quotes.visits(text) if visit.wrong]
    if path.endswith("/examples"):
        yield from _examples(schema, value, failed)
    elif path.endswith("/rules"):
        for name, label, words in _signs(failed):
            rule = f"Take `{label}` for {', '.join(words)}."
            if rule not in value:
                yield {"op": "add", "text": rule, "why": f"{name} was missed."}
    elif "/choices/" in path:
        defined = quotes.fields(value)
        for name, label, words in _signs(failed):
            if path.endswith(f"/{name}"):
                known = str(quotes.read(defined.get(label, '""')))
                more = [word for word in words if word not in known]
                definition = ", ".join([*([known] if known else []), *more])
                if more and len(definition) <= 200:
                    yield {"op": "define", "label": label, "definition": definition, "why": "These words were missed."}


def _examples(schema: Mapping[str, Any], value: str, failed: list[Visit]) -> Iterator[dict[str, Any]]:
    """Yield an example for every failing input that is not shown yet, up to a number for each wanted answer."""
    outputs = schema["$defs"]["ExampleOutput"]["properties"]
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
            yield {"op": "add", "input": given, "output": output, "why": "This input was taken for something else."}


def _signs(failed: list[Visit]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (field, wanted label, words): those that several inputs of this label have and no input of another."""
    texts: dict[tuple[str, str], list[set[str]]] = {}
    for visit in failed:
        for name, label in visit.wrong.items():
            texts.setdefault((name, label), []).append(set(_WORD.findall(visit.text.lower())))
    for (name, label), own in texts.items():
        others = set[str]().union(*(words for key, group in texts.items() if key != (name, label) for words in group))
        counts = Counter(word for words in own for word in words - others)
        words = sorted((word for word, count in counts.items() if count > 1), key=lambda word: (-counts[word], word))
        if words:
            yield name, label, words[:_WORDS]


def _paths(schema: Mapping[str, Any]) -> list[str]:
    """Return the components that a gradient may suggest to change."""
    parameter = schema["$defs"]["Suggestion"]["properties"]["parameter"]
    return list(parameter.get("enum", [parameter.get("const")]))


def _resolved(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = schema["properties"][name]
    return schema["$defs"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found


def _typed(value: str, schema: Mapping[str, Any]) -> Any:
    return value if schema.get("type") == "string" or "enum" in schema else quotes.read(value)
