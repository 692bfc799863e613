"""On this machine: real services without containers, run by a worker that ends with whoever asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from floe_ci.errors import RunError, UserError
from floe_ci.places import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import IO, Literal

    from floe_ci.local.messages import Done, Refused, Up
    from floe_ci.places import PlaceName, Progress, RunRequest
    from floe_ci.results import Outcome

EXTRA: Final = "pip install 'floe-ci[local]'"
NEEDED: Final = ("uv", "psutil")
"""The packages of that extra that every run needs; the services' own are looked for by those."""
DOWN_TIMEOUT: Final = 30.0
"""Seconds until kept services must have ended."""


class LocalPlace:
    """Runs tests on this machine."""

    name: PlaceName = "local"

    def check(self) -> list[Finding]:
        """Return what is here of what tests and services on this machine need."""
        if sys.platform == "win32":
            return [Finding("operating system", "missing", "Windows has no process groups", "use WSL, or --on dagger")]
        lacking = [name for name in NEEDED if find_spec(name) is None]
        if lacking:
            return [Finding("packages", "missing", ", ".join(lacking), EXTRA)]
        from floe_ci.local import plan  # noqa: PLC0415 - an extra, and not for Windows

        found = [Finding("packages", "here", ", ".join(NEEDED))]
        for service in plan.INSTALLED:
            reason = plan.why_absent(service)
            # Without it there are still the tests that don't need it.
            found.append(Finding(f"service {service}", "missing" if reason else "here", reason or "", needed=False))
        return found

    def run(self, request: RunRequest, progress: Progress) -> Outcome:
        """Run a tier with services on this machine, and leave its results.

        Raises:
            UserError: What was asked for can't be run at all.
            RunError: The worker died.
        """
        from floe_ci.results import Outcome  # noqa: PLC0415 - as the worker, only where a run is asked for

        done = _ask("test", request, progress)
        assert done.kind == "done"  # noqa: S101 - for the type checker: `up` has another last word
        return Outcome(done.verdict, done.exit_code, request.results, done.summary)

    def up(self, request: RunRequest, progress: Progress) -> str:
        """Start the tier's services unless they are up, and leave a worker that keeps them.

        Raises:
            UserError: What was asked for can't be.
            RunError: A service did not become ready, or the worker died.
        """
        _require_extra(self)
        from floe_ci.local import kept  # noqa: PLC0415 - an extra

        if kept.find(request.source) is None:
            _ask("up", request, progress)
        return "services are up: `floe-ci test --on local` uses them, `floe-ci down --on local` ends them"

    def down(self, request: RunRequest, progress: Progress) -> str:
        """End the services that are kept for the repository.

        Raises:
            UserError: The worker does not end.
        """
        _require_extra(self)
        from floe_ci.local import kept  # noqa: PLC0415 - an extra

        found = kept.find(request.source)
        if found is None:
            return f"no services are up for {request.source.resolve()}"
        progress.note(f"ending {', '.join(found.services)}")
        with suppress(ProcessLookupError):
            os.kill(found.worker, signal.SIGTERM)
        deadline = time.monotonic() + DOWN_TIMEOUT
        while kept.claimed(request.source):
            if time.monotonic() > deadline:
                msg = f"process {found.worker}, which keeps the services, does not end; kill it"
                raise UserError(msg)
            time.sleep(0.1)
        return f"{', '.join(found.services)} ended"


def _require_extra(place: LocalPlace) -> None:
    """Refuse where the extra is not installed, with what to do."""
    lacking = [finding for finding in place.check() if finding.needed and finding.state != "here"]
    if lacking:
        raise UserError.of([f"{each.what}: {each.detail}; {each.remedy}" for each in lacking], "--on local")


def _ask(action: Literal["test", "up"], request: RunRequest, progress: Progress) -> Done | Up:
    """Have a worker carry out a request, and return its last word.

    Raises:
        UserError: It refused.
        RunError: It died; what it said of that went to standard error.
    """
    _require_extra(LocalPlace())
    from floe_ci.local import messages  # noqa: PLC0415 - an extra

    absolute = replace(request, source=request.source.resolve(), results=request.results.absolute())
    order = messages.Order(action=action, request=absolute)
    # -P: a module of the repository must not take the place of one that the worker needs.
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "floe_ci.local"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert worker.stdin and worker.stdout  # noqa: PT018, S101 - they are pipes, for the type checker
    with worker.stdin as orders, worker.stdout as told, _interrupts(orders, progress):
        orders.write(f"{order.model_dump_json()}\n")
        orders.flush()
        last = _relay(told, progress)
    if isinstance(last, messages.Up) or (isinstance(last, messages.Done) and last.kept):
        worker.returncode = 0  # it lives on, and nobody will ask how it ends
        return last
    code = worker.wait()
    if isinstance(last, messages.Refused):
        raise UserError(last.text)
    if last is None:
        msg = f"the worker ended with exit code {code} before the run had; what it said is above"
        raise RunError(msg)
    return last


def _relay(told: IO[str], progress: Progress) -> Done | Up | Refused | None:
    """Hand on what a worker tells, and return its last word; None where it died."""
    from floe_ci.local import messages  # noqa: PLC0415 - an extra

    for line in told:
        match messages.read(line):
            case messages.Note(text=text):
                progress.note(text)
            case messages.Begin(step=name):
                progress.begin(name)
            case messages.End(step=step):
                progress.end(step)
            case last:
                return last
    return None


@contextmanager
def _interrupts(orders: IO[str], progress: Progress) -> Iterator[None]:
    """Turn the first interruption into a word to the worker, so that there are results; the next one ends all."""

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        for number, handler in before.items():
            signal.signal(number, handler if number == signal.SIGINT else signal.default_int_handler)
        progress.note("interrupted: writing down what there is; once more to stop at once")
        with suppress(BrokenPipeError, ValueError):
            orders.write("interrupt\n")
            orders.flush()

    before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
