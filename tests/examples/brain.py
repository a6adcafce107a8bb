"""A double of the models behind the example's graph and of its teacher: what it answers depends on the prompt alone.

Its router knows only the words that its prompt lists, its writer does what its prompt says and no more, and its teacher
reads in the request what went wrong. It is no language model.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from evals.openai_server import quotes
from evals.openai_server.quotes import Visit
from evals.openai_server.several import each

TEACHER = "gpt-4o"
SIGNS = re.compile(r"\n- (\w+): (.+)")
TELL = "Repeat the one sentence of the article that has the fact, word for word."
CITE = "End with the article's number in square brackets, like [X1]."
ADDED = 5  # words for a shelf in one edit


def brain(body: Mapping[str, Any]) -> str:
    """Answer one request: of the teacher, of the router (which wants a shelf), or of the writer."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    names = set(schema.get("properties", ()))
    if body["model"] == TEACHER:
        answer = each(schema, quotes.asked(body), lambda form, text: teach(set(form["properties"]), text))
        return json.dumps(answer)
    prompt, asked = (message["content"] for message in body["messages"])
    return json.dumps({"shelf": route(prompt, asked)}) if "shelf" in names else write(prompt, asked)


def route(prompt: str, question: str) -> str:
    """Return the shelf of whose words, as the prompt lists them, the question has most."""
    found = {shelf: len(stems(question) & stems(listed)) for shelf, listed in SIGNS.findall(prompt)}
    return max(found, key=lambda shelf: found[shelf]) if any(found.values()) else "setup"


def write(prompt: str, asked: str) -> str:
    """Return a vague answer, or one that tells and cites as far as the prompt wants it."""
    article, _, question = asked.partition("\nQuestion: ")
    number, text = article.removeprefix("Article ").split(": ", 1)
    title, *sentences = re.split(r"(?<=[.;]) ", text)
    best = max(sentences, key=lambda sentence: len(stems(sentence) & stems(question)))
    answer = best if TELL in prompt else f"Our article on “{title.rstrip('.')}” will help you."
    return f"{answer} [{number}]" if CITE in prompt else answer


def teach(names: set[str], text: str) -> dict[str, Any]:
    """Blame the one node that there is for a failing run, or mend its prompts."""
    found = quotes.blocks(text)
    if "nodes" in names:
        return {"nodes": [{"node": "help_centre", "blame": 1.0, "critique": found["judgement"]}]}
    runs, router, writer = list(quotes.visits(text)), "help_centre/router", "help_centre/writer"
    mended = {
        router: with_signs(found[router], runs, found.get("right", "")),
        writer: with_orders(found[writer], runs),
    }
    edits = [
        {"op": "set_text", "path": path, "value": new, "why": "The prompt did not say it."}
        for path, new in mended.items()
        if new != found[path]
    ]
    return {"analysis": "The prompts do not say it.", "edits": edits}


def faults(run: Visit) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a run, each with the prompt that lets it happen."""
    gave, wanted = run.gave, run.wanted
    if gave["shelf"] != wanted["shelf"]:
        yield "router", f"Such words belong to {wanted['shelf']}: {run.text}"
        return
    if wanted["answer"].lower() not in gave["answer"].lower():
        yield "writer", TELL
    if f"[{wanted['article']}]" not in gave["answer"]:
        yield "writer", CITE


def with_orders(prompt: str, runs: list[Visit]) -> str:
    """Return the writer's prompt with what it did not say."""
    missing = {fault for run in runs for name, fault in faults(run) if name == "writer"}
    return "\n".join([prompt, *(line for line in (TELL, CITE) if line in missing and line not in prompt)])


def with_signs(prompt: str, runs: list[Visit], right: str) -> str:
    """Return the router's prompt with more of the words that tell a shelf from the others.

    Args:
        prompt: the prompt.
        runs: what failed.
        right: what did not, as it is quoted; its words stand for no shelf but their own.
    """
    signs = {shelf: listed.split(", ") for shelf, listed in SIGNS.findall(prompt)}
    seen: dict[str, Counter[str]] = {}
    for run in runs:
        if any(name == "router" for name, _ in faults(run)):
            seen.setdefault(run.wanted["shelf"], Counter()).update(long_words(run.text))
    for shelf, counts in seen.items():
        others = long_words(right).union(*(seen[other] for other in seen if other != shelf))
        known = signs.setdefault(shelf, [])
        own = sorted(counts.keys() - others - {*known}, key=lambda word: (-counts[word], -len(word), word))
        known += own[:ADDED]
    head = SIGNS.sub("", prompt)
    return head + "".join(f"\n- {shelf}: {', '.join(listed)}" for shelf, listed in signs.items() if listed)


def long_words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", text.lower()))


def stems(text: str) -> set[str]:
    """Return the longer words of a text, by their first five letters."""
    return {word[:5] for word in long_words(text)}
