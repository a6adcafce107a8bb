"""Sending the spans of a command, where `AGENTSYM_TELEMETRY=1` asks for it: the one place where we are the application.

A library leaves the SDK to its user; at the command line nobody else could set it up, so this does, from the standard
variables. Under `opentelemetry-instrument`, which has done so already, nothing is left to do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from agentsym.errors import UsageError
from agentsym.telemetry.switch import VARIABLE, asked

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

EXPORTER, PROTOCOL = "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL"
_HOW = "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"


@contextmanager
def exporting() -> Iterator[None]:
    """Send the spans of what is done inside, where the environment asks for it, the last ones before this ends.

    Raises:
        UsageError: the SDK or the exporter that is asked for is not installed.
    """
    if not asked():
        yield
        return
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UsageError(f"{VARIABLE} is on, and the SDK that sends spans is not installed; {_HOW}") from error
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        yield
        return
    provider = TracerProvider(resource=Resource.create({} if _is_named() else {"service.name": "agentsym"}))
    for exporter in _exporters():
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def _is_named() -> bool:
    return "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")


def _exporters() -> Iterator[SpanExporter]:
    """Make the exporters that the environment names: `otlp` by default."""
    names = [name.strip() for name in os.environ.get(EXPORTER, "otlp").split(",")]
    for name in names:
        if name == "console":
            from opentelemetry.sdk.trace.export import ConsoleSpanExporter

            yield ConsoleSpanExporter(out=sys.stderr)  # stdout is the command's own
        elif name not in ("", "none"):
            yield _loaded(name)()


def _loaded(name: str) -> Any:
    protocol = os.environ.get(PROTOCOL, "")
    wanted = [f"otlp_proto_{protocol.partition('/')[0]}"] if protocol else ["otlp_proto_http", "otlp_proto_grpc"]
    for candidate in wanted if name == "otlp" else [name]:
        for found in entry_points(group="opentelemetry_traces_exporter", name=candidate):
            return found.load()
    raise UsageError(f"{EXPORTER}: no exporter {name!r} is installed; {_HOW}, or {EXPORTER}=console")
