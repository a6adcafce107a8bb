"""The store that the tests of this folder write into."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsym.store.store import Store
from tests.learning.symbolic.world import opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as store:
        yield store
