"""Makes the key under which an author stands on the shelf."""


def shelf_key(name: str) -> str:
    """Return a name as SURNAME, INITIALS."""
    words = named(parts(name))
    return joined(surname(words), [initial(word) for word in words[:-1]])


def parts(name: str) -> list[str]:
    """Return the words of a name, each initial as a word of its own."""
    return name.split()


def named(words: list[str]) -> list[str]:
    """Return the words that belong to the name itself."""
    return words


def surname(words: list[str]) -> str:
    """Return the surname in capitals."""
    return words[-1].upper()


def initial(word: str) -> str:
    """Return what stands for one given name."""
    return word[0].upper()


def joined(family: str, initials: list[str]) -> str:
    """Return surname and initials as one text."""
    return f"{family}, {''.join(initials)}"
