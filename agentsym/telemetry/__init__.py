"""What others see of a run: OpenTelemetry spans and metrics of agents, model calls, tools and learning.

It needs the API alone (extra `otel`), and only where it is on: who wants spans brings the SDK and its exporters.
"""
