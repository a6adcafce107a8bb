"""The weights of a symbolic network: text, rules, choices, examples, code, numbers and options.

Each parameter knows whether it may be learned, what it is for and within which limits it must stay; what
changes it is an edit (`edits.py`), which goes through the checks that are written here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field as Bounded
from pydantic import model_validator

from agentsym.network.canonical import Frozen, FrozenDict, Kinded, content_hash, short_id
from agentsym.network.fields import FIELD_NAME

_FIELD_NAME = re.compile(FIELD_NAME)
BACKTICKED = re.compile(r"`([^`\n]+)`")


GROUPS = ("choices", "fields", "skills")
"""Parameters of which a node has one for each of its fields or files: their paths have one part more."""


def owner_of(path: str) -> str:
    """Return the node or tool that a parameter's path belongs to; inside an agent node `outer/inner`."""
    owner = path.rpartition("/")[0]
    above, _, group = owner.rpartition("/")
    return above if group in GROUPS and above else owner


class Rule(Frozen):
    """One sentence of a `Rules` parameter; it serves the labels that stand in it in backticks, else all."""

    id: str
    text: str

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        data = {"text": data} if isinstance(data, str) else data
        return {"id": short_id("r", data.get("text")), **data} if isinstance(data, Mapping) else data

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the rule names in backticks."""
        return tuple(BACKTICKED.findall(self.text))


class Example(Frozen):
    """One worked example: what goes in and what must come out, as field → value."""

    id: str
    input: FrozenDict
    output: FrozenDict

    @model_validator(mode="before")
    @classmethod
    def _with_id(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {"id": short_id("e", [data.get("input"), data.get("output")]), **data}


class Definition(Frozen):
    """One label of a choice and what it means; the label is its id."""

    label: str
    definition: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_label(cls, data: Any) -> Any:
        return {"label": data} if isinstance(data, str) else data

    @property
    def id(self) -> str:
        """The label: definitions are addressed by it."""
        return self.label


class Parameter(Kinded):
    """What all parameters share.

    Attributes:
        learnable: whether an edit may change it.
        role: what it is for, shown to whoever writes gradients and edits.
    """

    learnable: bool = True
    role: str = ""

    @property
    def content(self) -> Any:
        """The value as plain JSON."""
        return self.model_dump(mode="json")["value"]

    @property
    def hash(self) -> str:
        """The SHA-256 of the value."""
        return content_hash(self.content)

    def with_value(self, value: Any) -> Self:
        """Return the parameter with another value, validated; raises pydantic's ValidationError."""
        return type(self).model_validate({**dict(self), "value": value})

    def problems(self) -> Iterator[str]:
        """Yield every limit that the value breaks, as a sentence."""
        yield from ()


class Text(Parameter):
    """Free text, at most `max_chars` characters."""

    kind: Literal["text"] = "text"
    value: str = ""
    max_chars: int = 4000

    def __init__(self, value: str = "", **data: Any) -> None:
        self._fill(value=value, **data)

    def problems(self) -> Iterator[str]:
        """Yield the length limit, if it is broken."""
        if len(self.value) > self.max_chars:
            yield f"{len(self.value)} characters, at most {self.max_chars} are allowed"


class Rules(Parameter):
    """One-sentence rules, each with a stable id; at most `max_per_label` serve one label (or all)."""

    kind: Literal["rules"] = "rules"
    value: tuple[Rule, ...] = ()
    max_chars: int = 200
    max_per_label: int = 5

    def __init__(self, value: Iterable[Any] = (), **data: Any) -> None:
        self._fill(value=(value,) if isinstance(value, str) else tuple(value), **data)

    def problems(self) -> Iterator[str]:
        """Yield duplicate ids, rules that are too long or not one line, and labels with too many rules."""
        yield from _duplicates(self.value)
        for rule in self.value:
            if len(rule.text) > self.max_chars:
                yield f"rule {rule.id}: {len(rule.text)} characters, at most {self.max_chars} are allowed"
            if not rule.text.strip() or "\n" in rule.text:
                yield f"rule {rule.id}: a rule is one line that is not empty"
        served = Counter(label for rule in self.value for label in (rule.labels or ("",)))
        for label, count in served.items():
            if count > self.max_per_label:
                yield f"{count} rules serve {label or 'every label'!r}, at most {self.max_per_label} may"


