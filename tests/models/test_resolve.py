"""What a model string stands for, and what is said at once where it stands for nothing."""

import json
from pathlib import Path

import pytest

from agentsym.errors import UsageError
from agentsym.models.litellm import LitellmModel
from agentsym.models.openai_http import OpenAIModel
from agentsym.models.providers import Provider, providers
from agentsym.models.relay import RelayModel
from agentsym.models.resolve import resolve, timeout


def test_a_provider_that_speaks_the_protocol_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_BASE", raising=False)
    monkeypatch.setenv("GROQ_API_KEY", "gsk-0123456789abcdef")
    model = resolve("groq/llama-3.3-70b")
    assert isinstance(model, OpenAIModel)
    assert (model.name, model.remote) == ("groq/llama-3.3-70b", True)
    assert "0123456789" not in repr(model)


def test_another_provider_is_asked_through_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "0123456789abcdef")
    model = resolve("anthropic/claude-sonnet-4-5")
    assert isinstance(model, LitellmModel)
    assert (model.name, model.remote) == ("anthropic/claude-sonnet-4-5", True)
    assert "0123456789" not in repr(model)


def test_litellm_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("OPENAI_API_BASE", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    model = resolve("litellm:openai/gpt-4o")
    assert isinstance(model, LitellmModel)
    assert model.name == "litellm:openai/gpt-4o"


@pytest.mark.parametrize("name", ["openai/gpt-4o", "litellm:openai/gpt-4o", "mistral/small", "anthropic/claude"])
def test_a_missing_key_is_named_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "MISTRAL_API_BASE", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    provider = name.removeprefix("litellm:").partition("/")[0]
    with pytest.raises(UsageError, match=f"set {provider.upper()}_API_KEY"):
        resolve(name)


def test_an_unusual_address_stands_in_the_name_without_its_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:secret@localhost:8000/v1/?key=hidden")
    assert resolve("openai/gpt-4o").name == "openai/gpt-4o at http://localhost:8000/v1"


def test_an_unusual_address_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", "http://localhost:8000/v1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert isinstance(resolve("openai/gpt-4o"), OpenAIModel)


def test_a_server_of_ones_own_needs_neither_key_nor_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_API_BASE", raising=False)
    assert resolve("ollama/llama3:8b").name == "ollama/llama3:8b"
    monkeypatch.setenv("OLLAMA_API_BASE", "http://gpu:11434")
    assert resolve("ollama/llama3:8b").name == "ollama/llama3:8b at http://gpu:11434/v1"
    assert resolve("litellm:ollama/llama3:8b").name == "litellm:ollama/llama3:8b at http://gpu:11434"


def test_a_provider_without_a_usual_address_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOSTED_VLLM_API_BASE", raising=False)
    with pytest.raises(UsageError, match="set HOSTED_VLLM_API_BASE"):
        resolve("hosted_vllm/qwen")


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://host", "http://", "http://[::1"])
def test_an_address_that_is_none_names_its_variable(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(UsageError, match="OPENAI_BASE_URL holds no address"):
        resolve("openai/gpt-4o")


@pytest.mark.parametrize("name", ["gpt-4o", "openai/", "/gpt-4o", "litellm:gpt-4o"])
def test_a_name_without_a_provider_is_told_how_to_be_written(name: str) -> None:
    with pytest.raises(UsageError, match=r"openai/"):
        resolve(name)


@pytest.mark.parametrize(("name", "near"), [("opanai/gpt-4o", "openai"), ("litellm:anthropik/x", "anthropic")])
def test_an_unknown_provider_is_told_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"no provider .*{near}"):
        resolve(name)


def test_without_litellm_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'agentsym\[providers\]'"):
        resolve("bedrock/some-model")
    with pytest.raises(UsageError, match="openai"):
        resolve("opanai/gpt-4o")


def test_a_relay_is_a_folder(tmp_path: Path) -> None:
    model = resolve(f"relay:{tmp_path / 'mail'}")
    assert isinstance(model, RelayModel)
    with pytest.raises(UsageError, match="relay:PATH"):
        resolve("relay:")


async def test_a_recording_is_replayed(tmp_path: Path) -> None:
    from agentsym.models.protocol import Request
    from agentsym.network.records import Message

    request = Request(messages=(Message(role="user", content="Hello"),))
    line = {"request": request.model_dump(mode="json"), "reply": {"text": "Good day"}}
    (tmp_path / "r.jsonl").write_text(json.dumps(line) + "\n")
    assert (await resolve(f"recorded:{tmp_path / 'r.jsonl'}").complete(request)).text == "Good day"


def test_the_timeout_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timeout() == 600.0
    monkeypatch.setenv("AGENTSYM_TIMEOUT", "12.5")
    assert timeout() == 12.5


@pytest.mark.parametrize("given", ["soon", "0", "-1", "nan", "inf"])
def test_a_timeout_that_is_none_is_wrong_usage(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTSYM_TIMEOUT", given)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    with pytest.raises(UsageError, match="AGENTSYM_TIMEOUT"):
        resolve("openai/gpt-4o")


def test_a_table_of_ones_own_adds_and_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "providers.yaml"
    own.write_text(
        "acme: {base_url: 'https://llm.acme.example/v1', key: [ACME_API_KEY], schema: prompt}\ngroq: {schema: prompt}\n"
    )
    monkeypatch.setenv("AGENTSYM_PROVIDERS", str(own))
    monkeypatch.setenv("ACME_API_KEY", "0123456789")
    assert resolve("acme/large").name == "acme/large"
    groq = providers()["groq"]
    assert (groq.schema_, groq.base_url) == ("prompt", "https://api.groq.com/openai/v1")
    assert providers()["openai"].key == ("OPENAI_API_KEY",)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("acme: {base_ulr: 'https://x'}", "acme"),
        ("acme: {schema: xml}", "acme"),
        ("acme: {base_url: nowhere}", "acme"),
        ("acme: https://x", "acme"),
        ("- acme", "prefixes"),
        ("acme: [", "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_read_names_file_and_entry(
    text: str, entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(text)
    monkeypatch.setenv("AGENTSYM_PROVIDERS", str(own))
    with pytest.raises(UsageError, match=r"AGENTSYM_PROVIDERS.*own\.yaml") as caught:
        resolve("openai/gpt-4o")
    assert entry in str(caught.value)


def test_a_table_that_is_not_there_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTSYM_PROVIDERS", str(tmp_path / "none.yaml"))
    with pytest.raises(UsageError, match="AGENTSYM_PROVIDERS"):
        resolve("openai/gpt-4o")


@pytest.mark.parametrize(("prefix", "provider"), providers().items(), ids=list(providers()))
def test_every_shipped_entry_is_whole(prefix: str, provider: Provider) -> None:
    assert provider.client == "litellm" or provider.base_url or provider.base_url_from
    assert provider.key
    assert not provider.base_url.endswith("/")
    remote = provider.base_url.startswith("https://")
    assert provider.key_optional != (remote or provider.client == "litellm")
