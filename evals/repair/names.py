"""The lesson of names: a tool that makes shelf keys, and mistakes hyphens, initials without spaces and suffixes."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from evals.repair.lesson import PLAIN, Inputs, Lesson
from evals.repair.rewrites import Patches
from evals.repair.tools.shelf_key import shelf_key

_HYPHEN, _JOINED, _SUFFIX = "hyphen", "joined initials", "suffix"
_SUFFIXES = ("Jr.", "Sr.", "II", "III")
_GIVEN = ("Ada", "Bela", "Carl", "Dora", "Emil", "Fanny", "Gustav", "Hanna", "Ivan", "Jana", "Karel", "Lena", "Milan")
_FAMILY = ("Abel", "Brandt", "Cerny", "Dvorak", "Ekman", "Fischer", "Gruber", "Horvat", "Ibsen", "Jansen", "Kovacs")
_TITLES = ("Northern Lights", "The Mill", "Salt", "A Winter Road", "Letters", "The Orchard", "Tides", "Two Rivers")


def _item(kind: str, chance: Random) -> Inputs:
    one, two, three = chance.sample(_GIVEN, 3)
    family = chance.choice(_FAMILY)
    if kind == PLAIN:
        given = chance.choice((one, f"{one} {two}", f"{one} {two[0]}.", f"{one} {two} {three}"))
    elif kind == _HYPHEN:
        given = chance.choice((f"{one}-{two}", f"{one}-{two} {three}"))
    elif kind == _JOINED:
        given = chance.choice((f"{one[0]}.{two[0]}.", f"{one[0]}.{two[0]}.{three[0]}."))
    elif kind == _SUFFIX:
        given, family = f"{one} {two}", f"{family} {chance.choice(_SUFFIXES)}"
    else:
        raise ValueError(f"there is no kind {kind!r} of name")
    return {"name": f"{given} {family}"}


def _note(inputs: Inputs, other: str) -> str:
    title = _TITLES[sum(map(ord, inputs["name"])) % len(_TITLES)]
    edited = f"edited by {other}; " if other else ""
    return f"{title}; {edited}written by {inputs['name']}"


def _right(inputs: Inputs) -> Any:
    words = re.findall(r"[\w-]+", inputs["name"])
    words = words[:-1] if words[-1] in ("Jr", "Sr", "II", "III") else words
    initials = ("-".join(part[0] for part in word.split("-")) for word in words[:-1])
    return f"{words[-1].upper()}, {''.join(initials)}"


_INITIAL = 'def initial(word: str) -> str:\n    """Return what stands for one given name."""\n'
_PARTS = (
    'def parts(name: str) -> list[str]:\n    """Return the words of a name, each initial as a word of its own."""\n'
)
_NAMED = 'def named(words: list[str]) -> list[str]:\n    """Return the words that belong to the name itself."""\n'
_WHOLE = 'def joined(family: str, initials: list[str]) -> str:\n    """Return surname and initials as one text."""\n'
_SURNAME = 'def surname(words: list[str]) -> str:\n    """Return the surname in capitals."""\n'

NAMES = Lesson(
    tool=shelf_key,
    reads="read_entry",
    says="place_book",
    tasks=("Read who wrote the book.", "Say where the book stands."),
    fields={"name": str},
    result="key",
    pattern=re.compile(r"by ([^;]+)"),
    item=_item,
    note=_note,
    rest=lambda note: {},
    right=_right,
    template="It stands under {}.",
    symptoms={
        _HYPHEN: re.compile(r"input name: .*\w-\w"),
        _JOINED: re.compile(r"input name: .*[A-Z]\.[A-Z]"),
        _SUFFIX: re.compile(r"input name: .* (Jr\.|Sr\.|III?)$", re.MULTILINE),
    },
    patches={
        _HYPHEN: Patches(
            right=(
                _INITIAL + '    return "-".join(part[0].upper() for part in word.split("-"))',
                _INITIAL + '    head, mark, tail = word.partition("-")\n'
                "    return head[0].upper() + (mark + tail[0].upper() if tail else mark)",
            ),
            wrong=(
                _INITIAL + '    return word.replace("-", "")[0].upper()',
                _INITIAL + '    return "".join(part[0].upper() for part in word.split("-"))',
            ),
            odd=_INITIAL + '    while "-" in word:\n        word = word[0] + word[word.index("-") :]\n'
            "    return word[0].upper()",
        ),
        _JOINED: Patches(
            right=(
                _PARTS + '    return name.replace(".", ". ").split()',
                _PARTS + '    return "".join(char + " " if char == "." else char for char in name).split()',
            ),
            wrong=(
                _PARTS + '    return name.replace(".", "").split()',
                _PARTS + '    return name.split(".")',
            ),
            odd=_PARTS + '    return name.replace(".", ". ".split()',
        ),
        _SUFFIX: Patches(
            right=(
                _NAMED + '    return words[:-1] if words[-1] in ("Jr.", "Sr.", "II", "III") else words',
                _NAMED + '    suffixes = {"Jr", "Sr", "II", "III"}\n'
                '    return [word for word in words if word.rstrip(".") not in suffixes]',
            ),
            wrong=(_NAMED + "    return words[:3]", _NAMED + '    return [word for word in words if word != "Esq."]'),
            odd='def shelf_key(first: str, last: str) -> str:\n    """Return a name as SURNAME, INITIALS."""\n'
            '    return f"{last.upper()}, {first[0]}"',
        ),
    },
    slips=(
        _SURNAME + "    return words[-1].capitalize()",
        _SURNAME + "    return words[0].upper()",
    ),
    idle=_WHOLE + '    return ", ".join((family, "".join(initials)))',
    tests='def test_a_name_with_a_hyphen_has_a_key():\n    assert "," in shelf_key("Anna-Lena Berg")\n',
    rules=(
        "If several people are named, take the last one.",
        "An editor comes first; the latter name is the author's.",
        "Give the surname only.",
        "Leave out middle names.",
        "Put the surname before the given names.",
        "Copy the name as it is printed.",
        "Titles of books are no names.",
        "Never shorten a name.",
    ),
    habits={
        r"surname only": lambda value: value.split()[-1],
        r"out middle names": lambda value: " ".join(dict.fromkeys((value.split()[0], value.split()[-1]))),
        r"surname before": lambda value: " ".join((value.split()[-1], *value.split()[:-1])),
    },
)
