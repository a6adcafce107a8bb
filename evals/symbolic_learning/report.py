"""What a task prints: the figures before and after learning, beside those of the paper, and what they do not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentsym.cli.screen import emit, say
from agentsym.learning.report.wording import count, interval, number, spent

Document = Mapping[str, Any]


def show(document: Document, *, as_json: bool) -> None:
    """Print a run's document, or the table that is drawn from it; on stderr what ended it and how to go on."""
    if as_json:
        emit(document)
    else:
        print("\n".join(_lines(document)))
    if document["status"] in ("budget", "interrupted", "failed") or document["error"]:
        say(f"{document['status']}: {document['error'] or document['reason']}", "bold")
        say(f"to go on: python -m evals.{document['eval']} --resume {document['run']}")


def show_plan(document: Document, *, as_json: bool) -> None:
    """Print what would run."""
    if as_json:
        emit(document)
        return
    print("\n".join(_head(document)))
    calls = ", ".join(f"{phase} {number(amount)}" for phase, amount in document["calls"].items() if amount)
    print(f"calls: {document['calls_are']} {number(document['calls_in_all'])} ({calls})")
    free = document["is_scripted"]
    price = "nothing is paid" if free else f"dollars: {'unknown' if document['usd'] is None else document['usd']}"
    print(f"tokens: about {number(document['tokens_in_all'])}; {price}")


def _lines(document: Document) -> Iterator[str]:
    yield from _head(document)
    total = document["usage"]["total"]
    used = spent(total["calls"], total["tokens"], 0.0 if document["is_scripted"] else total["usd"])
    yield f"{count(document['steps'], 'step')}, {document['accepted']} accepted; {used}; {document['seconds']:.0f} s"
    yield ""
    found = document["figures"]
    if found is None:
        yield "the final test was not reached"
    else:
        yield f"{'on ' + count(document['rows']['test'], 'test row') + ', in percent':34}{'before':>10}{'after':>10}"
        for name, pair in found.items():
            if name != "gain":
                yield f"  {name:32}{pair['before']:>10.1f}{pair['after']:>10.1f}"
        gain = found["gain"]
        yield f"  gain of the score {gain['score']:+.3f}, 95 % interval {interval(gain['low'], gain['high'])}"
    yield ""
    yield f"{'the paper (arXiv 2406.18532)':46}{'gpt-3.5':>12}{'gpt-4':>12}"
    for method, told in document["paper"].items():
        yield f"  {method:44}{told['gpt-3.5']:>12}{told['gpt-4']:>12}"
    yield ""
    yield from (f"- {caveat}" for caveat in document["caveats"])
    if document["out"]:
        yield f"best agent: {document['out']}"


def _head(document: Document) -> Iterator[str]:
    if document["note"]:
        yield document["note"]
    rows = ", ".join(f"{size} {name}" for name, size in document["rows"].items())
    yield f"{document['eval']} ({document['split']}): {rows}, parted by a hash with seed {document['seed']}"
    yield f"student {document['student']}, teacher {document['teacher']}, optimizer {document['optimizer']}"
