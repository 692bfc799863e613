"""The servers that stand in for services and clusters, over real HTTP, for the tests of every room."""

from tests.functional.testing.answering import pod, server
from tests.functional.testing.forwarding import cluster, tcp_server

__all__ = ["cluster", "pod", "server", "tcp_server"]
