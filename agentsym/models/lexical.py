"""The lexical reader: it answers a choice by what the prompt says about each label, and knows nothing else.

The offline student needs a way of reading that improves exactly as the prompt improves; this one compares words and
pieces of words, and everything it weighs (how rare a word is, which word speaks for which label) it takes from the
texts of the prompt itself.

Reading a prompt is a multinomial logistic regression (Hastie, Tibshirani and Friedman, *The Elements of Statistical
Learning*, 4.4) on the prompt's own texts: each label name, definition, rule and worked example is one row, and the
reader settles on weights under which every row is read as the label it was written for.
"""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

# A label has one name but many examples, so its name counts twice; other texts count once. The results depend
# little on these (a factor of three either way changes accuracy by less than half a point).
NAME_WEIGHT = 2.0
PENALTY = 1 / 30
ROUNDS = 40

_PIECES = (3, 4)
_WORD = re.compile(r"\w+(?:'\w+)?")
_BACKTICKED = re.compile(r"`([^`\n]+)`")
_QUOTED = re.compile(r"“([^”]+)”|\"([^\"]+)\"")
# "`a`, not `b`", "rather than `b`", "never choose `b`": the label is set apart from, not pointed to.
_AGAINST = re.compile(
    r"\b(?:not|never|than|instead of|unlike|except)(?:\s+(?:choose|for|to|is|it|a|an|the))*\s*$", re.I
)


@dataclass(frozen=True)
class Reading:
    """What a prompt says about one choice field.

    Attributes:
        choices: (label, definition) in the prompt's order; a definition may be empty.
        rules: sentences; a rule serves the labels that it names in backticks, and one that names none of them
            tells this field's labels no better apart, so the reader passes over it.
        examples: (input text, label); examples of labels that are no choice are passed over.
    """

    choices: tuple[tuple[str, str], ...]
    rules: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()


class Grams:
    """Counts the words, word pairs and word pieces of texts, remembering the latest `size` texts by content.

    The same messages come again and again under changing prompts; counting costs about 0.1 ms a text, looking up
    next to nothing. A gram is known by its CRC-32, so what a text holds does not depend on the texts seen before.
    """

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._kept: OrderedDict[str, tuple[NDArray[np.uint32], NDArray[np.float32]]] = OrderedDict()

    def of(self, text: str) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Return the text's grams, sorted by code, with their damped counts 1 + ln(count)."""
        if (found := self._kept.get(text)) is not None:
            self._kept.move_to_end(text)
            return found
        codes = np.fromiter((zlib.crc32(gram.encode()) for gram in _grams(text)), dtype=np.uint32)
        grams, counts = np.unique(codes, return_counts=True)
        made = grams, (1 + np.log(counts)).astype(np.float32)
        self._kept[text] = made
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return made


class Space:
    """The vector space that a set of texts spans: its grams, each weighed by how few of the texts hold it."""

    def __init__(self, texts: Sequence[str], grams: Grams) -> None:
        self._grams = grams
        held = [grams.of(text)[0] for text in texts]
        self._codes, within = np.unique(np.concatenate([*held, np.empty(0, np.uint32)]), return_counts=True)
        self._rarity = (np.log((1 + len(texts)) / (1 + within)) + 1).astype(np.float32)

    def vectors(self, texts: Sequence[str]) -> Any:
        """Return texts × grams, a sparse matrix whose rows have length 1 (0 where no gram is known)."""
        from scipy.sparse import csr_matrix

        columns: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
        values: list[NDArray[np.float32]] = [np.empty(0, np.float32)]
        ends = [0]
        for text in texts:
            codes, counts = self._grams.of(text)
            at = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
            known = self._codes[at] == codes
            value = counts[known] * self._rarity[at[known]]
            columns.append(at[known])
            values.append(value / np.float32(np.sqrt(value @ value) or 1))
            ends.append(ends[-1] + len(value))
        return csr_matrix((np.concatenate(values), np.concatenate(columns), ends), (len(texts), len(self._codes)))


class LexicalReader:
    """Reads one choice field as one prompt describes it.

    Making the reader is the costly part (about 0.1 s for 77 labels with 8 examples and 5 rules each); keep it as
    long as the prompt stays the same.
    """

    def __init__(self, reading: Reading, grams: Grams) -> None:
        self.labels = tuple(label for label, _ in reading.choices)
        texts, targets, weights = _rows(reading)
        self._space = Space(texts, grams)
        rows = self._space.vectors(texts)
        self._weights: Scores = rows.T @ _fit((rows @ rows.T).toarray(), targets, weights)

    def scores(self, texts: Sequence[str]) -> Scores:
        """Return texts × labels, rows that sum to 1: how sure the reader is of each label.

        A text that shares nothing with the prompt gets the same score for every label; ties go to the first label.
        """
        return softmax(self._space.vectors(texts) @ self._weights)

    def score(self, text: str) -> dict[str, float]:
        """Return how sure the reader is of each label, in the prompt's order; the values sum to 1."""
        return dict(zip(self.labels, map(float, self.scores([text])[0]), strict=True))

    def answers(self, texts: Sequence[str]) -> list[str]:
        """Return the likeliest label for each text."""
        return [self.labels[best] for best in self.scores(texts).argmax(axis=1)]


