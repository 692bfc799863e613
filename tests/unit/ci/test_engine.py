"""What the engine's errors mean to the caller."""

import re

import pytest
from floe_ci import engine
from floe_ci.engine import explain, explain_push
from floe_ci.errors import RunError, UserError
from tenacity import retry, stop_after_attempt

REFUSED = (
    'failed to resolve image "127.0.0.1:5999/library/python:3.11-slim" (platform: "linux/amd64"): '
    'failed to do request: Head "http://127.0.0.1:5999/v2/library/python/manifests/3.11-slim": '
    "dial tcp 127.0.0.1:5999: connect: connection refused [traceparent:x-y]"
)
NO_SUCH_HOST = (
    'failed to resolve image "nosuch.invalid/library/python:3.11-slim" (platform: "linux/amd64"): '
    'failed to do request: Head "https://nosuch.invalid/v2/library/python/manifests/3.11-slim": dial tcp: '
    "lookup nosuch.invalid on 10.87.0.1:53: no such host"
)
NOT_FOUND = (
    'failed to resolve image "docker.io/kindest/node:v9.9.9" (platform: "linux/amd64"): '
    "docker.io/kindest/node:v9.9.9: not found"
)
FORBIDDEN = "failed to start: security.insecure is not allowed [traceparent:x-y]"


def explained(error: str) -> str:
    """Return the message for the caller."""
    with pytest.raises(UserError) as raised:
        explain(error)
    return str(raised.value)


def test_refused_connection() -> None:
    """A registry that refuses the connection is named, with the image, the cause and the option."""
    assert explained(REFUSED) == (
        "image 127.0.0.1:5999/library/python:3.11-slim: the registry 127.0.0.1:5999 does not answer "
        "(tcp 127.0.0.1:5999: connect: connection refused); check --registry and the network"
    )


def test_unknown_host() -> None:
    """A registry whose name can't be resolved does not answer either."""
    assert explained(NO_SUCH_HOST) == (
        "image nosuch.invalid/library/python:3.11-slim: the registry nosuch.invalid does not answer "
        "(tcp: lookup nosuch.invalid on 10.87.0.1:53: no such host); check --registry and the network"
    )


def test_unknown_image() -> None:
    """An image that its registry doesn't have is told from a registry that doesn't answer."""
    assert explained(NOT_FOUND) == (
        "image docker.io/kindest/node:v9.9.9: docker.io has none of this name; "
        "check it, or name a registry that has it: --registry"
    )


def test_unknown_image_with_trace() -> None:
    """The engine's trace at the end of the line doesn't hide why an image can't be had."""
    assert explained(f"{NOT_FOUND} [traceparent:x-y]") == explained(NOT_FOUND)


@pytest.mark.parametrize("error", [REFUSED, NO_SUCH_HOST, NOT_FOUND, FORBIDDEN])
def test_one_line(error: str) -> None:
    """What the caller can mend is told in one line, without the engine's trace."""
    told = explained(error)
    assert "\n" not in told
    assert "traceparent" not in told


def test_forbidden_capabilities() -> None:
    """An engine that forbids insecure capabilities is answered with the setting that allows them."""
    assert '"security": {"insecureRootCapabilities": true}' in explained(FORBIDDEN)


def test_forbidden_capabilities_have_a_way_out() -> None:
    """Where the setting can't be changed, there is the tier that needs no capabilities."""
    assert "unit tier" in explained(FORBIDDEN)


def test_other_error() -> None:
    """An error that the caller can't mend stays as it is, but for the trace."""
    assert explain("exit code: 2 [traceparent:x-y]") == "exit code: 2"


PUSH = 'failed to do request: Head "http://127.0.0.1:9/v2/runner/blobs/sha256:5b36": '


def test_push_to_nobody() -> None:
    """A registry that can't be pushed to is named, with the option, the cause, and who it is that pushes."""
    assert explain_push("127.0.0.1:9/runner:1", f"{PUSH}dial tcp 127.0.0.1:9: connect: connection refused") == (
        "push to 127.0.0.1:9/runner:1: the registry 127.0.0.1:9 does not answer "
        "(tcp 127.0.0.1:9: connect: connection refused); "
        "it is the Dagger engine that pushes, so check what that reaches and may do"
    )


def test_push_that_is_refused() -> None:
    """A registry that answers and takes nothing is told with its own words, without the engine's trace."""
    told = explain_push("team/runner:1", "push access denied: insufficient_scope [traceparent:x-y]")
    assert told.startswith(
        "push to team/runner:1: the registry docker.io does not take it (push access denied: insufficient_scope); "
    )


def test_engine_that_is_gone() -> None:
    """An engine that Dagger has tried to reach for long does not answer, it is said, with what was seen last."""

    @retry(stop=stop_after_attempt(2))
    def call() -> None:
        msg = "Cannot connect to host 127.0.0.1:9"
        raise ConnectionError(msg)

    told = re.escape("the Dagger engine doesn't answer any more: Cannot connect to host 127.0.0.1:9")
    with pytest.raises(RunError, match=f"^{told}$"), engine.explained():
        call()
