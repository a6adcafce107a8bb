"""What models cost: dollars a token, from the user's own list or from the one that litellm ships.

A price that nobody knows is None and never 0, so that no cap on dollars can rest on a guess.
"""

from __future__ import annotations

import importlib.util
import json
import os
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from agentsym.errors import UsageError
from agentsym.network.records import Usage

VARIABLE = "AGENTSYM_PRICES"
_MILLION = 1_000_000
_MAP = "model_prices_and_context_window_backup.json"  # beside litellm's code; read without importing it


class Price(NamedTuple):
    """US dollars for one token of a prompt and one of a reply."""

    prompt: float
    completion: float

    def of(self, usage: Usage) -> float:
        """Return what some tokens cost, in US dollars."""
        return usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion


class Prices:
    """The known prices, read at first use.

    The YAML file that `AGENTSYM_PRICES` names counts first: model string → `{input: …, output: …}` in US dollars for a
    million tokens. Then comes litellm's own list, where it is installed.

    Args:
        file: the YAML file; by default the one that the environment names.
    """

    def __init__(self, file: Path | str | None = None) -> None:
        self._file = file if file is not None else os.environ.get(VARIABLE)

    def of(self, model: str) -> Price | None:
        """Return the price of a model by its name (with or without ` at ADDRESS`); None where nobody knows it.

        Raises:
            UsageError: the user's list cannot be read.
        """
        asked = model.partition(" at ")[0]
        if asked.startswith("recorded:"):
            return Price(0.0, 0.0)  # it was paid for when it was recorded
        name = asked.removeprefix("litellm:")
        if (price := self._own.get(asked, self._own.get(name))) is not None:
            return price
        provider, _, bare = name.partition("/")
        for key in (name, bare):
            entry = _shipped().get(key)
            if entry is None or (key == bare and entry.get("litellm_provider") != provider):
                continue
            prompt, completion = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
            if prompt is not None and completion is not None:
                return Price(float(prompt), float(completion))
        return None

    @cached_property
    def _own(self) -> dict[str, Price]:
        if not self._file:
            return {}
        import yaml

        path = Path(self._file).expanduser()
        try:
            given: Any = yaml.safe_load(path.read_text("utf-8")) or {}
        except (OSError, UnicodeError, yaml.YAMLError) as error:
            raise UsageError(f"{VARIABLE}: the price list {path} cannot be read ({error})") from error
        if not isinstance(given, dict):
            raise UsageError(f"{path}: a price list maps model strings to {{input: …, output: …}}")
        return {str(name): _price(path, name, entry) for name, entry in given.items()}


@lru_cache(1)
def _shipped() -> dict[str, dict[str, Any]]:
    """Return litellm's list; it is long and does not change while a process runs, so it is read once."""
    found = importlib.util.find_spec("litellm")
    if found is None or found.origin is None:
        return {}
    file = Path(found.origin).with_name(_MAP)
    entries: dict[str, dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return entries


def _price(path: Path, name: object, entry: Any) -> Price:
    """Read one line of the user's list: US dollars for a million tokens."""
    try:
        prices = [float(entry[side]) / _MILLION for side in ("input", "output")]
    except (TypeError, KeyError, ValueError) as error:
        raise UsageError(
            f"{path}: {name} must read {{input: X, output: Y}}, in US dollars for a million tokens"
        ) from error
    if not all(0 <= price < float("inf") for price in prices):
        raise UsageError(f"{path}: a price of {name} is below 0 or no number")
    return Price(*prices)