def named(rule: str, labels: Sequence[str]) -> list[tuple[str, frozenset[str], frozenset[str]]]:
    """Read a rule clause by clause (clauses end at a semicolon).

    Returns:
        For each clause its words, the labels it points to and the labels it sets apart ("not `b`"). The words are
        the quoted phrases if there are any, else the whole clause without its labels. A clause that names no label
        goes with the clause before it.
    """
    clauses: list[tuple[str, frozenset[str], frozenset[str]]] = []
    for clause in rule.split(";"):
        toward: set[str] = set()
        against: set[str] = set()
        for match in _BACKTICKED.finditer(clause):
            if match[1] in labels:
                (against if _AGAINST.search(clause[: match.start()]) else toward).add(match[1])
        quoted = [one or two for one, two in _QUOTED.findall(clause)]
        words = " . ".join(quoted) if quoted else _BACKTICKED.sub(" ", clause)
        if toward or against:
            clauses.append((words, frozenset(toward), frozenset(against)))
        elif clauses:
            before = clauses.pop()
            clauses.append((f"{before[0]} . {words}", before[1], before[2]))
    return clauses


def softmax(values: Scores) -> Scores:
    """Return rows that are positive and sum to 1."""
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def _grams(text: str) -> list[str]:
    """Words, pairs of neighbors and pieces of 3 and 4 characters within a word; `snake_case` also as its words."""
    lowered = text.lower().replace("\u2019", "'")
    words = _WORD.findall(lowered.replace("_", " "))
    grams = [f"w{word}" for word in words]
    grams += [f"w{word}" for word in _WORD.findall(lowered) if "_" in word]
    grams += [f"p{one} {two}" for one, two in pairwise(words)]
    for word in words:
        padded = f" {word} "
        grams += [padded[at : at + size] for size in _PIECES for at in range(len(padded) - size + 1)]
    return grams


def _rows(reading: Reading) -> tuple[list[str], Scores, Scores]:
    """Lay the prompt out as rows: their texts, targets (rows × labels, each sums to 1) and weights."""
    labels = [label for label, _ in reading.choices]
    place = {label: at for at, label in enumerate(labels)}
    rows: list[tuple[str, set[str], float]] = [(label, {label}, NAME_WEIGHT) for label in labels]
    rows += [(definition, {label}, 1.0) for label, definition in reading.choices if definition]
    for rule in reading.rules:
        for words, toward, against in named(rule, labels):
            rows.append((words, set(toward or set(labels) - against), 1.0))
    rows += [(text, {label}, 1.0) for text, label in reading.examples if label in place]
    targets = np.zeros((len(rows), len(labels)), np.float32)
    for at, (_, pointed, _) in enumerate(rows):
        targets[at, [place[label] for label in pointed]] = 1 / max(1, len(pointed))
    return [text for text, _, _ in rows], targets, np.array([weight for _, _, weight in rows], np.float32)


def _fit(kernel: Scores, targets: Scores, weights: Scores) -> Scores:
    """Minimize Σ weight · cross-entropy + PENALTY/2 · ‖W‖² with W = rowsᵀ·result (Nesterov 1983, fixed rounds).

    Args:
        kernel: rows × rows, the products of the prompt's rows.
        targets: rows × labels.
        weights: one a row.
    """
    column = weights[:, None]
    step = np.float32(1 / (0.5 * _largest_eigenvalue(kernel) * weights.max(initial=1) + PENALTY))
    now = ahead = np.zeros_like(targets)
    speed = 1.0
    for _ in range(ROUNDS):
        slope = column * (softmax(kernel @ ahead) - targets) + np.float32(PENALTY) * ahead
        then, now = now, ahead - step * slope
        faster = (1 + (1 + 4 * speed * speed) ** 0.5) / 2
        ahead, speed = now + np.float32((speed - 1) / faster) * (now - then), faster
    return now


def _largest_eigenvalue(kernel: Scores) -> float:
    """Estimate it by power iteration, two percent up so that a step never overshoots."""
    vector = np.ones(len(kernel), np.float32)
    for _ in range(12):
        vector = kernel @ vector
        vector /= np.linalg.norm(vector) or 1
    return 1.02 * float(vector @ (kernel @ vector))
