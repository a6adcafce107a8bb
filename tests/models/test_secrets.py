"""Keys are taken out of what people read, and plain text is left as it is."""

import pytest

from agentsym.models.secrets import PLACEHOLDER, excerpt, scrub


@pytest.mark.parametrize("name", ["ACME_API_KEY", "ACME_TOKEN", "ACME_SECRET", "ACME_KEY", "acme_api_key"])
def test_values_of_key_variables_are_taken_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "plain old words")
    assert scrub("your key plain old words is wrong") == f"your key {PLACEHOLDER} is wrong"


def test_the_longer_of_two_values_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "abcdefgh")
    monkeypatch.setenv("B_KEY", "abcdefgh-and-more")
    assert scrub("(abcdefgh-and-more)") == f"({PLACEHOLDER})"


def test_short_values_and_other_variables_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORT_KEY", "name")
    monkeypatch.setenv("FAVOURITE", "strawberries")
    assert scrub("by name: strawberries") == "by name: strawberries"


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-0123456789abcdef.",
        "Authorization: Bearer 0123456789.abcdef",
        "authorization: Basic dXNlcjpwYXNzd29yZA==",
        "https://user:0123456789@host/v1",
        "GET /v1/models?key=0123456789 failed",
        "https://host/v1?alt=sse&access_token=0123456789",
        '{"api_key": "0123456789abc"}',
        "gsk_0123456789abcdefghij",
        "AIzaSy0123456789abcdefghij_k",
    ],
)
def test_what_has_the_shape_of_a_key_is_taken_out(text: str) -> None:
    assert "0123456789" not in scrub(text)
    assert "dXNl" not in scrub(text)
    assert PLACEHOLDER in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "see https://host/v1?page=2",
        "the key is missing",
        "ask-me-anything-you-like",
        "give basic information and show the bearer certificate",
        "the columns pk_customer_identifier and hf_dataset_name_col",
        "https://host/search?monkey=business",
    ],
)
def test_plain_text_stays(text: str) -> None:
    assert scrub(text) == text


def test_an_excerpt_is_one_scrubbed_line() -> None:
    key = "sk-0123456789abcdef"
    assert excerpt(f"a\n  b {key}") == f"a b {PLACEHOLDER}"


def test_an_excerpt_shows_no_part_of_a_key_at_its_cut() -> None:
    key = "sk-0123456789abcdef"
    cut = excerpt("x" * 75 + f" {key}", 80)
    assert len(cut) <= 80
    assert "0123" not in cut
    assert cut.endswith("…")
