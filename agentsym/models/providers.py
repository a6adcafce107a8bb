"""The table of providers: which address a prefix stands for, which variable holds the key, and what the server knows.

It is a YAML file, so that a new provider, or one of the user's own, needs no code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, ValidationError
from pydantic import Field as Described
from yarl import URL

from agentsym.errors import UsageError
from agentsym.models.chat_protocol import Dialect, LengthName, SchemaMode
from agentsym.network.canonical import Frozen

VARIABLE = "AGENTSYM_PROVIDERS"
_SHIPPED = Path(__file__).with_name("providers.yaml")


class Endpoint(NamedTuple):
    """Where a provider's models are asked, as the environment says.

    Attributes:
        base_url: the address; "" where only litellm knows it.
        usual: whether that is the provider's usual one.
        key: the key; None where there is none.
        key_variable: the variable that holds the key, or would; "" where there is no such variable.
    """

    base_url: str
    usual: bool
    key: str | None
    key_variable: str


class Provider(Frozen):
    """One entry of the table; `providers.yaml` says what its fields mean."""

    model_config = ConfigDict(populate_by_name=True)

    base_url: str = ""
    base_url_from: tuple[str, ...] = ()
    path: str = ""
    key: tuple[str, ...] = ()
    key_optional: bool = False
    schema_: SchemaMode = Described("json_schema", alias="schema")
    length: LengthName = "max_tokens"
    stream_usage: bool = True
    client: Literal["direct", "litellm"] = "direct"

    def endpoint(self, prefix: str) -> Endpoint:
        """Look the address and the key up in the environment.

        Raises:
            UsageError: there is no address or no key, or the address is none; names the variable.
        """
        base_url, usual = self.base_url, True
        variable = next((name for name in self.base_url_from if os.environ.get(name)), "")
        if variable:
            base_url = checked(os.environ[variable], variable, self.path)
            usual = base_url == self.base_url
        if not base_url and self.client == "direct":
            where = " or ".join(self.base_url_from) or f"`base_url` of {prefix} in {VARIABLE}"
            raise UsageError(f"{prefix} has no usual address; set {where} to that of your server, with /v1")
        holder = next((name for name in self.key if os.environ.get(name, "").strip()), "")
        if self.key and not holder and usual and not self.key_optional:
            raise UsageError(
                f"{prefix} needs a key, and there is none in the environment; set {' or '.join(self.key)} "
                "(the model `embedded` needs none)"
            )
        key = os.environ[holder].strip() if holder else None
        return Endpoint(base_url, usual, key, holder or (self.key[0] if self.key else ""))

    def dialect(self, usual: bool) -> Dialect:
        """Return what the server understands, at the usual address or at another one."""
        return Dialect(self.schema_, self.length if usual else "max_tokens", self.stream_usage)


def providers() -> Mapping[str, Provider]:
    """Return prefix → provider: those that ship, with the additions and changes of the user's own table.

    Raises:
        UsageError: the user's table cannot be read; names file and entry.
    """
    own = os.environ.get(VARIABLE)
    return _shipped() if not own else _merged(Path(own).expanduser())


def checked(address: str, variable: str, path: str = "") -> str:
    """Return an address without a slash at its end; one without a path gets `path`.

    Raises:
        UsageError: it is no http address; names the variable.
    """
    try:
        url = URL(address.strip())
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("it must begin with http:// or https:// and name a host")
    except ValueError as error:
        raise UsageError(f"{variable} holds no address ({error}); write it like http://127.0.0.1:8000/v1") from None
    if path and url.path == "/":
        url = url.with_path(path, keep_query=True)
    return str(url).rstrip("/")


@lru_cache(1)
def _shipped() -> dict[str, Provider]:
    return {prefix: _provider(_SHIPPED, prefix, entry) for prefix, entry in _read(_SHIPPED).items()}


def _merged(path: Path) -> dict[str, Provider]:
    found, shipped = dict(_shipped()), _read(_SHIPPED)
    for prefix, entry in _read(path).items():
        if not isinstance(entry, dict):
            raise UsageError(
                f"{VARIABLE}: {path}: the entry {prefix} must map fields to values, like `base_url: https://…`"
            )
        found[prefix] = _provider(path, prefix, {**shipped.get(prefix, {}), **entry})
    return found


def _provider(path: Path, prefix: str, entry: Any) -> Provider:
    try:
        provider = Provider.model_validate(entry)
        if provider.base_url:
            provider = provider.model_copy(update={"base_url": checked(provider.base_url, "base_url")})
        return provider
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UsageError(f"{VARIABLE}: {path}: the entry {prefix} cannot be read ({reasons})") from None
    except UsageError as error:
        raise UsageError(f"{VARIABLE}: {path}: the entry {prefix}: {error}") from None


@lru_cache(4)
def _parsed(path: Path, changed_ns: int) -> dict[str, Any]:
    import yaml

    given = yaml.safe_load(path.read_text("utf-8")) or {}
    if not isinstance(given, dict):
        raise UsageError(f"{VARIABLE}: {path} must map prefixes to providers")
    return {str(prefix): entry for prefix, entry in given.items()}


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        return _parsed(path, path.stat().st_mtime_ns)
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise UsageError(f"{VARIABLE}: the table {path} cannot be read ({error})") from error
