"""Reads an amount of money as people write it."""


def minor_units(amount: str) -> int:
    """Return an amount in the smallest unit of its currency, such as cents."""
    number = bare(amount)
    marks = [char for char in number if char in ".,"]
    plain = several(number) if len(marks) > 1 else single(number)
    return rounded(float(plain) * scale(amount))


def several(number: str) -> str:
    """Return a number that has several marks with a point before its decimals only."""
    whole, _, rest = number.replace(",", ".").partition(".")
    return whole + "." + rest.replace(".", "")


def single(number: str) -> str:
    """Return a number that has one mark at most with a point before its decimals only."""
    return number.replace(",", ".")


def scale(amount: str) -> int:
    """Return how many of the smallest unit make one of the currency."""
    return 100


def rounded(units: float) -> int:
    """Return the nearest whole number of units."""
    return int(units + 0.5)


def bare(amount: str) -> str:
    """Return an amount without its currency."""
    return "".join(char for char in amount if char.isdigit() or char in ".,")
