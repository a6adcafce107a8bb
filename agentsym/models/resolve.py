"""From a model string to the model that answers.

Every string that a user may write for a student or a teacher is understood here and nowhere else, and what is wrong
with it, or missing for it, is said before anything is sent or loaded.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from agentsym.errors import UsageError
from agentsym.models.chat_protocol import TIMEOUT
from agentsym.models.protocol import LanguageModel

if TYPE_CHECKING:
    from agentsym.models.providers import Provider

TIMEOUT_VARIABLE = "AGENTSYM_TIMEOUT"
_KINDS = "embedded, relay:FOLDER, recorded:FOLDER, PROVIDER/MODEL, litellm:PROVIDER/MODEL"


def resolve(name: str | LanguageModel) -> LanguageModel:
    """Return the model that a string names; a model is returned as it is.

    Every call makes a new model: keep it for as long as a session lasts, so that what it remembers is used.

    Raises:
        UsageError: nobody answers for the string, or a key, an address or a package is missing for it.
    """
    if not isinstance(name, str):
        if not (hasattr(name, "complete") and hasattr(name, "name")):
            raise UsageError(f"{name!r} is no model string and no model (an object with `name`, `remote`, `complete`)")
        return name
    if name == "embedded":
        from agentsym.models.embedded import EmbeddedModel

        return EmbeddedModel()
    kind, colon, place = name.partition(":")
    if colon and kind in ("relay", "recorded"):
        return _on_disk(kind, place)
    forced = kind == "litellm" and bool(colon)
    prefix, slash, model = (place if forced else name).partition("/")
    if not (prefix and slash and model):
        _refuse_bare(place if forced else name)
    return _provided(name, prefix, forced=forced)


def timeout() -> float:
    """Return the seconds for a whole answer: AGENTSYM_TIMEOUT, else 600.

    Raises:
        UsageError: it is no number above 0.
    """
    given = os.environ.get(TIMEOUT_VARIABLE, "").strip()
    try:
        seconds = float(given) if given else TIMEOUT
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"{TIMEOUT_VARIABLE} is {given!r}; it must be a number of seconds above 0, like 120")
    return seconds


def _on_disk(kind: str, place: str) -> LanguageModel:
    if not place:
        raise UsageError(f"{kind}: names no folder; write {kind}:PATH")
    if kind == "relay":
        from agentsym.models.relay import RelayModel

        return RelayModel(place)
    from agentsym.models.recording import RecordedModel

    return RecordedModel(place)


def _provided(name: str, prefix: str, *, forced: bool) -> LanguageModel:
    """Return a provider's model: by the direct client where the provider speaks its protocol, else through litellm."""
    from agentsym.models.providers import providers

    table = providers()
    provider = table.get(prefix)
    if forced or provider is None or provider.client == "litellm":
        return _through_litellm(name, prefix, provider, known=set(table))
    from agentsym.models.openai_http import OpenAIModel

    endpoint = provider.endpoint(prefix)
    return OpenAIModel(
        _named(name, endpoint.base_url, usual=endpoint.usual),
        base_url=endpoint.base_url,
        key=endpoint.key,
        key_variable=endpoint.key_variable,
        dialect=provider.dialect(endpoint.usual),
        timeout=timeout(),
    )


def _through_litellm(name: str, prefix: str, provider: Provider | None, known: set[str]) -> LanguageModel:
    found = importlib.util.find_spec("litellm")
    if found is None or found.origin is None:
        if provider is None and (near := get_close_matches(prefix, known, n=2)):
            raise UsageError(f"there is no provider {prefix!r}; is it {' or '.join(near)}?")
        raise UsageError(
            f"{prefix} is asked through litellm, which is not installed; pip install 'agentsym[providers]'"
        )
    theirs = _litellm_providers(Path(found.origin).parent)
    if theirs and prefix not in theirs:
        near = get_close_matches(prefix, known | theirs, n=3)
        hint = f"is it {' or '.join(near)}?" if near else "AGENTSYM_PROVIDERS can name a table with your own"
        raise UsageError(f"there is no provider {prefix!r}{' in litellm' if prefix in known else ''}; {hint}")
    from agentsym.models.litellm import LitellmModel

    if provider is None:
        return LitellmModel(name, timeout=timeout())
    endpoint = provider.model_copy(update={"path": ""}).endpoint(prefix)  # litellm adds its own
    return LitellmModel(
        _named(name, endpoint.base_url, usual=endpoint.usual),
        base_url=None if endpoint.usual and provider.client == "direct" else endpoint.base_url or None,
        key=endpoint.key,
        key_variable=endpoint.key_variable,
        timeout=timeout(),
    )


def _litellm_providers(folder: Path) -> set[str]:
    """Return the prefixes that litellm knows, read from its files without loading it; none where they are not there."""
    found: set[str] = set()
    listed, alike = folder / "provider_endpoints_support_backup.json", folder / "llms/openai_like/providers.json"
    if not listed.is_file():
        return found
    found |= json.loads(listed.read_text("utf-8"))["providers"].keys()
    if alike.is_file():
        found |= json.loads(alike.read_text("utf-8")).keys()
    return found | {path.stem for path in (folder / "llms").iterdir()}


def _named(name: str, base_url: str, *, usual: bool) -> str:
    """Return the model's name: the string, and an unusual address without login and query."""
    if usual or not base_url:
        return name
    from yarl import URL

    address = str(URL(base_url).with_user(None).with_query(None)).rstrip("/")
    return f"{name} at {address}"


def _refuse_bare(name: str) -> NoReturn:
    """Refuse a string without a provider."""
    bare = name.strip("/ ")
    hint = f"write its provider before it, like openai/{bare}" if bare else "it is empty"
    raise UsageError(f"nobody answers for the model {name!r}: {hint}; model strings are {_KINDS}")