class Choices(Parameter):
    """The labels of one choice field, in order, with definitions; labels are fixed, definitions learned."""

    kind: Literal["choices"] = "choices"
    value: tuple[Definition, ...] = ()
    max_chars: int = 200

    def __init__(self, value: Iterable[Any] | Mapping[str, str] = (), **data: Any) -> None:
        if isinstance(value, Mapping):
            value = [Definition(label=label, definition=text) for label, text in value.items()]
        self._fill(value=tuple(value), **data)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in order."""
        return tuple(item.label for item in self.value)

    def problems(self) -> Iterator[str]:
        """Yield duplicate or unusable labels and definitions that are too long or not one line."""
        yield from _duplicates(self.value)
        if not self.value:
            yield "a choice needs at least one label"
        for item in self.value:
            if not item.label.strip() or item.label != item.label.strip() or set(item.label) & set("`\n"):
                yield f"label {item.label!r}: a label is one line without backticks or outer blanks"
            if len(item.definition) > self.max_chars:
                yield f"{item.label}: {len(item.definition)} characters, at most {self.max_chars} are allowed"
            if "\n" in item.definition:
                yield f"{item.label}: a definition is one line"


class Examples(Parameter):
    """Worked examples with stable ids; at most `max_per_label` a label of a choice (in all, without one)."""

    kind: Literal["examples"] = "examples"
    value: tuple[Example, ...] = ()
    max_per_label: int = 8

    def __init__(self, value: Iterable[Any] = (), **data: Any) -> None:
        self._fill(value=tuple(value), **data)

    def problems(self) -> Iterator[str]:
        """Yield duplicate ids and unusable field names; what needs the node is checked by the lint."""
        yield from _duplicates(self.value)
        for example in self.value:
            for name in (*example.input, *example.output):
                if not _FIELD_NAME.fullmatch(name):
                    yield f"example {example.id}: {name!r} is no field name; use letters, digits and _"


class Code(Parameter):
    """Source code of one function that may be learned: one self-contained file, standard library only.

    Attributes:
        entry: the function's name.
        author: who wrote it: `user` or `learned`.
        max_chars: the longest source in characters.
        tests: a module of `test_` functions that every rewrite must pass; no edit changes them.
    """

    kind: Literal["code"] = "code"
    value: str = ""
    entry: str = ""
    author: str = "user"
    max_chars: int = 20_000
    tests: str = ""

    def __init__(self, value: str = "", **data: Any) -> None:
        self._fill(value=value, **data)

    def problems(self) -> Iterator[str]:
        """Yield a syntax error, a missing entry function and the length limit."""
        if len(self.value) > self.max_chars:
            yield f"{len(self.value)} characters, at most {self.max_chars} are allowed"
        try:
            compiled = compile(self.value, "<code>", "exec")
        except (SyntaxError, ValueError) as error:
            yield f"not valid Python: {error}"
        else:
            if self.entry not in compiled.co_names:
                yield f"does not define the function {self.entry!r}"


class Number(Parameter):
    """A number within [`low`, `high`]."""

    kind: Literal["number"] = "number"
    value: float
    low: float
    high: float

    def __init__(self, value: float, low: float, high: float, **data: Any) -> None:
        self._fill(value=value, low=low, high=high, **data)

    def problems(self) -> Iterator[str]:
        """Yield a value outside its range."""
        if not self.low <= self.value <= self.high:
            yield f"{self.value} is outside [{self.low}, {self.high}]"


class Option(Parameter):
    """One of a list of strings, for example of model names."""

    kind: Literal["option"] = "option"
    value: str
    options: tuple[str, ...]

    def __init__(self, value: str, options: Iterable[str] | None = None, **data: Any) -> None:
        self._fill(value=value, options=tuple(options) if options is not None else (value,), **data)

    def problems(self) -> Iterator[str]:
        """Yield a value that is none of the options."""
        if self.value not in self.options:
            yield f"{self.value!r} is none of {', '.join(self.options)}"


class Structure(Parameter):
    """The pipeline itself as a parameter: with `learnable`, edits may add, remove and reconnect nodes."""

    kind: Literal["structure"] = "structure"
    learnable: bool = False
    role: str = "the pipeline: which nodes there are and how they are connected"
    value: None = None


AnyParameter = Annotated[
    Text | Rules | Choices | Examples | Code | Number | Option | Structure, Bounded(discriminator="kind")
]


def _duplicates(items: Iterable[Rule | Example | Definition]) -> Iterator[str]:
    for item_id, count in Counter(item.id for item in items).items():
        if count > 1:
            yield f"the id {item_id!r} stands {count} times"
