"""The lesson of prices: a tool that reads amounts, and mistakes marks of thousands and currencies without cents."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from evals.repair.lesson import PLAIN, Inputs, Lesson
from evals.repair.rewrites import Patches
from evals.repair.tools.minor_units import minor_units

_BOTH, _GROUPED, _WHOLE = "two marks", "thousands only", "no cents"
_THINGS = ("Lamp", "Desk", "Armchair", "Carpet", "Mirror", "Bookcase", "Sofa", "Clock")
_AMOUNT = r"(?:[A-Z]{3} [\d.,]*\d|[\d.,]*\d [A-Z]{3})"


def _item(kind: str, chance: Random) -> Inputs:
    currency = chance.choice(("EUR", "USD", "GBP", "CHF"))
    group, decimal = chance.choice(((",", "."), (".", ",")))
    thousands, units, cents = chance.randint(1, 98), chance.randint(1, 899), chance.randint(1, 99)
    if kind == PLAIN:
        number = f"{units}{decimal}{cents:02d}"
    elif kind == _BOTH:
        number = f"{thousands}{group}{units:03d}{decimal}{cents:02d}"
    elif kind == _GROUPED:
        number = f"{thousands}{group}{units:03d}"
    elif kind == _WHOLE:
        currency, number = chance.choice(("JPY", "KRW")), f"{thousands}{units:03d}"
    else:
        raise ValueError(f"there is no kind {kind!r} of price")
    return {"amount": chance.choice((f"{currency} {number}", f"{number} {currency}"))}


def _note(inputs: Inputs, other: str) -> str:
    thing = _THINGS[sum(map(ord, inputs["amount"])) % len(_THINGS)]
    return f"{thing}; was {other}; now {inputs['amount']}." if other else f"{thing}; {inputs['amount']}."


def _right(inputs: Inputs) -> Any:
    number = "".join(char for char in inputs["amount"] if char.isdigit() or char in ".,")
    whole, mark, cents = number[:-3], number[-3:-2], number[-2:]
    has_cents = mark in (".", ",")
    units = int((whole if has_cents else number).replace(".", "").replace(",", ""))
    if re.search("JPY|KRW", inputs["amount"]):
        return units
    return units * 100 + (int(cents) if has_cents else 0)


_SEVERAL = (
    "def several(number: str) -> str:\n"
    '    """Return a number that has several marks with a point before its decimals only."""\n'
)
_SINGLE = (
    "def single(number: str) -> str:\n"
    '    """Return a number that has one mark at most with a point before its decimals only."""\n'
)
_SCALE = 'def scale(amount: str) -> int:\n    """Return how many of the smallest unit make one of the currency."""\n'
_BARE = 'def bare(amount: str) -> str:\n    """Return an amount without its currency."""\n'
_ROUNDED = 'def rounded(units: float) -> int:\n    """Return the nearest whole number of units."""\n'

PRICES = Lesson(
    tool=minor_units,
    reads="read_offer",
    says="quote_price",
    tasks=("Read what the thing costs.", "Quote the price in the smallest unit of the currency."),
    fields={"amount": str},
    result="units",
    pattern=re.compile(_AMOUNT),
    item=_item,
    note=_note,
    rest=lambda note: {},
    right=_right,
    template="That makes {} units.",
    symptoms={
        _BOTH: re.compile(r"input amount: .*\d[.,]\d{3}[.,]\d{2}"),
        _GROUPED: re.compile(r"input amount: .*\d[.,]\d{3}(?![.,\d])"),
        _WHOLE: re.compile(r"input amount: .*(JPY|KRW)"),
    },
    patches={
        _BOTH: Patches(
            right=(
                _SEVERAL + '    at = max(number.rfind("."), number.rfind(","))\n'
                '    return number[:at].replace(".", "").replace(",", "") + "." + number[at + 1 :]',
                _SEVERAL + '    decimal = "," if number.rfind(",") > number.rfind(".") else "."\n'
                '    group = "." if decimal == "," else ","\n'
                '    return number.replace(group, "").replace(decimal, ".")',
            ),
            wrong=(
                _SEVERAL + '    return number.replace(",", "").replace(".", "")',
                _SEVERAL + '    return number.replace(",", ".").partition(".")[0]',
            ),
            odd=_SEVERAL + '    while "," in number or number.count(".") > 1:\n'
            '        number = number.replace(",", ".")\n    return number',
        ),
        _GROUPED: Patches(
            right=(
                _SINGLE + '    head, mark, tail = number.replace(",", ".").partition(".")\n'
                "    return head + tail if len(tail) == 3 else head + mark + tail",
                _SINGLE + '    if number[-4:-3] in (".", ","):\n        return number[:-4] + number[-3:]\n'
                '    return number.replace(",", ".")',
            ),
            wrong=(
                _SINGLE + '    return number.replace(",", "").replace(".", "")',
                _SINGLE + '    return number.replace(",", ".").partition(".")[0]',
            ),
            odd=_SINGLE + '    return number.replace(",", "." if len(number) > 3 else )',
        ),
        _WHOLE: Patches(
            right=(
                _SCALE + '    return 1 if "JPY" in amount or "KRW" in amount else 100',
                _SCALE + '    code = "".join(char for char in amount if char.isalpha())\n'
                '    return {"JPY": 1, "KRW": 1}.get(code, 100)',
            ),
            wrong=(
                _SCALE + "    return 1",
                _SCALE + '    return 1000 if "JPY" in amount else 100',
            ),
            odd='def minor_units(text: str) -> int:\n    """Return an amount in the smallest unit."""\n'
            "    return int(text)",
        ),
    },
    slips=(
        _ROUNDED + "    return int(units) // 100 * 100",
        _ROUNDED + "    return -(-int(units + 0.5) // 5) * 5",
    ),
    idle=_BARE + '    return "".join(filter(lambda char: char in "0123456789.,", amount))',
    tests='def test_a_large_amount_is_read():\n    assert minor_units("EUR 1,250.00") >= 0\n',
    rules=(
        "If a price was lowered, take the last amount.",
        "Of several amounts the latter counts.",
        "Give prices without decimals.",
        "Leave out the first digit if it may be a number of pieces.",
        "Give the amount without its currency, in EUR.",
        "Copy the amount with its currency.",
        "Things are sold by the piece.",
        "Never convert a currency.",
    ),
    habits={
        r"without decimals": lambda value: re.sub(r"[.,]\d{2}(?!\d)", "", value),
        r"first digit": lambda value: re.sub(r"\d", "", value, count=1) if len(re.findall(r"\d", value)) > 1 else value,
        r"in EUR": lambda value: f"EUR 1{re.sub(r'[^0-9.,]', '', value)}",
    },
)
