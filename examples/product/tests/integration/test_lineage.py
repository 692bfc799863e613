"""What is told of a run's lineage, to a server that keeps what it is sent in the place where Marquez takes it."""

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runtime import lifecycle, lineage

UNKNOWN = "id,day,status,amount\n1,2026-04-01,paid,80.00\n2,2026-04-01,paid,\n"


@dataclass
class Marquez:
    """Keeps what it is sent, and answers with a status."""

    status: int = 201
    sent: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def marquez(monkeypatch: pytest.MonkeyPatch) -> Iterator[Marquez]:
    """Yield a server that runs are told to."""
    there = Marquez()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/v1/lineage"
            there.sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(there.status)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        monkeypatch.setenv(lineage.HOST, "127.0.0.1")
        monkeypatch.setenv(lineage.PORT, str(server.server_port))
        yield there
        server.shutdown()
        serving.join()


@pytest.fixture
def events(marquez: Marquez) -> list[dict[str, Any]]:
    """Return what was sent, in its order."""
    return marquez.sent


def test_run_of_a_product(events: list[dict[str, Any]]) -> None:
    """A run that makes a table is told twice, with its id, the files that it reads and the table that it writes."""
    run = str(uuid.uuid4())
    with lineage.told("make_daily_orders", run, "s3://shop/orders/", "shop.daily_orders"):
        assert [each["eventType"] for each in events] == ["START"]
    begun, ended = events
    assert ended["eventType"] == "COMPLETE"
    assert (begun["run"]["runId"], ended["run"]["runId"], ended["job"]["name"]) == (run, run, "make_daily_orders")
    assert [(each["namespace"], each["name"]) for each in ended["inputs"]] == [("s3://shop", "orders")]
    assert [(each["namespace"], each["name"]) for each in ended["outputs"]] == [("products", "shop.daily_orders")]


def test_run_that_fails(events: list[dict[str, Any]]) -> None:
    """A run that fails is told as that, and its error goes on."""
    with (
        pytest.raises(ZeroDivisionError),
        lineage.told("make_daily_orders", str(uuid.uuid4()), "s3://shop/orders/", "shop.daily_orders"),
    ):
        1 / 0  # noqa: B018 - whatever fails
    assert [each["eventType"] for each in events] == ["START", "FAIL"]


def test_life_of_a_dbt_project(events: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each model is told with what it is made of; one whose test fails is told, and what was skipped is not."""
    monkeypatch.setenv("SHOP_DUCKDB", str(tmp_path / "shop.duckdb"))
    with lifecycle.Shop("duckdb", "shop") as shop:
        shop.build()
        made = {
            output["name"]: {each["name"] for each in event["inputs"]}
            for event in events
            if event["eventType"] == "COMPLETE"
            for output in event["outputs"]
        }
        assert made["shop.shop.daily_orders"] == {"shop.shop.orders"}
        events.clear()
        shop.receive(UNKNOWN)
        with pytest.raises(lifecycle.FailedError):
            shop.build()
    told = {output["name"] for event in events for output in event["outputs"]}
    assert "shop.shop.orders" in told
    assert "shop.shop.daily_orders" not in told


def test_nobody_to_be_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A server that is not there fails no run: the log says that nothing was told."""
    monkeypatch.setenv(lineage.HOST, "127.0.0.1")
    monkeypatch.setenv(lineage.PORT, "1")
    with lineage.told("make_daily_orders", str(uuid.uuid4()), "s3://shop/orders/", "shop.daily_orders"):
        pass
    assert "lineage is not told to http://127.0.0.1:1" in caplog.text


def test_server_that_is_unwell(marquez: Marquez, caplog: pytest.LogCaptureFixture) -> None:
    """A server that can't take what it is sent holds no run up: nothing is tried again."""
    marquez.status = 503
    with lineage.told("make_daily_orders", str(uuid.uuid4()), "s3://shop/orders/", "shop.daily_orders"):
        pass
    assert [each["eventType"] for each in marquez.sent] == ["START", "COMPLETE"]
    assert caplog.text.count("lineage is not told to") == 2


def test_nothing_that_can_be_told(marquez: Marquez, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A command of dbt that has left no files goes on to its own end: the log says that it is not told."""
    lineage.tell_of_dbt(tmp_path, "duckdb", "build")
    assert marquez.sent == []
    assert "lineage is not told to" in caplog.text
