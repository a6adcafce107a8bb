"""Metrics: how good an output is, measured by code against the labels of its row.

`exact` and `f1` compare field by field; a user's own function is wrapped, and what it returns is checked.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import math
import re
import string
import sys
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, Protocol

from agentsym.errors import AgentsymError, DataError, UsageError
from agentsym.learning.protocols import Row, Verdict
from agentsym.network.code import load_file, source_hash

ARTICLES = re.compile(r"\b(a|an|the)\b")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
CLOSED_ANSWERS = ("yes", "no", "noanswer")
TELLING = re.compile(r"(?<!\w)-(?=\d)|\d+|[+#<>=]")
"""What tells answers apart (C, C++, C#; <5, >5; 1:30, 13:0) although normalising takes them for the same."""
LEADING_ZERO = re.compile(r"\s*[+-]?0\d")  # a code (007), not a number
IN_A_ROW = 8  # rows on which a metric that has worked fails, until it counts as broken
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


class Metric(Protocol):
    """Scores one output against its row."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    async def __call__(self, row: Row, output: Mapping[str, Any]) -> Verdict:
        """Return the verdict; its score is None where the row has no labels to compare with."""
        ...


class FieldMetric:
    """Compares each labeled field by one function; the score is the mean, `parts` has each field's value."""

    def __init__(self, name: str, compare: Callable[[Any, Any], float]) -> None:
        self.name = name
        self._compare = compare

    async def __call__(self, row: Row, output: Mapping[str, Any]) -> Verdict:
        if not row.expected:
            return Verdict(score=None)
        parts = {name: self._compare(wanted, output.get(name)) for name, wanted in row.expected.items()}
        texts = [_comment(name, row.expected[name], output, part) for name, part in parts.items()]
        return Verdict(score=math.fsum(parts.values()) / len(parts), parts=parts, text="\n".join(texts))


class FunctionMetric:
    """A user's `fn(row: dict, output: dict) -> float | tuple[float, str]`, sync or async.

    The row is flat, as in the file: id, inputs and labels. A function that is not async runs in a thread, so
    that a slow one does not hold up the run.
    """

    def __init__(self, name: str, function: Callable[[dict[str, Any], dict[str, Any]], Any]) -> None:
        self.name = name
        self.function = function

    async def __call__(self, row: Row, output: Mapping[str, Any]) -> Verdict:
        flat = {"id": row.id, **row.inputs, **row.expected}
        if inspect.iscoroutinefunction(self.function):
            found = await self.function(flat, dict(output))
        else:
            found = await asyncio.to_thread(self.function, flat, dict(output))
            if isinstance(found, Awaitable):
                found = await found
        return self._verdict(found, row)

    def _verdict(self, found: Any, row: Row) -> Verdict:
        if isinstance(found, Verdict) and found.score is not None:
            return self._verdict((found.score, found.text), row).model_copy(update={"parts": found.parts})
        score, text = found if isinstance(found, tuple) and len(found) == 2 else (found, "")
        if hasattr(score, "item"):  # a number of numpy or torch
            score = score.item()
        if not isinstance(score, Real) or not isinstance(text, str):
            raise DataError(
                f"the metric {self.name} returned {found!r} for {place(row)}; "
                "it must return a number in [0, 1], or a tuple of such a number and a text"
            )
        value = float(score)
        if not 0.0 <= value <= 1.0:  # also catches NaN
            raise DataError(f"the metric {self.name} returned {value} for {place(row)}; a score lies in [0, 1]")
        return Verdict(score=value, text=text)


class Watched:
    """A metric that is watched for failing: once is told; where it does not work at all it is refused.

    `evaluate` scores a row 0 on which the metric raises, so that a broken metric would else look like a bad agent. One
    that has worked may fail on odd outputs of a candidate, which is no reason to end a run; so it has to fail on
    `IN_A_ROW` rows, in batches without any score, before it counts as broken.

    Args:
        metric: the metric.
        warn: is told of the first failure.
    """

    def __init__(self, metric: Metric, warn: Callable[[str], None]) -> None:
        self.name = metric.name
        self.source = source_of(metric)
        self._metric = metric
        self._warn = warn
        self._works = False
        self._told = False
        self._scored = False
        self._failures: list[str] = []

    async def __call__(self, row: Row, output: Mapping[str, Any]) -> Verdict:
        try:
            verdict = await self._metric(row, output)
        except AgentsymError:
            raise
        except Exception as error:
            self._failures.append(_failure(self._metric, row, error))
            if not self._told:
                self._told = True
                self._warn(f"{self._failures[0]}; a row on which it fails scores 0")
            raise
        self._works = self._scored = True
        return verdict

    def end_batch(self) -> None:
        """Say that all rows of a batch were scored.

        Raises:
            DataError: the metric failed on each of them, and has never worked or has failed so for `IN_A_ROW` rows;
                tells the first failure.
        """
        if self._scored:
            self._failures.clear()
        self._scored = False
        failures = len(self._failures)
        if failures and (not self._works or failures >= IN_A_ROW):
            first = self._failures[0]
            self._failures.clear()
            raise DataError(f"{first}; it failed on every row ({failures} of {failures}), so nothing was measured")


def source_of(metric: Metric) -> str:
    """Return a hash that changes with a metric's code (the whole file it stands in, if it has one); "" for ours."""
    if isinstance(metric, FieldMetric):
        return ""
    function = metric.function if isinstance(metric, FunctionMetric) else metric
    file: bytes | None = getattr(sys.modules.get(getattr(function, "__module__", "")), "__agentsym_source__", None)
    return source_hash(function) if file is None else hashlib.sha256(file).hexdigest()


async def evaluate(metric: Metric, row: Row, output: Mapping[str, Any]) -> Verdict:
    """Score one output.

    A metric that raises fails this example: the verdict is 0, with the error as its text. A metric that
    returns something else than a score ends the run, since it would do so for every example.

    Raises:
        DataError: the metric returned no score in [0, 1]; names metric, file and row.
    """
    try:
        return await metric(row, output)
    except AgentsymError:
        raise
    except Exception as error:
        return Verdict(score=0.0, text=_failure(metric, row, error))


def load_metric(metric: str | Metric | Callable[..., Any], folder: Path | None = None) -> Metric:
    """Return a metric by what a user writes.

    Args:
        metric: `exact`, `f1`, `file.py:function`, a function, or a metric.
        folder: what a relative file is relative to; the current one by default.

    Raises:
        UsageError: there is no such metric, file or function.
    """
    if isinstance(metric, str):
        return METRICS[metric] if metric in METRICS else FunctionMetric(metric, _load(metric, folder))
    if isinstance(metric, FieldMetric | FunctionMetric):
        return metric
    if not callable(metric):
        raise UsageError(f"{metric!r} is no metric; give exact, f1, file.py:function or a function")
    if hasattr(metric, "name"):
        return metric
    return FunctionMetric(getattr(metric, "__name__", type(metric).__name__), metric)


def _load(ref: str, folder: Path | None) -> Callable[..., Any]:
    file, _, name = ref.rpartition(":")
    if not file.endswith(".py"):
        raise UsageError(f"there is no metric {ref!r}; there are {', '.join(METRICS)}, or give file.py:function")
    path = (folder or Path()) / Path(file).expanduser()
    function = getattr(load_file(path, file), name, None)
    if not callable(function):
        raise UsageError(f"{path}: there is no function {name!r} in it")
    found: Callable[..., Any] = function
    return found


def normalise(text: str) -> str:
    """Return a text as HotPotQA compares it: lower case, no punctuation, no articles, single blanks."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(NO_PUNCTUATION)).split())


def exact_match(wanted: Any, given: Any) -> float:
    """Return 1 if two values say the same, else 0.

    Texts are compared as HotPotQA does (`normalise`), but for three cases in which that takes different
    answers for the same: numbers are compared as numbers (1.5 is not 15); the groups of digits and the signs
    `+ # < > =` must agree (1:30 is not 13:0, C is not C++); and texts of which nothing would be left are
    compared as they are. Lists and objects are compared item by item. A field that was not given is wrong.
    """
    if isinstance(wanted, list | tuple) and isinstance(given, list | tuple):
        return float(len(wanted) == len(given) and all(map(exact_match, wanted, given)))
    if isinstance(wanted, Mapping) and isinstance(given, Mapping):
        return float(wanted.keys() == given.keys() and all(exact_match(wanted[key], given[key]) for key in wanted))
    if wanted is None or given is None:
        return float(wanted is given)
    first, second = as_text(wanted), as_text(given)
    if _plain(first) == _plain(second):
        return 1.0
    numbers = _number(first), _number(second)
    if None not in numbers:
        return float(numbers[0] == numbers[1])
    left, right = normalise(first), normalise(second)
    told = [TELLING.findall(THOUSANDS.sub("", text)) for text in (first, second)]
    return float(bool(left) and left == right and told[0] == told[1])


def f1(wanted: Any, given: Any) -> float:
    """Return the F1 of the words that two texts share, as HotPotQA does (`word_f1`).

    Numbers are right or wrong, with nothing between, and what `exact_match` takes for the same is 1.
    """
    if exact_match(wanted, given):
        return 1.0
    if wanted is None or given is None or None not in (_number(as_text(wanted)), _number(as_text(given))):
        return 0.0
    return word_f1(as_text(wanted), as_text(given))


def word_f1(wanted: str, given: str) -> float:
    """Return HotPotQA's own F1 of two texts, with none of the cases in which `f1` is stricter or more lenient.

    2PR / (P + R) on the multisets of normalised words; 0 where either is yes, no or noanswer and the other is not, and
    where they share no word, so an empty answer is always 0.
    """
    left, right = normalise(wanted), normalise(given)
    if left != right and (left in CLOSED_ANSWERS or right in CLOSED_ANSWERS):
        return 0.0
    gold, words = left.split(), right.split()
    common = sum((Counter(gold) & Counter(words)).values())
    if not common:
        return 0.0
    precision, recall = common / len(words), common / len(gold)
    return 2 * precision * recall / (precision + recall)


METRICS: Mapping[str, Metric] = {"exact": FieldMetric("exact", exact_match), "f1": FieldMetric("f1", f1)}


def as_text(value: Any) -> str:
    """Return a value as the text it is compared by."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return " ".join(map(as_text, value))
    if isinstance(value, Mapping):
        return " ".join(f"{key} {as_text(item)}" for key, item in sorted(value.items()))
    return json.dumps(value, ensure_ascii=False, default=str)


def place(row: Row) -> str:
    """Return a row as errors name it: its id and where it came from."""
    return f"row {row.id!r}" + (f" ({row.source})" if row.source else "")


def _failure(metric: Metric, row: Row, error: Exception) -> str:
    """Say on which row and in which line a metric raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"the metric {metric.name} failed on {place(row)}: {type(error).__name__}: {error} (at {where})"


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _number(text: str) -> float | None:
    if LEADING_ZERO.match(text):
        return None
    try:
        value = float(THOUSANDS.sub("", text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _comment(name: str, wanted: Any, output: Mapping[str, Any], part: float) -> str:
    """Say what was wanted of a field and what was given."""
    if name not in output:
        return f"{name}: wanted {_shown(wanted)}, but nothing was given"
    if part == 1.0:
        return f"{name}: {_shown(output[name])} is right"
    close = f" (partly right: {part:.2f})" if part else ""
    return f"{name}: wanted {_shown(wanted)}, given {_shown(output[name])}{close}"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
