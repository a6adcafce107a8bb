"""From a prompt file to the two messages of a request: the instructions, and the material that they are about.

A section stands in a request only where there is something to put into it, so nothing in a prompt speaks of what is not
there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agentsym.learning.teacher import views
from agentsym.network.records import Message
from agentsym.network.template import render


def messages(parts: Mapping[str, str], values: Mapping[str, str]) -> tuple[Message, ...]:
    """Fill the parts `system` and `user` of a prompt file."""
    system, user = (render(parts[name], values).strip() for name in ("system", "user"))
    return Message(role="system", content=system), Message(role="user", content=user)


def section(parts: Mapping[str, str], name: str, text: str) -> str:
    """Return a section of the prompt with its text, or nothing where there is no text."""
    return "\n\n" + render(parts[name], {name: text}).strip("\n") if text else ""


def listed(name: str, items: Iterable[str]) -> str:
    """Return sentences as a quoted list, or nothing where there are none."""
    text = views.bullets(items)
    return views.quoted(name, text) if text else ""
