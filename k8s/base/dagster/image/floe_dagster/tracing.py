"""What a run did, sent where OpenTelemetry's standard variables say; nothing is sent where they say nothing.

Spans of the run and of its steps, and of the same two metrics: how long it took, and how many rows a step wrote.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os import environ

from dagster import DagsterRun
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracer, Tracer

SPANS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
METRICS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
TIMEOUT = 5.0
"""Seconds to send spans, and metrics: a collector that is away holds a run up for no longer, and fails none."""


class Measured(SpanProcessor):
    """Makes metrics of a run's spans as they end."""

    def __init__(self, meter: Meter, run: DagsterRun) -> None:
        """Take the meter, and the run that the metrics are told apart by."""
        self._run = {"dagster.run_id": run.run_id, "dagster.job": run.job_name}
        self._duration = meter.create_gauge("dagster.run.duration", unit="s", description="How long a run took")
        self._rows = meter.create_gauge("dagster.step.rows", unit="{row}", description="Rows that a step wrote")

    def on_end(self, span: ReadableSpan) -> None:
        """Note the duration of the whole run, which no span is around, and the rows of any span that says them."""
        if span.parent is None:
            self._duration.set((span.end_time - span.start_time) / 1e9, {**self._run, "outcome": outcome(span)})
        if (rows := span.attributes.get("rows")) is not None:
            self._rows.set(rows, {**self._run, "dagster.step": span.name})


def outcome(span: ReadableSpan) -> str:
    """Return whether what a span is of went well."""
    return "success" if span.status.is_ok else "failure"


@contextmanager
def traced(run: DagsterRun) -> Iterator[Tracer]:
    """Yield a tracer within a span that is called after the run's job and has its id; send everything at the end."""
    with ExitStack() as ends:
        processors = []
        if is_wanted(METRICS):
            meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(timeout=TIMEOUT))])
            ends.callback(meters.shutdown, timeout_millis=TIMEOUT * 1000)
            processors.append(Measured(meters.get_meter(__name__), run))
        if is_wanted(SPANS):
            processors.append(BatchSpanProcessor(OTLPSpanExporter(timeout=TIMEOUT)))
        if not processors:
            yield NoOpTracer()
            return
        provider = TracerProvider()
        ends.callback(provider.shutdown)
        for processor in processors:
            provider.add_span_processor(processor)
        tracer = provider.get_tracer(__name__)
        with tracer.start_as_current_span(run.job_name, attributes={"dagster.run_id": run.run_id}):
            yield tracer


def is_wanted(variables: tuple[str, ...]) -> bool:
    """Tell whether one of the variables says where to send."""
    return any(environ.get(name) for name in variables)
