"""Making a tool from a function whose code is learned: its tests come along."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsym.errors import NetworkError
from agentsym.network.parameters import Code
from agentsym.network.tool import as_tool

TESTS = "def test_shout():\n    assert shout('a') == 'A'\n"


def shout(text: str) -> str:
    """Say it loudly."""
    return text.upper()


def test_tests_are_given_as_text_or_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "shout_test.py"
    file.write_text(TESTS, "utf-8")
    for tests in (TESTS, file):
        code = as_tool(shout, learnable=True, tests=tests).parameters["code"]
        assert isinstance(code, Code) and code.tests == TESTS


def test_tests_that_cannot_be_read_or_serve_nobody_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"shout: its tests in .*missing\.py cannot be read"):
        as_tool(shout, learnable=True, tests=tmp_path / "missing.py")
    with pytest.raises(NetworkError, match="add learnable=True"):
        as_tool(shout, tests=TESTS)
