"""Serves git repositories over HTTP, as the hosts do from which others take them by a version."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from serving import Handler, Server

if TYPE_CHECKING:
    from pathlib import Path


class GitServer(Server):
    """Serves the bare repositories of a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        """Listen.

        Raises:
            OSError: The port can't be had.
        """
        super().__init__(_Answering, port)
        self.folder = folder


class _Answering(Handler):
    """Has git's own program answer each request."""

    server: GitServer

    def do_GET(self) -> None:
        """Answer."""
        address = urlsplit(self.path)
        body = self.body()
        done = subprocess.run(
            ["git", "http-backend"],
            env={
                **os.environ,
                "GIT_PROJECT_ROOT": str(self.server.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": address.path,
                "QUERY_STRING": address.query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
            input=body,
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send(content, int(headers.pop("Status", "200").split()[0]), headers)

    do_POST = do_GET
