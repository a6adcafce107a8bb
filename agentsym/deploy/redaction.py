"""Redaction: what must not be kept of what people write is replaced before anything is stored.

Detectors are careful rather than complete: a card number has to pass its check digit, a phone number has to be written
like one; patterns of one's own come on top.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from agentsym.deploy.policy import Detector, Traces
from agentsym.errors import UsageError
from agentsym.models.secrets import PLACEHOLDER, scrub, secret_values
from agentsym.network.records import Trajectory

_EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}(?:[ ./-]?\(?\d{1,4}\)?){2,6}"  # +49 171 1234567
    r"|\(?0\d{1,4}\)?(?:[ ./-]\d{2,8}){1,4}"  # (030) 123 45 67
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[-.]\d{3}[-.]\d{4})(?![\w-])"  # (212) 555-0123, 212-555-0123
)
_FEWEST_DIGITS = 9  # of a phone number without a country's; 01.02.2026 is a date
_FEWEST_AFTER_PLUS = 7
_REMEMBERED = 512  # texts


class Redactor:
    """Replaces what the policy names by `[email]`, `[phone]`, `[card]`, `[key]` or a name of one's own.

    Raises:
        UsageError: a pattern of the policy is no regular expression, or fits everywhere.
    """

    def __init__(self, policy: Traces) -> None:
        keys = partial(_without_keys, secret_values())
        detectors: Mapping[Detector, Callable[[str], str]] = {"key": keys, **_DETECTORS}
        self._detectors: list[Callable[[str], str]] = [detectors[name] for name in _ORDER if name in policy.redact]
        for name, pattern in policy.patterns.items():
            try:
                found = re.compile(pattern)
            except re.error as error:
                raise UsageError(f"traces.patterns.{name}: {pattern!r} is no regular expression ({error})") from error
            if found.match(""):
                raise UsageError(f"traces.patterns.{name}: {pattern!r} fits the empty text, so it would fit everywhere")
            self._detectors.append(_replacing(found, f"[{name}]"))
        # the instructions of an agent come with each request, and an input stands in the trajectory many times
        self.text = lru_cache(_REMEMBERED)(self._redacted)

    def _redacted(self, text: str) -> str:
        """Return a text without what must not be kept."""
        for detect in self._detectors:
            text = detect(text)
        return text

    def value(self, value: Any) -> Any:
        """Return a copy of a plain JSON value, all its texts and keys redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**12:
            return self.text(str(value)) if self.text(str(value)) != str(value) else value
        return value

    def trajectory(self, trajectory: Trajectory) -> Trajectory:
        """Return a trajectory, everything that people or models wrote in it redacted."""
        if not self._detectors:
            return trajectory
        steps = tuple(
            step.model_copy(
                update={
                    "inputs": self.value(step.inputs),
                    "output": self.value(step.output),
                    "raw": self.text(step.raw),
                    "error": step.error and self.text(step.error),
                    "route": step.route,
                    "messages": tuple(
                        message.model_copy(
                            update={
                                "content": self.text(message.content),
                                "tool_calls": tuple(map(self._call, message.tool_calls)),
                            }
                        )
                        for message in step.messages
                    ),
                    "tool_calls": tuple(map(self._call, step.tool_calls)),
                }
            )
            for step in trajectory.steps
        )
        return trajectory.model_copy(
            update={
                "inputs": self.value(trajectory.inputs),
                "output": self.value(trajectory.output),
                "error": trajectory.error and self.text(trajectory.error),
                "steps": steps,
            }
        )

    def _call(self, call: Any) -> Any:
        changed = {"arguments": self.value(call.arguments), "result": self.value(call.result)}
        return call.model_copy(update={**changed, "error": call.error and self.text(call.error)})


def _replacing(pattern: re.Pattern[str], name: str) -> Callable[[str], str]:
    return lambda text: pattern.sub(name, text)


def _without_emails(text: str) -> str:
    return _EMAIL.sub("[email]", text) if "@" in text else text


def _without_cards(text: str) -> str:
    return _CARD.sub(lambda found: "[card]" if _checks(found[0]) else found[0], text)


def _without_phones(text: str) -> str:
    return _PHONE.sub(lambda found: "[phone]" if _is_phone(found[0]) else found[0], text)


def _is_phone(number: str) -> bool:
    fewest = _FEWEST_AFTER_PLUS if number.startswith("+") else _FEWEST_DIGITS
    return sum(map(str.isdigit, number)) >= fewest


def _checks(number: str) -> bool:
    """Whether the last digit of a card number is the one that Luhn's formula asks for."""
    digits = [int(digit) for digit in number if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _without_keys(values: Sequence[str], text: str) -> str:
    return scrub(text, values).replace(PLACEHOLDER, "[key]")


_DETECTORS: Mapping[Detector, Callable[[str], str]] = {
    "email": _without_emails,
    "card": _without_cards,
    "phone": _without_phones,
}
_ORDER: tuple[Detector, ...] = ("key", "email", "card", "phone")
