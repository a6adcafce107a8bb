"""The core of the contrastive teacher: it finds what separates failures from successes and writes it as edits.

It needs no language model, so learning can be tried and measured anywhere; what it writes (worked examples, rules
that quote what people say, definitions) is text that a person can read, check and undo one edit at a time.

The idea is functional gradient descent (Friedman 2001; Mason et al. 2000) with texts as steps. Every record leaves a
residual, what was wanted minus what the prompt's reader believes. A text added for a label pulls all texts that
resemble it toward that label; how much of the residuals it would take away, to first order, is its *gain*. Examples,
rules and definitions are chosen by the same gain, so hard messages that many other messages resemble come first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from agentsym.learning.teacher.phrases import content_words, listed, phrases
from agentsym.models.lexical import Grams, LexicalReader, Reading, Scores, Space, named

Kind = Literal["examples", "rules", "definitions"]


@dataclass(frozen=True)
class Rule:
    """A sentence of the prompt with its stable id."""

    id: str
    text: str


@dataclass(frozen=True)
class Example:
    """A worked example of the prompt with its stable id; `text` is its input as the reader sees inputs."""

    id: str
    text: str
    label: str


@dataclass(frozen=True)
class Content:
    """What a prompt says about one choice field: (label, definition) in order, rules and worked examples."""

    choices: tuple[tuple[str, str], ...]
    rules: tuple[Rule, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in order."""
        return tuple(label for label, _ in self.choices)

    def reading(self) -> Reading:
        """Return what a reader of the prompt gets."""
        return Reading(
            self.choices,
            tuple(rule.text for rule in self.rules),
            tuple((example.text, example.label) for example in self.examples),
        )


@dataclass(frozen=True)
class Record:
    """One row of the batch: the input as the reader sees inputs, the wanted label and the label that was answered."""

    text: str
    wanted: str
    predicted: str


@dataclass(frozen=True)
class AddExample:
    """Show record `row` of the batch as a worked example."""

    id: str
    row: int
    text: str
    label: str
    reason: str


@dataclass(frozen=True)
class ReplaceExample:
    """Show record `row` of the batch in place of the example `old`."""

    old: str
    id: str
    row: int
    text: str
    label: str
    reason: str


@dataclass(frozen=True)
class SetDefinition:
    """Write a label's definition anew."""

    label: str
    text: str
    reason: str


@dataclass(frozen=True)
class AddRule:
    """Add a sentence that names `label` in backticks."""

    id: str
    label: str
    text: str
    reason: str


@dataclass(frozen=True)
class ReplaceRule:
    """Write another sentence for `label` in place of the rule `old`."""

    old: str
    id: str
    label: str
    text: str
    reason: str


Edit = AddExample | ReplaceExample | SetDefinition | AddRule | ReplaceRule


@dataclass(frozen=True)
class Limits:
    """What a prompt may hold, and how much of it one proposal may write."""

    examples_per_label: int = 8
    rules_per_label: int = 5
    rule_chars: int = 120
    definition_chars: int = 200
    examples_per_step: int = 1
    phrases_per_rule: int = 4


