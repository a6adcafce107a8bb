"""Prices: the user's own list first, litellm's where it is installed, and never a guess."""

from pathlib import Path

import pytest

from agentsym.errors import UsageError
from agentsym.models.prices import Price, Prices
from agentsym.network.records import Usage


def test_the_users_list_is_in_dollars_for_a_million_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("openai/gpt-4.1: {input: 1, output: 4}\nhouse/model: {input: 0, output: 0}\n")
    monkeypatch.setenv("AGENTSYM_PRICES", str(file))
    price = Prices().of("openai/gpt-4.1 at http://127.0.0.1:8000/v1")
    assert price is not None and price.of(Usage(prompt_tokens=1_000_000, completion_tokens=500_000)) == 3.0
    assert Prices().of("house/model") == Price(0.0, 0.0)


def test_litellms_list_is_read_without_importing_litellm() -> None:
    import sys

    pytest.importorskip("litellm.constants", reason="litellm is not installed") if "litellm" in sys.modules else None
    price = Prices().of("openai/gpt-4.1-mini")
    assert price is not None and 0 < price.prompt < price.completion
    assert Prices().of("litellm:openai/gpt-4.1-mini") == price


@pytest.mark.parametrize("name", ["openai/never-heard-of", "nobody/gpt-4.1-mini", "embedded"])
def test_a_price_that_nobody_knows_is_none(name: str) -> None:
    assert Prices().of(name) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a/b: 3", "a/b must read"),
        ("a/b: {input: 1}", "a/b must read"),
        ("a/b: {input: -1, output: 2}", "below 0"),
        ("- a", "maps model strings"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_broken_list_is_named_with_the_line_that_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        Prices(file).of("a/b")
    assert str(file) in str(caught.value)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="AGENTSYM_PRICES"):
        Prices(tmp_path / "none.yaml").of("a/b")
