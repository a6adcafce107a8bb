"""HTML from Python values: whatever is not markup of ours is escaped, so no text of a row or a model becomes a tag."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

# What would end a document (control characters) or turn the order of its letters around.
_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Html(str):
    """A text that is markup already."""

    __slots__ = ()

    def __html__(self) -> str:
        """Tell templates that escape that nothing is to be escaped here."""
        return str(self)


Child = str | int | Iterable["Child"] | None


def text(value: object) -> Html:
    """Escape a value; characters that cannot be shown become `�`."""
    return Html(escape(_UNSHOWN.sub("\ufffd", str(value))))


def el(name: str, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """Return an element; it always has an end.

    Children are escaped unless they are `Html`; lists are joined, None is nothing. In attributes a trailing underscore
    is dropped, others become hyphens (`class_`, `aria_label`); True stands alone, None and False are left out.
    """
    return Html(f"<{name}{''.join(_attributes(attributes))}>{_joined(children)}</{name}>")


def join(*children: Child) -> Html:
    """Return children one after the other."""
    return Html(_joined(children))


def _joined(children: Iterable[Child]) -> str:
    return "".join(map(_child, children))


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return str(child)
    if isinstance(child, str | int):
        return text(child)
    return _joined(child)


def _attributes(attributes: dict[str, str | int | float | bool | None]) -> Iterable[str]:
    for name, value in attributes.items():
        written = name.rstrip("_").replace("_", "-")
        if value is True:
            yield f" {written}"
        elif value is not None and value is not False:
            yield f' {written}="{text(value)}"'
