"""What the teacher's double says of a run: the loss, a step's gradient, and which nodes are to blame.

It compares what was given with what was wanted, as both stand in the request, and sees no further than that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evals.openai_server import quotes

_ADVICE = {
    "rules": "Say which words stand for `{label}`.",
    "examples": "Show an input whose {field} is `{label}`.",
    "choices": "Name the words that belong to `{label}`.",
}
_WANTED = (  # how a judgement says of a field what was wanted
    re.compile(r"^expected (\S+): (.*)$", re.MULTILINE),  # a label
    re.compile(r"^(\S+): wanted (.*?), (?:given|but nothing)", re.MULTILINE),  # the built-in metrics
    re.compile(r"(\w+) should be (.+?)(?=[;.]|$)", re.MULTILINE),  # a metric without a text of its own
    re.compile(r"`(\w+)`: give (.+?) for inputs like this one\."),  # `loss`
)


def loss(text: str, *, scored: bool) -> dict[str, Any]:
    """Judge a run by its result and what was expected; `scored`: say also what it is worth, from 0 to 10."""
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


def gradient(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
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


def blame(text: str) -> dict[str, Any]:
    """Blame the nodes that gave something else than what was wanted; where nothing tells, the last one that ran."""
    judgement = quotes.blocks(text).get("judgement", "")
    wanted = {name: value.strip("'\"") for pattern in _WANTED for name, value in pattern.findall(judgement)}
    steps = list(quotes.steps(text))
    wrong = {
        node: [
            f"`{name}` should be {wanted[name]}." for name, value in gave.items() if wanted.get(name, value) != value
        ]
        for node, gave in steps
    }
    blamed = {node: " ".join(said) for node, said in wrong.items() if said} or {
        node: "Give what was wanted." for node, _ in steps[-1:]
    }
    return {"nodes": [{"node": node, "blame": 1.0, "critique": said} for node, said in blamed.items()]}


def _paths(schema: Mapping[str, Any]) -> list[str]:
    """Return the components that a gradient may suggest to change."""
    parameter = schema["$defs"]["Suggestion"]["properties"]["parameter"]
    return list(parameter.get("enum", [parameter.get("const")]))


def _resolved(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = schema["properties"][name]
    return schema["$defs"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found
