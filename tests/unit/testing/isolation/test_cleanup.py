"""The command `floe-testing cleanup` removes what it was told to, whatever else goes wrong, and says so."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from floe_testing.cleanup import cli as command
from floe_testing.cleanup.leftovers import Keeper, Leftover, keepers
from floe_testing.errors import NoClusterError
from floe_testing.isolation.naming import Made, run_tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

NOW = datetime.now(UTC)
LONG_ID = "pull/7#2"


class Server:
    """Keeps names, or refuses."""

    def __init__(self, *left: Leftover, refuses: Exception | None = None) -> None:
        """Keep what is there and what is to be raised."""
        self.left = {each.name: each for each in left}
        self.refuses = refuses

    @contextmanager
    def open(self) -> Iterator[Keeper]:
        """Yield it as the command sees it."""
        if isinstance(self.refuses, NoClusterError):
            raise self.refuses
        yield Keeper(lambda: list(self.left.values()), self.remove)

    def remove(self, names: list[str]) -> None:
        """Remove what is there."""
        if self.refuses:
            raise self.refuses
        for name in names:
            del self.left[name]


def made(name: str, run_id: str, *, hours_ago: int = 0) -> Leftover:
    """Return a thing that a run made some time ago."""
    return Leftover(name, Made(run_tag(run_id), NOW - timedelta(hours=hours_ago)))


def run(monkeypatch: pytest.MonkeyPatch, servers: dict[str, Server], *arguments: str) -> Result:
    """Run the command where there are these servers."""
    monkeypatch.setattr(command, "keepers", lambda: {name: server.open for name, server in servers.items()})
    return CliRunner().invoke(command.cleanup, arguments)


@pytest.mark.parametrize(
    ("arguments", "remaining"),
    [
        (["--run-id", "one"], {"c", "d"}),
        (["--run-id", LONG_ID], {"a", "b", "c"}),
        (["--run-id", "one", "--older-than", "2h"], {"a", "c", "d"}),
        (["--older-than", "2h"], {"a", "d"}),
        (["--older-than", "1d"], {"a", "b", "d"}),
        (["--run-id", "nobody"], {"a", "b", "c", "d"}),
        (["--run-id", "one", "--dry-run"], {"a", "b", "c", "d"}),
    ],
)
def test_just_what_was_asked_for_is_removed(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], remaining: set[str]
) -> None:
    """Things of that run go, or those of that age, or those that are both."""
    server = Server(made("a", "one"), made("b", "one", hours_ago=3), made("c", "two", hours_ago=30), made("d", LONG_ID))
    result = run(monkeypatch, {"shop": server}, *arguments)
    assert result.exit_code == 0, result.output
    assert set(server.left) == remaining


def test_removed_things_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each server is named with what was removed from it."""
    servers = {"shop": Server(made("b", "one"), made("a", "one")), "till": Server(made("c", "two"))}
    assert run(monkeypatch, servers, "--run-id", "one").stdout == "shop: removed a, b\ntill: removed nothing\n"


def test_one_that_refuses_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one server refuses is told and fails the command; the others are cleaned all the same."""
    servers = {
        "shop": Server(made("a", "one"), refuses=RuntimeError("in use")),
        "till": Server(made("b", "one")),
    }
    result = run(monkeypatch, servers, "--run-id", "one")
    assert result.exit_code == 1
    assert "shop: RuntimeError: in use" in result.stderr
    assert not servers["till"].left


@pytest.mark.parametrize(("others", "code"), [({}, 2), ({"till": Server()}, 0)])
def test_one_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch, others: dict[str, Server], code: int) -> None:
    """A server that is not to be found is no failure, unless there is no other."""
    servers = {"kubernetes": Server(refuses=NoClusterError("set KUBECONFIG")), **others}
    result = run(monkeypatch, servers, "--run-id", "one")
    assert result.exit_code == code
    assert "kubernetes: not looked at: set KUBECONFIG" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Say what to remove"),
        (["--older-than", "2"], "'2' is no age"),
        (["--older-than", "2w"], "'2w' is no age"),
        (["--older-than", "-2h"], "'-2h' is no age"),
    ],
)
def test_unclear_orders_are_refused(monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str) -> None:
    """Nothing is removed before it is clear what."""
    server = Server(made("a", "one", hours_ago=1000))
    result = run(monkeypatch, {"shop": server}, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert server.left


def test_every_service_that_keeps_things_is_cleaned() -> None:
    """The cluster is looked at, and each service whose entry point says how; Dagster has none."""
    assert {"kubernetes", "minio", "polaris", "postgres"} <= set(keepers())
    assert "dagster" not in keepers()
