"""What every test may rely on.

Examples are the same on every run, and neither the user's folders nor keys are within a test's reach.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hide the user's settings and keys; point every folder agentsym may write to into a temporary one.

    Returns that temporary folder; AGENTSYM_HOME is its `agentsym`.
    """
    for name in list(os.environ):
        if name.startswith(("AGENTSYM_", "LANGSMITH_", "LANGCHAIN_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("AGENTSYM_HOME", str(home / "agentsym"))
    for kind in ("DATA", "CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    return home
