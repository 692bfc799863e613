"""Services that run as processes of this machine: their ids are in files, and something starts them again."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from floe_testing.errors import FloeTestingError
from floe_testing.waiting.polling import ConditionTimeoutError, PollingConfig, Unmet, wait_for_condition

GRACE = 10.0
"""Seconds that a service has to end by itself; as a pod of this repository's manifests has."""


class NoProcessError(FloeTestingError):
    """A service is not a process that can be restarted from here."""


def restart(folder: Path, service: str, timeout: float) -> None:
    """End the process whose id is in `<service>.pid`, and wait until another one's is.

    Raises:
        NoProcessError: There is no such file or process, or it is someone else's.
        ConditionTimeoutError: Nothing started it again, for `timeout` seconds.
    """
    file = folder / f"{service}.pid"
    old = _read(file)
    # As an interrupt, which PostgreSQL takes for "disconnect everybody and stop".
    _signal(old, signal.SIGINT, service)
    try:
        wait_for_condition(
            lambda: not _runs(old) or _read(file) != old,
            PollingConfig(timeout=GRACE, interval=0.1, description=f"process {old} ends"),
            retry_on=(NoProcessError,),
        )
    except ConditionTimeoutError:
        _signal(old, signal.SIGKILL, service)
    wait_for_condition(
        _another(file, old),
        PollingConfig(timeout=timeout, interval=0.1, description=f"{service} runs again, and {file} says so"),
        retry_on=(NoProcessError,),
    )


def _another(file: Path, old: int) -> Callable[[], bool | Unmet]:
    def condition() -> bool | Unmet:
        found = _read(file)
        return (found != old and _runs(found)) or Unmet(f"process {found} {'runs' if _runs(found) else 'has ended'}")

    return condition


def _read(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError) as error:
        message = f"{file} does not hold the id of a process: {error}"
        raise NoProcessError(message) from error


def _signal(process: int, number: int, service: str) -> None:
    try:
        os.kill(process, number)
    except (ProcessLookupError, PermissionError) as error:
        message = f"{service} can't be restarted: process {process}: {error.strerror}"
        raise NoProcessError(message) from error


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
