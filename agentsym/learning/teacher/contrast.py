"""The core of the contrastive teacher: it finds what separates failures from successes and writes it as edits.

It needs no language model, so learning can be tried and measured anywhere; what it writes (worked examples, rules
that quote what people say, definitions) is text that a person can read, check and undo one edit at a time.

The idea is functional gradient descent (Friedman 2001; Mason et al. 2000) with texts as steps. Every record leaves a
residual, what was wanted minus what the prompt's reader believes. A text added for a label pulls all texts that
resemble it toward that label; how much of the residuals it would take away, to first order, is its *gain*. Examples,
rules and definitions are chosen by the same gain, so hard messages that many other messages resemble come first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agentsym.learning.teacher.phrases import content_words, listed, phrases, retold
from agentsym.models.lexical import Grams, LexicalReader, Reading, Scores, Space, named

Kind = Literal["examples", "rules", "definitions"]


@dataclass(frozen=True)
class Record:
    """One row of the batch: the input as the reader sees inputs, the wanted label and the label that was answered."""

    text: str
    wanted: str
    predicted: str


@dataclass(frozen=True)
class AddExample:
    """Show record `row` of the batch as a worked example."""

    row: int
    text: str
    label: str
    reason: str


@dataclass(frozen=True)
class SetDefinition:
    """Give a label the definition `text`."""

    label: str
    text: str
    reason: str


@dataclass(frozen=True)
class AddRule:
    """Add a sentence that names `label` in backticks."""

    label: str
    text: str
    reason: str


Edit = AddExample | SetDefinition | AddRule


@dataclass(frozen=True)
class Limits:
    """What a prompt may hold; `examples_per_label` and `rules_per_label` count what one label has in all."""

    examples_per_label: int = 8
    rules_per_label: int = 5
    rule_chars: int = 120
    definition_chars: int = 200


EXAMPLE_TURNS = 8  # proposals that fill a label's examples: each is chosen by what the others leave unexplained
PHRASES_PER_RULE = 4
SENTENCES = 3
_QUOTED = re.compile(r"“([^”]+)”")
_RULE_FORMS = ("Choose `{label}` for {phrases}.", "Take {phrases} as `{label}`.", "`{label}` fits {phrases}.")


class Contrast:
    """Proposes edits for one choice field from a batch of records.

    It holds no state but the counted grams, which are a pure function of the texts.

    Args:
        limits: what the prompt may hold.
        speaker: who writes the inputs, as a definition begins ("The customer").
        grams: shared with other readers of the same texts, to count them once.
    """

    def __init__(self, limits: Limits | None = None, speaker: str = "The writer", grams: Grams | None = None) -> None:
        self._limits = limits or Limits()
        self._speaker = speaker
        self._grams = grams or Grams()

    def propose(self, kind: Kind, prompt: Reading, records: Sequence[Record]) -> list[Edit]:
        """Return edits of one kind for every label that they would help; none where nothing would.

        Args:
            kind: which component of the prompt to write.
            prompt: what the prompt says about the field.
            records: rows of the training set with what the prompt answered; the more, the surer the gains.
        """
        view = _View(prompt, records, self._grams)
        if kind == "examples":
            return self._examples(view)
        if kind == "rules":
            return self._rules(view)
        return self._definitions(view)

    def _examples(self, view: _View) -> list[Edit]:
        shown = Counter(label for _, label in view.prompt.examples)
        texts = {text for text, _ in view.prompt.examples}
        gains = view.gains_of_records()
        turn = max(1, self._limits.examples_per_label // EXAMPLE_TURNS)
        edits: list[Edit] = []
        for label in view.labels:
            room = min(turn, self._limits.examples_per_label - shown[label])
            for row in sorted(view.rows_of(label), key=lambda row: (-gains[row], row)):
                text = view.records[row].text
                if room <= 0 or gains[row] <= 0:
                    break
                if text not in texts:
                    texts.add(text)
                    room -= 1
                    edits.append(AddExample(row, text, label, view.reason(row)))
        return edits

    def _rules(self, view: _View) -> list[Edit]:
        messages = {_folded(record.text) for record in view.records}
        edits: list[Edit] = []
        for label in view.labels:
            served = [rule for rule in view.prompt.rules if view.serves(rule, label)]
            if len(served) >= self._limits.rules_per_label:
                continue
            form = _RULE_FORMS[len(served) % len(_RULE_FORMS)].replace("{label}", label)
            quoted = {_folded(phrase) for text in served for phrase in _QUOTED.findall(text)}
            heard = {phrase for row in view.rows_of(label) for phrase in phrases(view.records[row].text)}
            room = self._limits.rule_chars - len(form.replace("{phrases}", ""))
            said = messages | quoted
            fit = sorted(p for p in heard if _folded(p) not in said and view.is_telling(p, label))
            chosen = _chosen(view, label, fit, room)
            if not chosen:
                continue
            text = form.replace("{phrases}", listed([f"“{phrase}”" for phrase in chosen]))
            edits.append(AddRule(label, text, view.why(label)))
        return edits

    def _definitions(self, view: _View) -> list[Edit]:
        """Write what the records of a label say; a definition that is there already is left to who wrote it."""
        edits: list[Edit] = []
        for label, written in view.prompt.choices:
            if written:
                continue
            told = sorted({sentence for row in view.rows_of(label) for sentence in retold(view.records[row].text)})
            room = self._limits.definition_chars - len(f"{self._speaker} .")
            best: list[str] = []
            for at in np.argsort(-view.gains_of_texts(told, label), kind="stable"):
                other = all(len(content_words(told[at]) & content_words(one)) <= 1 for one in best)
                if len(best) < SENTENCES and other and len(told[at]) + 4 <= room:
                    best.append(told[at])
                    room -= len(told[at]) + 4
            if not best:
                continue
            text = f"{self._speaker} {listed(best)}."
            edits.append(SetDefinition(label, text, view.why(label)))
        return edits


def _folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _chosen(view: _View, label: str, heard: Sequence[str], room: int) -> list[str]:
    """Take the phrases with the largest gain that share no content word and fit into `room` characters."""
    gains = view.gains_of_texts(heard, label)
    taken: list[str] = []
    words: frozenset[str] = frozenset()
    for at in np.argsort(-gains, kind="stable"):
        if gains[at] <= 0 or len(taken) == PHRASES_PER_RULE:
            break
        if not content_words(heard[at]) & words and len(heard[at]) + 6 <= room:
            taken.append(heard[at])
            words |= content_words(heard[at])
            room -= len(heard[at]) + 4
    return taken


class _View:
    """The batch as the prompt's reader sees it: what it believes, and what is left to explain."""

    def __init__(self, prompt: Reading, records: Sequence[Record], grams: Grams) -> None:
        self.prompt, self.records = prompt, records
        self.labels = tuple(label for label, _ in prompt.choices)
        self._place = {label: at for at, label in enumerate(self.labels)}
        self._reader = LexicalReader(prompt, grams)
        texts = [record.text for record in records]
        # Rarity is taken over the batch too: the prompt alone does not know the words it has yet to learn.
        self._space = Space([*self.labels, *texts], grams)
        self._vectors = self._space.vectors(texts)
        # residuals: records × labels, what was wanted minus what is believed; pull: the same, by gram.
        self._residuals = -self._reader.scores(texts)
        self._residuals[np.arange(len(texts)), [self._place[record.wanted] for record in records]] += 1
        self._pull: Scores = np.asarray(self._vectors.T @ self._residuals)
        self._rows: dict[str, list[int]] = {label: [] for label in self.labels}
        for row, record in enumerate(records):
            self._rows[record.wanted].append(row)
        self._holders: dict[str, set[int]] = {}
        for row, record in enumerate(records):
            for word in content_words(record.text):
                self._holders.setdefault(word, set()).add(row)
        self._served = {
            rule: {label for _, toward, against in named(rule, self.labels) for label in toward | against}
            for rule in prompt.rules
        }

    def rows_of(self, label: str) -> list[int]:
        """Return the records that want the label."""
        return self._rows[label]

    def is_telling(self, phrase: str, label: str) -> bool:
        """Whether a phrase points to the label: two of its records hold its words, and most that do are its own.

        So does one whose every content word points there alone.
        """
        held_by = [self._holders.get(word, set()) for word in content_words(phrase)]
        if not held_by:
            return False
        return self._is_own(set.intersection(*held_by), label) or all(self._is_own(rows, label) for rows in held_by)

    def _is_own(self, rows: set[int], label: str) -> bool:
        own = sum(self.records[row].wanted == label for row in rows)
        return own >= 2 and 2 * own >= len(rows)

    def serves(self, rule: str, label: str) -> bool:
        """Whether a rule names the label."""
        return label in self._served[rule]

    def gains_of_records(self) -> Scores:
        """One a record: how much of all residuals showing it as an example would take away."""
        return np.asarray((self._residuals * (self._vectors @ self._pull)).sum(axis=1))

    def gains_of_texts(self, texts: Sequence[str], label: str) -> Scores:
        """One a text: the same for a text that is written for `label`."""
        if not texts:
            return np.empty(0, np.float32)
        step = -self._reader.scores(texts)
        step[:, self._place[label]] += 1
        return np.asarray((step * (self._space.vectors(texts) @ self._pull)).sum(axis=1))

    def reason(self, row: int) -> str:
        """Say why a record would make a good example."""
        record = self.records[row]
        if record.predicted != record.wanted:
            return f"was answered `{record.predicted}`, and messages like it were too"
        return f"was answered right, but others of `{record.wanted}` like it were not sure"

    def why(self, label: str) -> str:
        """Say what went wrong with a label's records."""
        missed = Counter(self.records[row].predicted for row in self._rows[label])
        right = missed.pop(label, 0)
        if not missed:
            return f"all {right} records of `{label}` were answered right; this makes their wording plain"
        most, count = min(missed.items(), key=lambda item: (-item[1], item[0]))
        return f"{missed.total()} of {missed.total() + right} records were missed, {count} of them as `{most}`"
