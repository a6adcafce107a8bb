"""The sandbox of this machine, one for the whole session, as a program has it."""

from __future__ import annotations

import pytest

from agentsym.errors import SandboxError
from agentsym.runtime.sandbox.find import find_sandbox
from agentsym.runtime.sandbox.protocol import Sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    """The strongest sandbox that works here."""
    try:
        return find_sandbox()
    except SandboxError as error:
        pytest.skip(str(error))
