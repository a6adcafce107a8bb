"""`Telemetry`: makes spans and counts tokens for whoever has brought an OpenTelemetry SDK.

It is a value that travels on the door, so nothing global is ours; where it is off there is None in its place: nothing
of OpenTelemetry is loaded then, and a call costs one comparison.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from agentsym.errors import NodeError, UsageError
from agentsym.telemetry.names import ERROR_TYPE, OPERATION_DURATION, SCHEMA_URL, STATUS, TOKEN_TYPE, TOKEN_USAGE

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

T = TypeVar("T")

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_TOKENS = tuple(4.0**power for power in range(14))
_SECONDS = tuple(0.01 * 2**power for power in range(14))

Attributes = Mapping[str, Any]
"""Name → text, number, yes or no, or a list of one of them."""


class Telemetry:
    """Spans and metrics of what agentsym does.

    Spans nest under the span that is current where agentsym is called. Numbers, names and states are always told; texts
    of prompts, answers, inputs and errors only with `capture_content`, and with everything in them that looks like a
    key taken out.

    Args:
        tracer_provider: who takes the spans; by default the process's own, as `trace.set_tracer_provider` has set it.
        meter_provider: who takes the metrics; by default the process's own.
        capture_content: whether texts are told too; by default what
            `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` says, else no.

    Raises:
        UsageError: opentelemetry-api is not installed.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        capture_content: bool | None = None,
    ) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError as error:
            raise UsageError("telemetry needs opentelemetry-api; pip install 'agentsym[otel]'") from error
        asked = os.environ.get(CAPTURE, "").strip().lower() == "true"
        self.capture_content = asked if capture_content is None else capture_content
        self._trace = trace
        self._provider = tracer_provider
        self._tracer = trace.get_tracer("agentsym", None, tracer_provider, SCHEMA_URL)
        meter = metrics.get_meter("agentsym", "", meter_provider, SCHEMA_URL)
        self._tokens = meter.create_histogram(
            TOKEN_USAGE, "{token}", "Tokens of a model call.", explicit_bucket_boundaries_advisory=_TOKENS
        )
        self._durations = meter.create_histogram(
            OPERATION_DURATION, "s", "How long a model call takes.", explicit_bucket_boundaries_advisory=_SECONDS
        )

    @property
    def active(self) -> bool:
        """Whether somebody takes spans by now: an SDK is there, and it is not switched off."""
        provider = self._provider or self._trace.get_tracer_provider()
        nobody = (self._trace.ProxyTracerProvider, self._trace.NoOpTracerProvider)
        return not isinstance(provider, nobody) and not isinstance(self._tracer, self._trace.NoOpTracer)

    @contextmanager
    def span(
        self,
        name: str,
        attributes: Attributes | None = None,
        *,
        client: bool = False,
        passing: tuple[type[BaseException], ...] = (),
    ) -> Iterator[Span]:
        """Make a span that is the current one inside; an exception that leaves it makes it one that failed.

        Args:
            name: what is done.
            attributes: what is known before it begins; samplers see no other.
            client: whether somebody else is asked to do it.
            passing: exceptions that leave it without anything having gone wrong.
        """
        kind = self._trace.SpanKind.CLIENT if client else self._trace.SpanKind.INTERNAL
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except passing:
                raise
            except BaseException as error:
                self.fail(span, error)
                raise

    async def stream(
        self, name: str, attributes: Attributes, items: AsyncGenerator[T, None]
    ) -> AsyncGenerator[T, None]:
        """Hand out items, each of them computed inside of a span; between two of them it is not the current one.

        Whoever takes the items may do so in another context each time, so no context may be kept across a `yield`.
        """
        span, nothing = self._tracer.start_span(name, attributes=attributes), object()
        try:
            while True:
                with self._trace.use_span(span, record_exception=False, set_status_on_exception=False):
                    item: Any = await anext(items, nothing)
                if item is nothing:
                    return
                yield item
        except BaseException as error:
            self.fail(span, error)
            raise
        finally:
            await items.aclose()
            span.end()

    def event(self, name: str, attributes: Attributes) -> None:
        """Add what happens now to the span that is current."""
        span = self._trace.get_current_span()
        if span.is_recording():
            span.add_event(name, attributes)

    def fail(self, span: Span, error: BaseException, text: str | None = None) -> None:
        """Say that what a span tells of has failed; what was cancelled has not.

        Args:
            span: the span.
            error: why.
            text: the error's text without secrets, where content is captured.
        """
        if not isinstance(error, Exception):
            span.set_attribute(STATUS, "cancelled")
            return
        span.set_attribute(ERROR_TYPE, error_type(error))
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, text))

    def measure(self, attributes: Attributes, *, seconds: float, prompt_tokens: int, completion_tokens: int) -> None:
        """Count one model call."""
        self._durations.record(seconds, attributes)
        for kind, tokens in (("input", prompt_tokens), ("output", completion_tokens)):
            if tokens:
                self._tokens.record(tokens, {**attributes, TOKEN_TYPE: kind})


def error_type(error: BaseException) -> str:
    """Return what kind of error it is: its class, or that of the error that a node has met."""
    while isinstance(error, NodeError) and error.__cause__ is not None:
        error = error.__cause__
    return type(error).__qualname__
