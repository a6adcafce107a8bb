"""`agentsym mcp` asked for what it cannot do: nothing is served, and the error names the remedy."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.mcp.conftest import COMMAND, environment

AGENT = "support_triage"
OPEN = "others than this machine can reach this address, so a token is needed"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no_such_agent"], 2, "no_such_agent"),
        ([AGENT, "--tools", "no_such_tool"], 2, "there is no shipped tool 'no_such_tool'; there are: deadline"),
        ([AGENT, AGENT], 2, "two of what is to be served are called 'support_triage'"),
        ([AGENT, "--token-file", "t"], 2, "--token-file and --allow-host are for HTTP; add --http HOST:PORT"),
        ([AGENT, "--http", "8000"], 2, "--http 8000: it must read HOST:PORT, for example 127.0.0.1:8765"),
        ([AGENT, "--http", "127.0.0.1:99999"], 2, "it must read HOST:PORT"),
        ([AGENT, "--http", "0.0.0.0:0"], 2, OPEN),
        ([AGENT, "--http", "192.0.2.1:0"], 2, OPEN),
        ([AGENT, "--http", "[::]:0"], 2, OPEN),
        ([AGENT, "--http", "127.0.0.1:0", "--token-file", "missing"], 2, "--token-file missing: it cannot be read"),
        ([AGENT, "--http", "127.0.0.1:0", "--token-file", "empty"], 2, "--token-file empty: a token is one word"),
        ([AGENT, "--http", "0.0.0.0:0", "--token-file", "token"], 2, "with --allow-host NAME"),
        ([AGENT, "--http", "192.0.2.1:0", "--token-file", "token"], 2, "192.0.2.1:0: cannot listen there"),
        ([AGENT, "--http", "no-such-host.invalid:0", "--token-file", "token"], 2, "cannot listen there ("),
        ([AGENT, "--student", "nobody/x"], 2, "nobody"),
    ],
)
def test_what_cannot_be_served_is_refused(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "token").write_text("correct-horse-battery-staple\n")
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr
    assert "correct-horse" not in done.stderr


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [*COMMAND, AGENT, "--http", place],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert f"{place}: another program listens there already" in done.stderr


WITHOUT_MCP = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "mcp" else found(name, *rest)
"""


@pytest.mark.parametrize(
    "program",
    [
        "from agentsym.cli import app; app(['mcp'])",
        "from agentsym.cli import app; sys.argv = ['agentsym', 'mcp']; app()",
        "from agentsym import mcp_tools; from agentsym.cli.screen import guarded; "
        "sys.exit(guarded(lambda: mcp_tools('http://127.0.0.1:9/mcp'), as_json=False))",
    ],
)
def test_without_the_extra_it_is_named(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MCP + program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert 'pip install "agentsym[mcp]"' in done.stderr and "Traceback" not in done.stderr
