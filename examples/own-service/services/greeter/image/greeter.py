"""Greets whoever has the token: `python greeter.py HOST PORT`."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Greeter(BaseHTTPRequestHandler):
    """Answers a request."""

    def do_GET(self) -> None:
        """Say hello, or nothing to a stranger; the path of the probe is open to all."""
        known = self.headers["Authorization"] == f"Bearer {os.environ['GREETER_TOKEN']}"
        self.send_response(200 if known or self.path == "/healthz" else 401)
        self.end_headers()
        self.wfile.write(b"hello" if known else b"")


ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Greeter).serve_forever()
