"""The service `telemetry` of floe-testing: a backend that takes spans over OTLP and answers queries as Jaeger does."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from floe_testing import PollingConfig, wait_for_condition
from floe_testing.conditions import http_ok, span_found, tcp_open
from floe_testing.services import Service, ServiceConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.trace import Tracer


class TelemetryConfig(ServiceConfig):
    """A tracing backend."""

    service: ClassVar[str] = "telemetry"

    port: int = 4318
    """Takes spans, as OTLP over HTTP."""
    query_port: int = 16686
    """Answers queries."""

    @property
    def traces_url(self) -> str:
        """Where spans are sent to."""
        return f"http://{self.address}/v1/traces"

    @property
    def query_url(self) -> str:
        """Where spans are looked for."""
        return f"http://{self.host}:{self.query_port}"


@dataclass(frozen=True)
class Traces:
    """The traces of one test: its name for them is nobody else's."""

    config: TelemetryConfig
    name: str
    """What the spans' resource is called, the `service.name`."""
    tracer: Tracer

    def wait_for_span(self, operation: str, timeout: float = 30.0) -> Mapping[str, Any]:
        """Return a span of this test once the backend knows it, as the backend describes it.

        Raises:
            ConditionTimeoutError: It did not, for `timeout` seconds.
        """
        found = span_found(self.config.query_url, self.name, operation=operation)
        return wait_for_condition(found, PollingConfig(timeout=timeout, interval=0.2))


def answers(config: TelemetryConfig) -> object:
    """Look whether spans are taken, and queries answered."""
    return (tcp_open(config.host, config.port) & http_ok(f"{config.query_url}/api/services"))()


@contextmanager
def isolate(config: TelemetryConfig, name: str) -> Iterator[Traces]:
    """Yield traces of that name. Spans are sent as they end; none is removed, as the backend keeps them in memory."""
    provider = TracerProvider(resource=Resource({SERVICE_NAME: name}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=config.traces_url, timeout=5)))
    try:
        yield Traces(config, name, provider.get_tracer("floe-telemetry"))
    finally:
        provider.shutdown()


telemetry = Service(config=TelemetryConfig, connect=nullcontext, answers=answers, isolate=isolate)
