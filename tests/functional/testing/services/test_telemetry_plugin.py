"""The plugin of `examples/plugins/telemetry`, as pytest sees it once it is installed."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections import defaultdict
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from serving import Handler, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.functional.testing.services.conftest import AddPackage

PLUGIN = Path(__file__).resolve().parents[4] / "examples" / "plugins" / "telemetry"


def describe(span: Span) -> dict[str, Any]:
    """Return a span as Jaeger's query API does."""
    parents = [{"refType": "CHILD_OF", "spanID": span.parent_span_id.hex()}] if span.parent_span_id else []
    values = {each.key: each.value.string_value or each.value.int_value for each in span.attributes}
    tags = [{"key": key, "value": value} for key, value in values.items()]
    return {"spanID": span.span_id.hex(), "operationName": span.name, "references": parents, "tags": tags}


class Backend(Server):
    """A tracing backend in a few lines: it keeps spans by the name of their service."""

    def __init__(self) -> None:
        """Listen, without any spans yet."""
        super().__init__(BackendHandler)
        self.spans: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.status = HTTPStatus.OK


class BackendHandler(Handler):
    """Takes spans as OTLP, and answers queries as Jaeger does."""

    @property
    def spans(self) -> dict[str, list[dict[str, Any]]]:
        """The backend's spans."""
        return cast("Backend", self.server).spans

    def do_POST(self) -> None:
        """Take spans."""
        request = ExportTraceServiceRequest.FromString(self.body())
        for resource in request.resource_spans:
            (name,) = [each.value.string_value for each in resource.resource.attributes if each.key == "service.name"]
            self.spans[name] += [describe(span) for scope in resource.scope_spans for span in scope.spans]
        self.answer(b"")

    def do_GET(self) -> None:
        """Answer with the spans of a service."""
        query = parse_qs(urlsplit(self.path).query)
        spans = [span for name in query.get("service", ()) for span in self.spans[name]]
        self.answer(json.dumps({"data": [{"spans": [span]} for span in spans]}).encode())

    def answer(self, body: bytes) -> None:
        """Answer as the backend feels."""
        self.send(body, cast("Backend", self.server).status)


@pytest.fixture
def backend(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, add_package: AddPackage) -> Iterator[Backend]:
    """Yield a backend that the environment names; the plugin is installed, and its own tests are there."""
    services = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    add_package("floe-telemetry", PLUGIN / "src", services["floe_testing.services"])
    shutil.copytree(PLUGIN / "tests" / "integration", pytester.path / "integration")
    with serving(Backend()) as server:
        monkeypatch.setenv("FLOE_TELEMETRY_HOST", "127.0.0.1")
        for variable in ("FLOE_TELEMETRY_PORT", "FLOE_TELEMETRY_QUERY_PORT"):
            monkeypatch.setenv(variable, str(server.server_port))
        yield server


def test_its_own_tests_pass(pytester: pytest.Pytester, backend: Backend) -> None:
    """Once it is installed, its own tests have their fixtures, and find the spans that they send and no others."""
    pytester.runpytest("integration", "-p", "no:cacheprovider").assert_outcomes(passed=3)
    assert len(backend.spans) == 3, "each test has a name of its own for its spans"


def test_backend_that_answers_wrongly(
    pytester: pytest.Pytester, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backend that is not well fails the tests before they start, with its address and its answer."""
    monkeypatch.setenv("FLOE_TIMEOUT_PROBE", "1")
    backend.status = HTTPStatus.SERVICE_UNAVAILABLE
    result = pytester.runpytest("integration", "-k", "whole")
    result.assert_outcomes(errors=1)
    address = "{}:{}".format(*backend.server_address)
    result.stdout.fnmatch_lines(
        [
            "1 of 1 services that this test needs is missing:",
            f"- telemetry at {address}: *HTTP 503 Service Unavailable* (looked for * s)",
        ]
    )


@pytest.mark.usefixtures("backend")
def test_fixtures_are_listed(pytester: pytest.Pytester) -> None:
    """`pytest --fixtures` lists the service's fixtures, and says what they are."""
    service = "the service telemetry of floe-telemetry 1.0"
    output = pytester.runpytest("--fixtures").stdout
    for name, text in {
        "telemetry_config ?session scope?": f"Return what {service} is reached with.",
        "telemetry_client ?session scope?": f"Yield a client of {service}, which answers.",
        "telemetry": f"Yield what a test has of {service} for itself.",
    }.items():
        output.fnmatch_lines([f"{name} -- *", f"    {text}"], consecutive=True)
