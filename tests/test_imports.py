"""Starting is cheap: what costs seconds to import is imported where it is used, never at the start."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "litellm", "langgraph", "sklearn", "opentelemetry", "mcp")

IMPORT = "import agentsym"
HELP = """
import contextlib, io
from agentsym.cli import app
with contextlib.redirect_stdout(io.StringIO()) as screen:
    try:
        app(["--help"], prog_name="agentsym")
    except SystemExit as end:
        assert not end.code, end.code
assert "agentsym" in screen.getvalue()
"""


@pytest.mark.parametrize("program", [IMPORT, HELP], ids=["import agentsym", "agentsym --help"])
def test_no_heavy_package_is_loaded_by(program: str) -> None:
    program += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "agentsym" in loaded
    assert loaded.isdisjoint(HEAVY)
