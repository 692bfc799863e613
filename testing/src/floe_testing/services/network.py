"""What the network must do: resolve names, take connections, answer HTTP."""

from __future__ import annotations

import socket

import urllib3

from floe_testing.waiting.condition import Condition
from floe_testing.waiting.polling import HopelessError, Unmet

_SHOWN = 200
"""Characters of an answer that a state shows."""


def dns_resolves(name: str) -> Condition[tuple[str, ...]]:
    """Return the condition that a name has addresses; met, it gives them.

    How long one look takes is the resolver's own affair (`/etc/resolv.conf`): ten seconds as a rule.
    """

    def look(_: float) -> tuple[str, ...]:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))

    return Condition(f"{name} resolves", look, not_yet=(socket.gaierror,))


def tcp_open(host: str, port: int, *, settle: float = 0.0, probe: float | None = None) -> Condition[bool]:
    """Return the condition that a port takes connections. That is no promise that what listens is ready.

    Args:
        host: A name or an address.
        port: Its number.
        settle: Seconds after which the connection must still be open: for a proxy or a port-forward, which take a
            connection before they know whether there is somebody behind them.
        probe: Seconds for one look.
    """

    def look(seconds: float) -> bool | Unmet:
        with socket.create_connection((host, port), timeout=seconds) as connection:
            return not settle or _stays_open(connection, settle) or Unmet("it takes a connection, and closes it")

    return Condition(f"{host}:{port} takes connections", look, not_yet=(OSError,), probe=probe)


def _stays_open(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return bool(connection.recv(1))
    except TimeoutError:
        return True


def http_ok(url: str, *, statuses: range = range(200, 300), probe: float | None = None) -> Condition[int]:
    """Return the condition that a URL answers with a status of the range; met, it gives the status.

    The request is a GET, without a proxy, and follows no redirect.
    """

    def look(seconds: float) -> int | Unmet:
        with urllib3.PoolManager(timeout=urllib3.Timeout(total=seconds), retries=False) as http:
            try:
                answer = http.request("GET", url)
            except urllib3.exceptions.LocationValueError as error:
                message = f"{url!r} is no URL that can be asked: {error}"
                raise HopelessError(message) from error
        if answer.status in statuses:
            return answer.status
        said = answer.data[:_SHOWN].decode(errors="replace").strip()
        return Unmet(f"HTTP {answer.status} {answer.reason or ''}: {said}".rstrip(": "))

    return Condition(f"{url} answers", look, not_yet=(urllib3.exceptions.HTTPError,), probe=probe)
