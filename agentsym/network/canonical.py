"""Immutable JSON values and the one way in which they are hashed.

A version must be the same in every process and for every order of keys, and a value that sits in a network
must not change under it; both promises are kept here and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic_core import CoreSchema, core_schema


class Frozen(BaseModel):
    """Base of all values: immutable, and unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def _fill(self, **data: Any) -> None:
        """Validate and set the fields: for an own `__init__`, which turns what people write into fields."""
        BaseModel.__init__(self, **data)

    def __eq__(self, other: object) -> bool:
        """Compare class and fields; what is only remembered (a version) makes no difference."""
        return type(self) is type(other) and self.__dict__ == other.__dict__


class Kinded(Frozen):
    """Base of the values that are told apart by `kind`, which is written even where defaults are left out."""

    kind: str

    @model_serializer(mode="wrap")
    def _kind_first(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"kind": self.kind, **handler(self)}


class FrozenDict(dict[str, Any]):
    """A dictionary that refuses to change; it hashes and serializes like its content."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("this dictionary is part of an immutable value; make a new one instead")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept a mapping with string keys, freeze it to the bottom, serialize it as a plain dictionary."""
        mapping = core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
        return core_schema.no_info_before_validator_function(
            dict, core_schema.no_info_after_validator_function(freeze, mapping)
        )

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenDict:
        return self

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


def freeze(value: Any) -> Any:
    """Return `value` with every dictionary and list inside it made immutable, keys in the order of their names.

    A version does not depend on the order of keys, so nothing that is made of a network may.
    """
    if isinstance(value, Mapping):
        return FrozenDict({key: freeze(value[key]) for key in sorted(value, key=str)})
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    return value


Json = Annotated[Any, AfterValidator(freeze)]
"""Any JSON value, made immutable."""


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, compact separators, NFC text, floats as `repr`."""
    return unicodedata.normalize("NFC", json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def content_hash(value: Any) -> str:
    """Return the SHA-256 (64 hex digits) of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def short_id(prefix: str, value: Any) -> str:
    """Return a stable id made from the content: the prefix and eight hex digits."""
    return prefix + content_hash(value)[:8]
