"""Waiting for a Dagster that is on its way up or down, over real HTTP."""

from __future__ import annotations

import json

import pytest

from floe_testing.services import DagsterConfig
from floe_testing.services.clients.dagster import DagsterRefusedError, Repository, connect, wait_until_answers
from serving import HOST, Handler, Server, serving

pytestmark = pytest.mark.requirement("REQ-642")

LOADED = {"__typename": "RepositoryConnection", "nodes": [{"name": "shop", "location": {"name": "code"}}]}


class Webserver(Handler):
    """Answers with nothing once, and then with its code location."""

    answers = (b"", json.dumps({"data": {"repositoriesOrError": LOADED}}).encode())
    asked = 0

    def do_POST(self) -> None:
        """Answer a query."""
        self.body()
        self.send(self.answers[min(Webserver.asked, 1)])
        Webserver.asked += 1


def test_answer_that_is_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without JSON is told with its status, and is waited for as any other that is not the awaited one."""
    with serving(Server(Webserver)) as server:
        config = DagsterConfig(host=HOST, port=server.server_port)
        with connect(config) as client:
            monkeypatch.setattr(Webserver, "asked", 0)
            with pytest.raises(DagsterRefusedError, match="Dagster answered no JSON: status 200: nothing"):
                client.repositories()
            monkeypatch.setattr(Webserver, "asked", 0)
            wait_until_answers(client, config, timeout=10)
            assert client.repositories() == [Repository("code", "shop")]
