"""When there is telemetry and when there is none, and that none costs nothing: no import, no span."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from agentsym.errors import UsageError
from agentsym.models.door import Door
from agentsym.telemetry.switch import switched
from agentsym.telemetry.telemetry import Telemetry

RUN = """
import sys
from agentsym import Agent, PromptNode
from agentsym.network.nodes import FunctionNode

def double(x: int) -> int:
    return 2 * x

agent = Agent("doubles", [FunctionNode("double", double, output={"y": int})])
"""
SET_UP = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""
TELL = "assert agent.invoke({'x': 2}) == {'y': 4}\nprint([span.name for span in exporter.get_finished_spans()])"
BOTH = ["node double", "invoke_agent doubles"]


def python(program: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_agent_runs_where_opentelemetry_is_not_installed() -> None:
    missing = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
"""
    assert python(f"{missing}\n{RUN}\nprint(agent.invoke({{'x': 2}}))") == "{'y': 4}"


def test_a_provider_that_the_process_has_set_up_gets_the_spans_without_a_word() -> None:
    assert python(f"{SET_UP}\n{RUN}\n{TELL}") == str(BOTH)


@pytest.mark.parametrize("variables", [{"AGENTSYM_TELEMETRY": "0"}, {"OTEL_SDK_DISABLED": "true"}])
def test_it_can_be_switched_off(variables: dict[str, str]) -> None:
    assert python(f"{SET_UP}\n{RUN}\n{TELL}", **variables) == "[]"


def test_a_span_of_the_users_is_the_parent_of_ours() -> None:
    inside = """
with trace.get_tracer("shop").start_as_current_span("request") as request:
    agent.invoke({"x": 2})
run = exporter.get_finished_spans()[1]
print(run.name, run.parent.span_id == request.get_span_context().span_id)
"""
    assert python(f"{SET_UP}\n{RUN}\n{inside}") == "invoke_agent doubles True"


def test_the_api_alone_makes_no_spans() -> None:
    assert switched(True) is None
    assert switched(None) is None
    assert switched(Telemetry(NoOpTracerProvider(), NoOpMeterProvider())) is None
    assert Door().telemetry is None


def test_off_is_no_span_whatever_the_environment_says() -> None:
    off = "from agentsym import Session\nwith Session(telemetry=False) as s: s.invoke(agent, {'x': 2})"
    assert python(f"{SET_UP}\n{RUN}\n{off}\nprint(exporter.get_finished_spans())", AGENTSYM_TELEMETRY="1") == "()"


def test_a_word_that_is_neither_yes_nor_no_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTSYM_TELEMETRY", "maybe")
    with pytest.raises(UsageError, match="AGENTSYM_TELEMETRY is 'maybe'; it must be 1 or 0"):
        Door()


def test_without_the_api_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.setenv("AGENTSYM_TELEMETRY", "1")
    with pytest.raises(UsageError, match=r"pip install 'agentsym\[otel\]'"):
        Door()


@pytest.fixture
def things(tmp_path: Path) -> Path:
    (tmp_path / "agent.py").write_text(RUN, "utf-8")
    return tmp_path


def command(folder: Path, *words: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "agentsym"), *words],
        cwd=folder,
        env={**os.environ, "OTEL_TRACES_EXPORTER": "console", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_sends_its_spans_and_keeps_them_out_of_its_output(things: Path) -> None:
    done = command(things, "run", ".", "--input", '{"x": 2}', "--json", AGENTSYM_TELEMETRY="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == {"y": 4}
    decoder, told, rest = json.JSONDecoder(), [], done.stderr.strip()
    while rest:
        span, end = decoder.raw_decode(rest)
        told.append((span["name"], span["resource"]["attributes"]["service.name"]))
        rest = rest[end:].lstrip()
    assert told == [(name, "agentsym") for name in BOTH]


def test_a_command_sends_nothing_unless_it_is_told_to(things: Path) -> None:
    done = command(things, "run", ".", "--input", '{"x": 2}', "--json")
    assert done.returncode == 0
    assert done.stderr == ""


def test_an_exporter_that_is_not_there_is_said_before_anything_runs(things: Path) -> None:
    done = command(things, "run", ".", "--input", '{"x": 2}', AGENTSYM_TELEMETRY="1", OTEL_TRACES_EXPORTER="pigeon")
    assert done.returncode == 2
    assert "no exporter 'pigeon' is installed" in done.stderr
    assert done.stdout == ""