class Contrast:
    """Proposes edits for one choice field from a batch of records.

    It holds no state but the counted grams, which are a pure function of the texts.
    """

    def __init__(self, limits: Limits = Limits(), grams: Grams | None = None) -> None:
        self._limits = limits
        self._grams = grams or Grams()

    def propose(
        self,
        kind: Kind,
        content: Content,
        records: Sequence[Record],
        avoid: frozenset[str] = frozenset(),
    ) -> list[Edit]:
        """Return edits of one kind, at most one or a few a label; none where nothing would help.

        Args:
            kind: which component of the prompt to write.
            content: the prompt as it is.
            records: rows of the training set with what the prompt answered; the larger, the surer the gains.
            avoid: ids (examples, rules) or texts (definitions) that a gate has turned down before.
        """
        view = _View(content, records, self._grams)
        if kind == "examples":
            return self._examples(view, avoid)
        if kind == "rules":
            return self._rules(view, avoid)
        return []

    def _examples(self, view: _View, avoid: frozenset[str]) -> list[Edit]:
        shown = {example.text for example in view.content.examples}
        gains = view.gains_of_records()
        edits: list[Edit] = []
        for label in view.content.labels:
            room = self._limits.examples_per_label - sum(e.label == label for e in view.content.examples)
            ranked = sorted((row for row in view.rows_of(label)), key=lambda row: (-gains[row], row))
            for row in ranked:
                text = view.records[row].text
                key = stable_id(label, text)
                if room <= 0 or sum(isinstance(e, AddExample) and e.label == label for e in edits) == self._limits.examples_per_step:
                    break
                if text in shown or key in avoid or gains[row] <= 0:
                    continue
                shown.add(text)
                room -= 1
                edits.append(AddExample(key, row, text, label, view.reason(row)))
        return edits

    def _rules(self, view: _View, avoid: frozenset[str]) -> list[Edit]:
        edits: list[Edit] = []
        messages = {" ".join(record.text.lower().split()) for record in view.records}
        quoted = {phrase for rule in view.content.rules for phrase in _QUOTED.findall(rule.text)}
        for label in view.content.labels:
            served = [r for r in view.content.rules if any(label in toward | against for _, toward, against in named(r.text, view.content.labels))]
            if len(served) >= self._limits.rules_per_label:
                continue
            heard = sorted({p for row in view.rows_of(label) for p in phrases(view.records[row].text)} - quoted)
            heard = [p for p in heard if p.lower() not in messages]
            chosen = self._chosen(view, label, heard)
            if not chosen:
                continue
            text = f"Choose `{label}` for {listed(['“'+p+'”' for p in chosen])}."
            key = stable_id(label, text)
            if key not in avoid:
                edits.append(AddRule(key, label, text, ""))
        return edits

    def _chosen(self, view: _View, label: str, heard: Sequence[str]) -> list[str]:
        """Greedily take the phrases with the largest gain that share no content word and fit one rule."""
        gains = view.gains_of_texts(heard, label)
        room = self._limits.rule_chars - len(f"Choose `{label}` for .") - 2
        taken: list[str] = []
        words: frozenset[str] = frozenset()
        for at in np.argsort(-gains, kind="stable"):
            phrase = heard[at]
            if gains[at] <= 0 or len(taken) == self._limits.phrases_per_rule:
                break
            if content_words(phrase) & words or len(phrase) + 4 > room:
                continue
            taken.append(phrase)
            words |= content_words(phrase)
            room -= len(phrase) + 4
        return taken


_QUOTED = re.compile(r"“([^”]+)”")


def stable_id(*parts: str) -> str:
    """Return an id that depends on the content only, so the same proposal is the same edit in every run."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


class _View:
    """The batch as the prompt's reader sees it: what it believes, what is left to explain, and in which direction."""

    def __init__(self, content: Content, records: Sequence[Record], grams: Grams) -> None:
        self.content, self.records = content, records
        self._place = {label: at for at, label in enumerate(content.labels)}
        self._reader = LexicalReader(content.reading(), grams)
        texts = [record.text for record in records]
        # Rarity is taken over the batch too: the prompt alone does not know the words it has yet to learn.
        self._space = Space([*content.labels, *texts], grams)
        self._vectors = self._space.vectors(texts)
        self.beliefs = self._reader.scores(texts)
        self.residuals = -self.beliefs
        self.residuals[np.arange(len(texts)), [self._place[r.wanted] for r in records]] += 1
        self._pull: Scores = np.asarray(self._vectors.T @ self.residuals)

    def rows_of(self, label: str) -> list[int]:
        return [row for row, record in enumerate(self.records) if record.wanted == label]

    def gains_of_records(self) -> Scores:
        """One a record: how far showing it would take the residuals of all records away."""
        return (self.residuals * (self._vectors @ self._pull)).sum(axis=1)

    def gains_of_texts(self, texts: Sequence[str], label: str) -> Scores:
        """One a text: the same for a text written for `label`."""
        if not texts:
            return np.empty(0, np.float32)
        step = -self._reader.scores(texts)
        step[:, self._place[label]] += 1
        return (step * (self._space.vectors(texts) @ self._pull)).sum(axis=1)

    def reason(self, row: int) -> str:
        r = self.records[row]
        return f"answered {r.predicted}" if r.predicted != r.wanted else "answered right, unsure"
