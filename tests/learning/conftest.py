"""The models that tests of choices among them have at hand."""

from pathlib import Path

import pytest

from tests.learning.thrifty import Market


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Market:
    return Market(monkeypatch, tmp_path)
