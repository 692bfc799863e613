"""What the Kubernetes API said, in one line instead of a page of headers."""

import json
from typing import Any

REQUEST_TIMEOUT = (5.0, 10.0)
"""Seconds to connect to the API, and to wait for its answer."""


def explain(error: BaseException) -> str:
    """Return the API's own message, or else why it could not be asked."""
    # That of a refused WebSocket has another name.
    body = getattr(error, "body", None) or getattr(error, "resp_body", None)
    reason = getattr(error, "reason", None) or error
    return _message(body) or str(reason).partition(" -+-+- ")[0].strip() or type(error).__name__


def _message(body: Any) -> str | None:  # noqa: ANN401 - whatever the client left there
    try:
        status = json.loads(body)
    except (TypeError, ValueError):
        return None
    return str(status.get("message")) if isinstance(status, dict) and status.get("message") else None
