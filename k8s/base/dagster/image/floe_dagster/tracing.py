"""Spans of a run, sent where OpenTelemetry's standard variables say; nothing is sent where they say nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import environ

from dagster import DagsterRun
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracer, Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
TIMEOUT = 5.0
"""Seconds to send spans: a collector that is away holds a run up for no longer, and fails none."""


@contextmanager
def traced(run: DagsterRun) -> Iterator[Tracer]:
    """Yield a tracer within a span that is called after the run's job and has its id; send all spans at the end."""
    if not any(environ.get(name) for name in ENDPOINTS):
        yield NoOpTracer()
        return
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=TIMEOUT)))
    try:
        tracer = provider.get_tracer(__name__)
        with tracer.start_as_current_span(run.job_name, attributes={"dagster.run_id": run.run_id}):
            yield tracer
    finally:
        provider.shutdown()
