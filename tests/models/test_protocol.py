"""The request's key: the same question is the same key, everything that is asked is in it."""

from typing import Any

import pytest

from agentsym.models.protocol import Request
from agentsym.network.records import Message, ToolCall


def request(seconds: float = 0.0, result: str = "found", **more: Any) -> Request:
    call = ToolCall(tool="find", arguments={"a": 1, "b": 2}, result=result, seconds=seconds)
    message = Message(role="assistant", content="", tool_calls=(call,))
    return Request(**{"messages": (message,), **more})


def test_how_long_a_tool_took_does_not_change_the_key() -> None:
    assert request(seconds=0.1).key("m") == request(seconds=0.2).key("m")


@pytest.mark.parametrize(
    "other",
    [
        {"result": "nothing"},
        {"schema_": {}},
        {"tools": ({"name": "find"},)},
        {"temperature": 0.0},
        {"max_tokens": 5},
        {"rollout": 1},
        {"messages": ()},
    ],
    ids=lambda other: next(iter(other)),
)
def test_whatever_is_asked_changes_the_key(other: dict[str, Any]) -> None:
    assert request(**other).key("m") != request().key("m")


def test_the_model_is_part_of_the_key() -> None:
    assert request().key("m") != request().key("m@elsewhere")
