"""What every test may rely on.

Examples are the same on every run, and neither the user's folders nor keys are within a test's reach.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import NoServer, PostgresServer, running_server

settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hide the user's settings and keys; point every folder agentsym may write to into a temporary one.

    Returns that temporary folder; AGENTSYM_HOME is its `agentsym`.
    """
    for name in list(os.environ):
        if name.startswith(("AGENTSYM_", "LANGSMITH_", "LANGCHAIN_", "OTEL_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("AGENTSYM_HOME", str(home / "agentsym"))
    for kind in ("DATA", "CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    return home


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_server())
        except NoServer as missing:
            pytest.skip(str(missing))
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of an empty database, made for this test."""
    return postgres_server.database()
