"""Does a learned text repeat training inputs? A rule that quotes its examples fits them and says nothing of others.

It is a warning and no gate: a phrase may be shared since it is the domain's own, which only a reader can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_APOSTROPHES = "'\u2019"
_WORD = re.compile(rf"\w+(?:[{_APOSTROPHES}]\w+)*")
_WITHOUT_APOSTROPHES = str.maketrans("", "", _APOSTROPHES)


class Leakage:
    """Finds what learned texts share with training inputs; its index is built once, in time linear in their length.

    Words are compared without case and punctuation. Scripts that put no blanks between words are not looked into.

    Args:
        inputs: the training inputs.
        n: words in a row that are more than chance.
    """

    def __init__(self, inputs: Iterable[str], n: int = 6) -> None:
        self._n = n
        self._known = {gram for text in inputs for gram in _grams([_plain(word) for word in _WORD.findall(text)], n)}

    def leaks(self, text: str) -> list[str]:
        """Return the passages of a text of which all n-grams stand in training inputs, each as long as can be.

        They come in the order and the wording of the text, each once.
        """
        words = list(_WORD.finditer(text))
        passages: list[tuple[int, int]] = []  # numbers of the first and of the last word
        for start, gram in enumerate(_grams([_plain(word.group()) for word in words], self._n)):
            if gram not in self._known:
                continue
            end = start + self._n - 1
            if passages and passages[-1][1] == end - 1:
                passages[-1] = (passages[-1][0], end)
            else:
                passages.append((start, end))
        return list(dict.fromkeys(text[words[first].start() : words[last].end()] for first, last in passages))


def _grams(words: Sequence[str], n: int) -> Iterator[str]:
    return (" ".join(words[start : start + n]) for start in range(len(words) - n + 1))


def _plain(word: str) -> str:
    return word.casefold().translate(_WITHOUT_APOSTROPHES)
