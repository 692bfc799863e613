"""What the engine's errors mean to the person who reads them."""

from __future__ import annotations

import re
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from floe_ci.errors import RunError, UserError
from floe_ci.images import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRACE = re.compile(r" \[traceparent:[^\]]*\]")
_IMAGE = re.compile(r'failed to resolve image "(?P<image>[^"]+)"(?: \(platform: "[^"]*"\))?: (?P<reason>.*)', re.DOTALL)
_UNREACHABLE = re.compile(r"(?<=dial )(tcp\b.*)|\S*timeout.*|EOF$", re.DOTALL)
AWAY: Final = "the Dagger engine doesn't answer any more"
SHOWN: Final = 2000
"""How many characters of a failed command's output are shown."""
_FORBIDDEN = "security.insecure is not allowed"


@contextmanager
def explained() -> Iterator[None]:
    """Turn a failed call to the engine into what it means, and of a command also into what that said.

    Raises:
        UserError: It is something that the caller can mend.
        RunError: The engine, or something in it, broke.
    """
    import dagger  # noqa: PLC0415 - it takes a second, and most callers of this module have it
    from tenacity import RetryError  # noqa: PLC0415 - as above; it is what comes of Dagger's tries to reach the engine

    try:
        yield
    except dagger.ExecError as error:
        explain(str(error))
        said = (error.stderr or error.stdout).strip()
        msg = f"`{shlex.join(error.command)}` failed with exit code {error.exit_code}:\n{said[-SHOWN:]}"
        raise RunError(msg) from error
    except dagger.QueryError as error:
        raise RunError(explain(str(error))) from error
    except (dagger.TransportError, dagger.ClientConnectionError) as error:
        msg = f"{AWAY}: {without_trace(str(error))}"
        raise RunError(msg) from error
    except RetryError as error:
        msg = f"{AWAY}: {error.last_attempt.exception()}"
        raise RunError(msg) from error


def explain(error: str) -> str:
    """Return an engine's error without what only the engine needs.

    Raises:
        UserError: It is something that the caller can mend; the message says how.
    """
    text = without_trace(error)
    if _FORBIDDEN in text:
        msg = (
            "the Dagger engine forbids insecure root capabilities, and Kind needs them: allow them in the "
            'engine\'s configuration (engine.json: "security": {"insecureRootCapabilities": true}), '
            "or run the unit tier"
        )
        raise UserError(msg)
    if found := _IMAGE.search(text):
        raise UserError(explain_image(found["image"], found["reason"]))
    return text


def without_trace(error: str) -> str:
    """Return an error without the mark by which the engine finds it in its own telemetry."""
    return _TRACE.sub("", error)


def explain_image(image: str, reason: str) -> str:
    """Return why an image can't be pulled, and what to do."""
    registry = image.partition("/")[0]
    if reason.rstrip().endswith("not found"):
        return f"image {image}: {registry} has none of this name; check it, or name a registry that has it: --registry"
    if unreachable := _UNREACHABLE.search(reason):
        why = unreachable[0]
        return f"image {image}: the registry {registry} does not answer ({why}); check --registry and the network"
    return f"image {image}: the registry {registry} refuses it ({reason.strip()})"


def explain_push(target: str, error: str) -> str:
    """Return why an image can't be pushed, and what to do."""
    registry = Reference.parse(target).host
    text = without_trace(error).strip()
    if unreachable := _UNREACHABLE.search(text):
        why = f"the registry {registry} does not answer ({unreachable[0]})"
    else:
        why = f"the registry {registry} does not take it ({text})"
    return f"push to {target}: {why}; it is the Dagger engine that pushes, so check what that reaches and may do"
