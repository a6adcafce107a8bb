"""What the tests of telemetry share: telemetry whose spans stay in memory, and the tree that they form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentsym.telemetry.telemetry import Telemetry

Tree = dict[str, Any]


class Traced:
    """Telemetry, and what has come of it."""

    def __init__(self, *, capture_content: bool | None = None) -> None:
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        meters = MeterProvider([self._reader])
        self.telemetry = Telemetry(self.provider, meters, capture_content=capture_content)

    @property
    def spans(self) -> list[ReadableSpan]:
        """All spans that have ended, in the order in which they began."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans whose name begins with that."""
        return [span for span in self.spans if span.name.startswith(name)]

    def one(self, name: str) -> Mapping[str, Any]:
        """The attributes of the only span of that name."""
        (span,) = self.named(name)
        return span.attributes or {}

    def parent(self, span: ReadableSpan) -> ReadableSpan | None:
        """The span that a span stands under."""
        by_id = {other.context.span_id: other for other in self.spans}
        return None if span.parent is None else by_id.get(span.parent.span_id)

    def path(self, span: ReadableSpan) -> str:
        """The names from the root down to a span."""
        above = self.parent(span)
        return span.name if above is None else f"{self.path(above)} > {span.name}"

    def paths(self) -> list[str]:
        """The paths of all spans."""
        return [self.path(span) for span in self.spans]

    def text(self) -> str:
        """Everything that an exporter would send."""
        return "\n".join(span.to_json() for span in self.spans)

    def points(self, metric: str) -> list[tuple[Mapping[str, Any], Any]]:
        """The data points of a metric: (attributes, point)."""
        data = self._reader.get_metrics_data()
        scopes = [] if data is None else [scope for one in data.resource_metrics for scope in one.scope_metrics]
        return [
            (point.attributes or {}, point)
            for scope in scopes
            for found in scope.metrics
            if found.name == metric
            for point in found.data.data_points
        ]
